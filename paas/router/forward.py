"""What a head becomes on its way: the request as a backend gets it, the response as the client gets it.

Pure. What a client claims about itself (X-Forwarded-*, Forwarded, Via) never passes; it is written here anew.
"""

from typing import NamedTuple

from paas.router.access_line import line_end
from paas.router.body import Body, ChunkedBody, LengthBody, UntilCloseBody
from paas.router.head import RequestHead, ResponseHead, parse_response
from paas.router.plain import plain_response
from paas.router.refusal import Refusal, accepted, page
from paas.router.request_id import RequestIds
from paas.router.trace import begun

_ANSWERED = b"\r\nVia: 1.1 mini\r\nX-Request-ID: "
_BODILESS = frozenset((204, 304))
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


def request_body(head: RequestHead) -> Body:
    """Return the reader of the request's body."""
    return ChunkedBody(chunks=True) if head.chunked else LengthBody(head.length or 0)


def may_be_repeated(head: RequestHead) -> bool:
    """Return whether sending the request a second time is harmless and possible: idempotent, and nothing but a head."""
    return head.method in _IDEMPOTENT and not head.has_body


def backend_request(
    head: RequestHead, *, origin: bytes, request_id: bytes, trace: bytes, milliseconds: int
) -> bytes:
    """Return the head that a backend gets: `request_beginning`, the id, its trace's lines, and `request_end`."""
    beginning = request_beginning(head, origin=origin)
    return beginning + request_id + trace + request_end(milliseconds, extras=_request_extras(head))


def request_beginning(head: RequestHead, *, origin: bytes) -> bytes:
    """Return all of it up to the id. `origin` are the lines about the client that `origin_lines` made."""
    method, target, host, _, kept, *_ = head
    pieces = (
        method, b" ", target, b" HTTP/1.1\r\nHost: ", host, kept, origin,
        b"\r\nX-Forwarded-Host: ", host, b"\r\nX-Request-ID: ",
    )  # fmt: skip
    return b"".join(pieces)


def trace_lines(head: RequestHead, *, request_id: bytes, ids: RequestIds) -> bytes:
    """Return the lines of the request's trace. One that begins here has the id of the request, where that is ours:
    what is found in the log is found in the traces."""
    return head.trace or begun(ids.next() if head.request_id else request_id)


def request_end(milliseconds: int, *, extras: bytes = b"") -> bytes:
    """Return all of it after the trace: when it came, and the lines that only some requests have."""
    return b"\r\nX-Request-Start: %d%b\r\n\r\n" % (milliseconds, extras)


def origin_lines(peer: str, port: int, *, secure: bool) -> bytes:
    """Return the lines that say where a request came from: the same for every request of one connection."""
    scheme = "https" if secure else "http"
    return (
        f"\r\nX-Forwarded-For: {peer}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Port: {port}"
        "\r\nVia: 1.1 mini"
    ).encode("ascii")


def response_body(request: RequestHead, head: ResponseHead) -> Body:
    """Return the reader of the response's body, which passes it on as the client can read it."""
    if request.method == b"HEAD" or head.status in _BODILESS:
        return LengthBody(0)
    if head.chunked:
        return ChunkedBody(chunks=request.minor == 1)
    if head.length is not None:
        return LengthBody(head.length)
    return UntilCloseBody(chunks=request.minor == 1)


def ends_with_connection(request: RequestHead, head: ResponseHead) -> bool:
    """Return whether the client learns the end of this response's body only by the connection's end."""
    has_body = request.method != b"HEAD" and head.status not in _BODILESS
    return has_body and head.length is None and request.minor == 0


def client_response(
    request: RequestHead, head: ResponseHead, *, request_id: bytes, keep_alive: bool, lines: bytes = b""
) -> bytes:
    """Return the head of the final response that the client gets, with `lines` of the router's own."""
    return b"%b%b%b%b\r\n\r\n" % (
        response_beginning(request, head),
        request_id,
        lines,
        _connection(request, keep_alive=keep_alive),
    )


def response_beginning(request: RequestHead, head: ResponseHead) -> bytes:
    """Return all of it up to the request id."""
    pieces = (b"HTTP/1.1 ", head.status_line, head.kept, _framing(request, head), _ANSWERED)
    return b"".join(pieces)


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
    """Its piece of the access log's lines."""


def plain_answer(request: RequestHead, block: bytes) -> PlainAnswer | None:
    """Return the answer that begins with this head, None where it is not plain; raises MalformedError."""
    head = plain_response(block) or parse_response(block)
    length = 0 if head.status in _BODILESS else head.length
    if length is None or not head.keep_alive or head.status < 200:
        return None
    size = len(block)
    beginning, logged = response_beginning(request, head), line_end(head.status, length)
    # Not by its constructor, which costs as much as the rest.
    return tuple.__new__(
        PlainAnswer, (block, beginning, head.status, length, size - 4, size + length, logged)
    )


def interim_response(head: ResponseHead) -> bytes:
    """Return the head of a 1xx response; of a 101, with the protocol that follows."""
    upgrade = b"\r\nConnection: Upgrade\r\nUpgrade: " + head.upgrade if head.status == 101 else b""
    return b"HTTP/1.1 %b%b%b\r\n\r\n" % (head.status_line, head.kept, upgrade)


def refused_request(refusal: Refusal, head: RequestHead, *, request_id: bytes, keep_alive: bool) -> bytes:
    """Return the router's own answer to a request."""
    kind, text = page(
        refusal,
        host=head.host.decode("ascii"),
        accept=accepted(head.kept),
        request_id=request_id.decode("ascii"),
    )
    return _answer(
        refusal, kind, text, request_id=request_id, connection=_connection(head, keep_alive=keep_alive)
    ) + (b"" if head.method == b"HEAD" else text)


def refused_bytes(refusal: Refusal, *, request_id: bytes) -> bytes:
    """Return the router's own answer to bytes that were no request."""
    kind, text = page(refusal, host="", accept=b"", request_id=request_id.decode("ascii"))
    return _answer(refusal, kind, text, request_id=request_id, connection=b"\r\nConnection: close") + text


def _answer(refusal: Refusal, kind: bytes, text: bytes, *, request_id: bytes, connection: bytes) -> bytes:
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nCache-Control: no-store"
        b"\r\nVia: 1.1 mini\r\nX-Request-ID: %b%b\r\n\r\n"
    ) % (refusal.status, refusal.reason.encode("ascii"), kind, len(text), request_id, connection)


def _connection(request: RequestHead, *, keep_alive: bool) -> bytes:
    if not keep_alive:
        return b"\r\nConnection: close"
    return b"" if request.minor == 1 else b"\r\nConnection: keep-alive"


def _request_extras(head: RequestHead) -> bytes:
    extras = b""
    if head.chunked:
        extras = b"\r\nTransfer-Encoding: chunked"
    elif head.length is not None:
        extras = b"\r\nContent-Length: %d" % head.length
    if head.expects_continue:
        extras += b"\r\nExpect: 100-continue"
    if head.upgrade:
        extras += b"\r\nConnection: Upgrade\r\nUpgrade: " + head.upgrade
    return extras


def _framing(request: RequestHead, head: ResponseHead) -> bytes:
    if head.status == 204:
        return b""
    if head.length is not None:
        return b"\r\nContent-Length: %d" % head.length
    if request.minor == 0 or head.status == 304 or (request.method == b"HEAD" and not head.chunked):
        return b""
    return b"\r\nTransfer-Encoding: chunked"
