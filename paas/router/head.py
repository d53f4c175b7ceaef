"""Heads of HTTP/1.1 messages, read from bytes (RFC 9112). One linear regular expression judges a whole head;
the few fields that matter to a router are split off, all others stay the bytes they were. It never does I/O.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from paas.router.trace import TRACE_NAMES, passed_on

HEAD_LIMIT = 64 * 1024

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
TEXT = rb"[\t\x20-\x7e\x80-\xff]"
# Possessive inside each line, and no line can hold the CR that begins the next: a head matches in one pass or not at
# all. The repeat of lines itself is not possessive, since Python before 3.11.5 then matches nothing (Debian 12 has
# 3.11.2). Neither obs-fold, nor a space before a colon, nor a bare CR, LF or NUL has a place in it.
_LINES = rb"((?:\r\n" + TOKEN + rb"++:" + TEXT + rb"*+)*)\r\n\r\n"
_REQUEST = re.compile(rb"(" + TOKEN + rb"{1,32}+) ([\x21\x22\x24-\x7e]++) HTTP/1\.([01])" + _LINES)
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}(?: " + TEXT + rb"*+)?)" + _LINES)

# What a request may not claim, or what holds for one hop only. A name with `_` reads the same to CGI-like
# servers, so it goes the same way.
REQUEST_NAMES = (
    rb"host|connection|content[-_]length|transfer[-_]encoding|expect|upgrade|te|trailer|keep[-_]alive"
    rb"|proxy|proxy[-_](?:connection|authorization|authenticate)|forwarded|x[-_]forwarded(?:[-_]"
    + TOKEN
    + rb"++)?|x[-_]real[-_]ip|x[-_]request[-_](?:id|start)|via|"
    + TRACE_NAMES
)
RESPONSE_NAMES = rb"connection|content-length|transfer-encoding|upgrade|trailer|keep-alive|proxy-connection|x-request-id|via"
_REQUEST_FIELDS = re.compile(rb"\r\n(?i:(" + REQUEST_NAMES + rb")):[ \t]*+(" + TEXT + rb"*+)")
_RESPONSE_FIELDS = re.compile(rb"\r\n(?i:(" + RESPONSE_NAMES + rb")):[ \t]*+(" + TEXT + rb"*+)")
_ABSOLUTE = re.compile(rb"(?i:http)://([^/?]*+)(.*+)")
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9+/=_-]{20,128}")
_UPGRADE = re.compile(TOKEN + rb"{1,32}(?:/" + TOKEN + rb"{1,32})?")
_HOP_OPTIONS = frozenset((b"", b"close", b"keep-alive", b"upgrade"))

Fields = dict[bytes, list[bytes]]


class MalformedError(ValueError):
    """The bytes are no message that has one meaning only. `status` is what a client is told for it."""

    def __init__(self, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


class RequestHead(NamedTuple):
    """A request's head. `kept` are the fields passed on untouched, each with CRLF before it."""

    method: bytes
    target: bytes
    host: bytes
    minor: int
    kept: bytes
    length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    upgrade: bytes
    request_id: bytes
    """The client's own id where it is well formed, else empty."""
    trace: bytes
    """The lines of the trace that it belongs to, each with CRLF before it; empty where it belongs to none."""
    plain: bool
    """Whether it is a GET with nothing that calls for a thought: most requests are."""

    @property
    def has_body(self) -> bool:
        return self.chunked or bool(self.length)


class ResponseHead(NamedTuple):
    """A response's head. `status_line` is the status with its reason; `kept` as in a request."""

    status: int
    status_line: bytes
    kept: bytes
    length: int | None
    chunked: bool
    keep_alive: bool
    upgrade: bytes


def split_head(buffer: bytes) -> tuple[bytes, bytes] | None:
    """Return the head at the start of `buffer`, with its empty line, and what follows; None while it is incomplete.

    Raises MalformedError as soon as it is too long, or a line ends without CR.
    """
    end = buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT) + 4
    if end > 3:
        return buffer[:end], buffer[end:]
    if len(buffer) >= HEAD_LIMIT:
        raise MalformedError("the head is longer than 64 KiB", status=431)
    if buffer.count(b"\n") != buffer.count(b"\r\n"):
        raise MalformedError("a line of the head ends without CR")
    return None


def whole_head(buffer: bytes) -> bytes:
    """Return the head at the start of `buffer`, with its empty line; nothing while it is incomplete, or too long."""
    end = buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT) + 4
    return buffer[:end] if end > 3 else b""


