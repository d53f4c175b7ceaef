"""Sticky sessions: the cookie that brings a browser back to the backend which answered it first. Pure.

It knows no backend: whoever asks looks up what the ticket stands for, and a ticket that stands for nothing is none.
"""

import re

COOKIE = b"mini_backend"

_FIELD = re.compile(rb"\r\n(?i:cookie):([^\r]*+)")
_TICKET = re.compile(rb"(?:^|;)[ \t]*" + COOKIE + rb"=([0-9a-f]{32})[ \t]*(?=;|$)")


def ticket_of(kept: bytes) -> str | None:
    """Return the ticket that a request brings, None without one; `kept` are its fields, each with CRLF before it.

    Of several the first one counts: what a browser sends first has the longest path (RFC 6265 §5.4).
    """
    for field in _FIELD.findall(kept):
        if found := _TICKET.search(field):
            return str(found[1], "ascii")
    return None


def cookie_line(ticket: str, *, secure: bool) -> bytes:
    """Return the line of a response's head that gives a browser its ticket, with CRLF before it.

    It lives as long as the browser's session; no script can read it and no other site can have it sent.
    """
    line = b"\r\nSet-Cookie: %b=%b; Path=/; HttpOnly; SameSite=Lax" % (COOKIE, ticket.encode("ascii"))
    return line + b"; Secure" if secure else line
