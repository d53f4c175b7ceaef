"""The router's own answers: what it says, and under which code, where no backend does. It decides none of them."""

import json
import re
from dataclasses import dataclass
from html import escape

_ACCEPT = re.compile(rb"\r\n(?i:accept):([^\r]*+)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way a request goes wrong. `code` and `description` stand in the log line, the rest is for people."""

    code: str
    status: int
    reason: str
    description: str
    advice: str


H10 = Refusal(
    "H10",
    503,
    "Service Unavailable",
    "App crashed",
    "No instance of it accepts connections. Look into `mini logs` for its last lines.",
)
H12 = Refusal(
    "H12",
    503,
    "Service Unavailable",
    "Request timeout",
    "The app did not begin to answer in time. Move slow work to a worker, and look into `mini logs`.",
)
H13 = Refusal(
    "H13",
    503,
    "Service Unavailable",
    "Connection closed without response",
    "The app closed the connection without an answer. Look into `mini logs` for its last lines.",
)
H14 = Refusal(
    "H14",
    503,
    "Service Unavailable",
    "No web instances running",
    "Start one with `mini scale web=1`, or look into `mini ps`.",
)
H15 = Refusal("H15", 503, "Service Unavailable", "Idle connection", "Nothing was sent for too long.")
H17 = Refusal(
    "H17",
    503,
    "Service Unavailable",
    "Poorly formatted HTTP response",
    "The app's answer is not HTTP/1.1. Look into `mini logs` for its last lines.",
)
H18 = Refusal(
    "H18", 503, "Service Unavailable", "Server request interrupted", "The app broke off its answer."
)
H20 = Refusal(
    "H20",
    503,
    "Service Unavailable",
    "App boot timeout",
    "Its instance does not take connections yet. Look into `mini ps`.",
)
H27 = Refusal("H27", 499, "Client Closed Request", "Client request interrupted", "The client has gone.")
H28 = Refusal("H28", 408, "Request Timeout", "Client connection idle", "The request's body stopped coming.")
H80 = Refusal(
    "H80", 503, "Service Unavailable", "Maintenance mode", "It is being worked on. Try again later."
)
H99 = Refusal("H99", 500, "Internal Server Error", "Platform error", "Look into `mini server logs`.")

NO_SUCH_APP = Refusal(
    "",
    404,
    "Not Found",
    "No such app",
    "`mini routes` lists the hosts there are; `mini domains add` adds one.",
)

_BAD_REQUESTS = {
    400: "Bad Request",
    408: "Request Timeout",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
}


def bad_request(status: int, reason: str) -> Refusal:
    """Return the refusal of a request that is not HTTP/1.1 with one meaning."""
    return Refusal("", status, _BAD_REQUESTS[status], "Bad request", f"The request was refused: {reason}.")


def page(refusal: Refusal, *, host: str, accept: bytes, request_id: str) -> tuple[bytes, bytes]:
    """Return the content type and the page: JSON or plain text where `accept` asks for it, else HTML."""
    title = f"{refusal.description}: {host}" if host else refusal.description
    wanted = accept.lower()
    if b"text/html" not in wanted and b"json" in wanted:
        document = {
            "title": title,
            "status": refusal.status,
            "code": refusal.code or None,
            "detail": refusal.advice,
            "request_id": request_id,
        }
        return b"application/json", json.dumps(document).encode() + b"\n"
    code = f" ({refusal.code})" if refusal.code else ""
    if b"text/html" not in wanted and b"text/plain" in wanted:
        return b"text/plain; charset=utf-8", f"{title}{code}\n{refusal.advice}\n".encode()
    return b"text/html; charset=utf-8", _HTML.format(
        title=escape(title), code=escape(code), advice=_marked(refusal.advice), id=escape(request_id)
    ).encode()


def accepted(kept: bytes) -> bytes:
    """Return what the Accept fields of a head ask for."""
    return b",".join(_ACCEPT.findall(kept))


def _marked(advice: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(advice))


_HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em;color:#222}}
h1{{font-size:1.4em}}small{{color:#777}}code{{background:#eee;padding:.1em .3em}}</style>
<h1>{title}{code}</h1>
<p>{advice}</p>
<p><small>mini &middot; request {id}</small></p>
</html>
"""
