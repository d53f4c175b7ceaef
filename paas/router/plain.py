"""What most requests and most answers are, taken apart and made anew in one go: a GET with a head alone, and an answer of
a known length. What comes out is what `head` and `forward` make step by step; a head that has to go that way may still
be a plain one.
"""

import re
import sys
from typing import NamedTuple

from paas.router.access_line import line_beginning, line_end
from paas.router.forward import BODILESS, framing, request_beginning, response_beginning
from paas.router.head import (
    HEAD_LIMIT,
    REQUEST_NAMES,
    RESPONSE_NAMES,
    TEXT,
    TOKEN,
    RequestHead,
    parse_request,
    parse_response,
)

_ANY_GET = parse_request(b"GET / HTTP/1.1\r\nHost: any\r\n\r\n")
"""Stands for the request of a plain answer: what the client gets is the same for all of them."""


def _others(names: bytes) -> bytes:
    """Return the pattern of lines with other names than these: by their first letters, most are told apart at once."""
    rests: dict[bytes, list[bytes]] = {}
    for name in re.split(rb"\|(?![^(]*\))", names):
        rests.setdefault(name[:1], []).append(name[1:])
    initials = b"".join(initial + initial.upper() for initial in rests)
    harmless = b"".join(c for c in _TOKEN_CHARACTERS if c not in initials)
    firsts = [b"[" + re.escape(harmless) + b"]"]
    firsts += [
        b"[" + initial + initial.upper() + b"](?!(?i:" + b"|".join(rest) + b"):)"
        for initial, rest in rests.items()
    ]
    line = rb"\r\n(?:" + b"|".join(firsts) + rb")" + TOKEN + rb"*+:" + TEXT + rb"*+"
    return b"((?:" + line + b")*+)" if _CAN_REPEAT_CHOICES else b"((?>(?:" + line + b")*))"


# Python before 3.11.5, such as Debian 12's, matches nothing with a possessive repeat of alternatives; an atomic group
# means the same, and takes a tenth longer.
_CAN_REPEAT_CHOICES = sys.version_info >= (3, 11, 5)
_TOKEN_CHARACTERS = [bytes((code,)) for code in range(128) if re.match(TOKEN, bytes((code,)))]
_REQUEST = re.compile(
    rb"GET (/[\x21\x22\x24-\x7e]*+) HTTP/1\.1"
    + _others(REQUEST_NAMES)
    + rb"\r\n[Hh]ost: ([A-Za-z0-9._~-]{1,255}+(?::[0-9]{0,5}+)?+)"
    + _others(REQUEST_NAMES)
    + rb"(?:\r\n[Cc]onnection: ([Kk]eep-[Aa]live|[Cc]lose))?+"
    + _others(REQUEST_NAMES)
    + rb"\r\n\r\n"
)
_RESPONSE = re.compile(
    rb"HTTP/1\.1 ((?!204|304)[2-5][0-9]{2}(?: "
    + TEXT
    + rb"*+)?+)"
    + _others(RESPONSE_NAMES)
    + rb"\r\n[Cc]ontent-[Ll]ength: (0|[1-9][0-9]{0,17}+)"
    + _others(RESPONSE_NAMES)
    + rb"(?:\r\n[Cc]onnection: [Kk]eep-[Aa]live)?+"
    + _others(RESPONSE_NAMES)
    + rb"\r\n\r\n"
)


class PlainRequest(NamedTuple):
    """All of a plain request that is the same however often it comes on one connection."""

    block: bytes
    """As the client sent it."""
    host: bytes
    keep_alive: bool
    beginning: bytes
    """What a backend gets of it up to the request id."""
    logged: bytes
    """What the access log gets of it, up to the request id."""
    request_id: bytes = b""
    """The client's own; empty where it has none."""
    trace: bytes = b""
    """The lines of the trace that it belongs to; empty where it belongs to none."""


class PlainAnswer(NamedTuple):
    """The head of a final response with a known length, to a plain request, on connections that both go on."""

    block: bytes
    """As the backend sent it."""
    beginning: bytes
    """What the client gets of it up to the request id, after which only the empty line follows."""
    status: int
    length: int
    end: int
    """Where in the block the empty line begins."""
    size: int
    """Of block and body together."""
    logged: bytes
    """What the access log gets of it."""


def plain_request(data: bytes, *, origin: bytes) -> PlainRequest | None:
    """Return the plain request that `data` is, head to end, where it reads in one pass; else None."""
    match = _REQUEST.fullmatch(data)
    if match is None or len(data) > HEAD_LIMIT:
        return None
    target, first, host, second, option, third = match.groups()
    beginning = request_beginning(b"GET", target, host, first + second + third, origin=origin)
    keep_alive = option is None or option[0] in b"kK"
    # Not by its constructor, which costs as much as the rest.
    return tuple.__new__(
        PlainRequest, (data, host, keep_alive, beginning, line_beginning(b"GET", target, host), b"", b"")
    )


def plain_request_of(head: RequestHead, block: bytes, *, origin: bytes) -> PlainRequest:
    """Return the same of a head that was read step by step, and is plain."""
    method, target, host = head.method, head.target, head.host
    return PlainRequest(
        block=block,
        host=host,
        keep_alive=head.keep_alive,
        beginning=request_beginning(method, target, host, head.kept, origin=origin),
        logged=line_beginning(method, target, host),
        request_id=head.request_id,
        trace=head.trace,
    )


def plain_answer(data: bytes) -> PlainAnswer | None:
    """Return the answer whose whole head `data` begins with, where it is plain and reads in one pass; else None."""
    match = _RESPONSE.match(data)
    if match is None or match.end() > HEAD_LIMIT:
        return None
    block, status_line, first, length, second, third = match.group(0, 1, 2, 3, 4, 5)
    return _answer(block, status_line, first + second + third, b"\r\nContent-Length: " + length, length)


def plain_answer_by_steps(block: bytes) -> PlainAnswer | None:
    """Return the same of any whole head, None where it is not plain; raises MalformedError."""
    head = parse_response(block)
    length = 0 if head.status in BODILESS else head.length
    if length is None or not head.keep_alive or head.status < 200:
        return None
    return _answer(block, head.status_line, head.kept, framing(_ANY_GET, head), b"%d" % length)


def _answer(block: bytes, status_line: bytes, kept: bytes, framed: bytes, length: bytes) -> PlainAnswer:
    status, size, body = status_line[:3], len(block), int(length)
    beginning = response_beginning(status_line, kept, framed)
    return tuple.__new__(
        PlainAnswer,
        (block, beginning, int(status), body, size - 4, size + body, line_end(status, length)),
    )