def parse_request(block: bytes) -> RequestHead:
    """Return the request of a whole head; raises MalformedError where it could be read in more than one way."""
    match = _REQUEST.fullmatch(block)
    if match is None:
        raise MalformedError("the head is not HTTP/1.1")
    method, target, version, lines = match.groups()
    minor = int(version)
    kept, fields = _split_fields(_REQUEST_FIELDS, lines)
    options = _options(fields)
    target, host = _target_and_host(method, target, fields)
    length, chunked = _framing(fields, minor)
    keep_alive, upgrade = _keeps_alive(options, minor), b""
    if minor == 1 and b"upgrade" in options and not (chunked or length):
        upgrade = _upgrade(fields)
    expects_continue = minor == 1 and _expects_continue(fields)
    bare = length is None and not (chunked or upgrade or expects_continue)
    return RequestHead(
        method=method,
        target=target,
        host=host,
        minor=minor,
        kept=_without(kept, options),
        length=length,
        chunked=chunked,
        keep_alive=keep_alive,
        expects_continue=expects_continue,
        upgrade=upgrade,
        request_id=_request_id(fields),
        trace=_trace(fields, options),
        plain=bare and method == b"GET" and minor == 1,
    )


def parse_response(block: bytes) -> ResponseHead:
    """Return the response of a whole head; raises MalformedError where it could be read in more than one way."""
    match = _RESPONSE.fullmatch(block)
    if match is None:
        raise MalformedError("the head is not HTTP/1.1")
    version, status_line, lines = match.groups()
    minor = int(version)
    kept, fields = _split_fields(_RESPONSE_FIELDS, lines)
    options = _options(fields)
    length, chunked = _framing(fields, 1)
    return ResponseHead(
        status=int(status_line[:3]),
        status_line=status_line,
        kept=_without(kept, options),
        length=length,
        chunked=chunked,
        keep_alive=_keeps_alive(options, minor),
        upgrade=_upgrade(fields) if b"upgrade" in options else b"",
    )


def _split_fields(wanted: re.Pattern[bytes], lines: bytes) -> tuple[bytes, Fields]:
    pieces = wanted.split(lines)
    fields: Fields = {}
    for name, value in zip(pieces[1::3], pieces[2::3], strict=True):
        fields.setdefault(name.lower(), []).append(value.rstrip(b" \t"))
    return b"".join(pieces[::3]), fields


def _options(fields: Fields) -> frozenset[bytes]:
    values = fields.get(b"connection")
    if values is None:
        return frozenset()
    return frozenset(option.strip(b" \t").lower() for value in values for option in value.split(b","))


def _without(kept: bytes, options: frozenset[bytes]) -> bytes:
    named = options - _HOP_OPTIONS
    if not named:
        return kept
    lines: Iterable[bytes] = kept.split(b"\r\n")
    return b"\r\n".join(line for line in lines if line.partition(b":")[0].lower() not in named)


def _keeps_alive(options: frozenset[bytes], minor: int) -> bool:
    return b"close" not in options if minor else b"keep-alive" in options and b"close" not in options


def _target_and_host(method: bytes, target: bytes, fields: Fields) -> tuple[bytes, bytes]:
    hosts = fields.get(b"host", ())
    if len(hosts) != 1:
        raise MalformedError("it needs one Host field, and one only")
    host = hosts[0]
    if not target.startswith(b"/") and not (target == b"*" and method == b"OPTIONS"):
        # An absolute target wins over Host (RFC 9112 §3.2.2); passed on as one origin-form, it cannot differ.
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None or method == b"CONNECT":
            raise MalformedError("its target is neither a path nor an http:// address")
        host, path = absolute.groups()
        target = path if path.startswith(b"/") else b"/" + path
    if not _HOST.fullmatch(host):
        raise MalformedError("its host is no host name")
    return target, host


def _framing(fields: Fields, minor: int) -> tuple[int | None, bool]:
    lengths = fields.get(b"content-length")
    encodings = fields.get(b"transfer-encoding")
    if encodings is not None:
        if lengths is not None:
            raise MalformedError("it has both Content-Length and Transfer-Encoding")
        if len(encodings) != 1 or encodings[0].lower() != b"chunked" or minor == 0:
            raise MalformedError("its Transfer-Encoding is not chunked alone")
        return None, True
    if lengths is None:
        return None, False
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        raise MalformedError("its Content-Length is not one number")
    return int(lengths[0]), False


def _expects_continue(fields: Fields) -> bool:
    values = fields.get(b"expect")
    if values is None:
        return False
    if len(values) != 1 or values[0].lower() != b"100-continue":
        raise MalformedError("it expects something else than 100-continue", status=417)
    return True


def _upgrade(fields: Fields) -> bytes:
    values = fields.get(b"upgrade", ())
    # Never h2c: what followed would be requests that nobody here has looked at.
    if len(values) != 1 or not _UPGRADE.fullmatch(values[0]) or values[0].lower().startswith(b"h2"):
        return b""
    return values[0]


def _request_id(fields: Fields) -> bytes:
    values = fields.get(b"x-request-id", ())
    return values[0] if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else b""


def _trace(fields: Fields, options: frozenset[bytes]) -> bytes:
    if b"traceparent" in options:
        return b""
    states = fields.get(b"tracestate", []) if b"tracestate" not in options else []
    return passed_on(fields.get(b"traceparent", []), states)
