"""What a head becomes on its way: the request as a backend gets it, the response as the client gets it.

Pure. What a client claims about itself (X-Forwarded-*, Forwarded, Via) never passes; it is written here anew.
"""

from paas.router.body import Body, ChunkedBody, LengthBody, UntilCloseBody
from paas.router.head import RequestHead, ResponseHead
from paas.router.refusal import Refusal, accepted, page
from paas.router.request_id import RequestIds
from paas.router.trace import begun

_ANSWERED = b"\r\nVia: 1.1 mini\r\nX-Request-ID: "
BODILESS = frozenset((204, 304))
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
    beginning = request_beginning(head.method, head.target, head.host, head.kept, origin=origin)
    return beginning + request_id + trace + request_end(milliseconds, extras=_request_extras(head))


def request_beginning(method: bytes, target: bytes, host: bytes, kept: bytes, *, origin: bytes) -> bytes:
    """Return all of it up to the id. `origin` are the lines about the client that `origin_lines` made."""
    pieces = (
        method, b" ", target, b" HTTP/1.1\r\nHost: ", host, kept, origin,
        b"\r\nX-Forwarded-Host: ", host, b"\r\nX-Request-ID: ",
    )  # fmt: skip
    return b"".join(pieces)


def trace_lines(passed: bytes, *, given_id: bytes, request_id: bytes, ids: RequestIds) -> bytes:
    """Return the lines of the request's trace: those `passed` on, or else new ones. A trace that begins here has the id
    of the request, unless a client has given that: what is found in the log is found in the traces."""
    return passed or begun(ids.next() if given_id else request_id)


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
    if request.method == b"HEAD" or head.status in BODILESS:
        return LengthBody(0)
    if head.chunked:
        return ChunkedBody(chunks=request.minor == 1)
    if head.length is not None:
        return LengthBody(head.length)
    return UntilCloseBody(chunks=request.minor == 1)


def ends_with_connection(request: RequestHead, head: ResponseHead) -> bool:
    """Return whether the client learns the end of this response's body only by the connection's end."""
    has_body = request.method != b"HEAD" and head.status not in BODILESS
    return has_body and head.length is None and request.minor == 0


def client_response(
    request: RequestHead, head: ResponseHead, *, request_id: bytes, keep_alive: bool, lines: bytes = b""
) -> bytes:
    """Return the head of the final response that the client gets, with `lines` of the router's own."""
    return b"%b%b%b%b\r\n\r\n" % (
        response_beginning(head.status_line, head.kept, framing(request, head)),
        request_id,
        lines,
        _connection(request, keep_alive=keep_alive),
    )


def response_beginning(status_line: bytes, kept: bytes, framing: bytes) -> bytes:
    """Return all of it up to the request id. `framing` says how the body's end is told."""
    return b"".join((b"HTTP/1.1 ", status_line, kept, framing, _ANSWERED))


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


def framing(request: RequestHead, head: ResponseHead) -> bytes:
    """Return the line that tells the client how the body ends; empty where none is needed."""
    if head.status == 204:
        return b""
    if head.length is not None:
        return b"\r\nContent-Length: %d" % head.length
    if request.minor == 0 or head.status == 304 or (request.method == b"HEAD" and not head.chunked):
        return b""
    return b"\r\nTransfer-Encoding: chunked"
