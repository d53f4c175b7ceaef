"""What requests mean, by the word of parsers that are not ours: llhttp (httptools) and h11."""

import re
from dataclasses import dataclass, field

import h11
import httptools

from paas.router.forward import backend_request, origin_lines, request_body, request_end
from paas.router.head import MalformedError, parse_request, split_head
from paas.router.plain import plain_request

TRACE = b"\r\ntraceparent: none"
ORIGIN = origin_lines("9.9.9.9", 80, secure=False)
WRITTEN = {
    b"x-forwarded-for": b"9.9.9.9",
    b"x-forwarded-proto": b"http",
    b"x-forwarded-port": b"80",
    b"via": b"1.1 mini",
    b"x-request-id": b"id",
    b"x-request-start": b"0",
    b"traceparent": b"none",
}
"""What the router writes itself, once each, whatever a client claims."""
NEVER_PASSED = frozenset((b"x-real-ip", b"forwarded"))


@dataclass
class Meaning:
    """One request, as whoever answers it understands it."""

    method: bytes = b""
    target: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    @property
    def host(self) -> bytes:
        return b",".join(value for name, value in self.fields if name == b"host")

    @property
    def core(self) -> tuple[bytes, bytes, bytes, bytes]:
        """What a backend acts on. A target with an authority means the path and the host in it."""
        if match := re.fullmatch(rb"(?i:http)://([^/?]*)(.*)", self.target):
            path = match[2] if match[2].startswith(b"/") else b"/" + match[2]
            return self.method, path, match[1], self.body
        return self.method, self.target, self.host, self.body


class _Collector:
    def __init__(self) -> None:
        self.whole: list[Meaning] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.current = Meaning()
        self.in_head = True

    def on_url(self, url: bytes) -> None:
        self.current.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # A trailer means nothing for the request.
            self.current.fields.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.in_head = False

    def on_body(self, body: bytes) -> None:
        self.current.body += body

    def on_message_complete(self) -> None:
        self.current.method = self.parser.get_method()
        self.whole.append(self.current)


def to_llhttp(data: bytes) -> tuple[list[Meaning], bool]:
    """Return the whole requests in `data`, and whether llhttp finds nothing wrong with all of it."""
    collector = _Collector()
    try:
        collector.parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        return collector.whole, True
    except httptools.HttpParserError:
        return collector.whole, False
    return collector.whole, True


def to_h11(data: bytes) -> Meaning:
    """Return the one request that `data` is; raises where it is less, or more, or none."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request), request
    meaning = Meaning(request.method, request.target, list(request.headers))
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data), event
        meaning.body += bytes(event.data)
    assert connection.trailing_data == (b"", False)
    return meaning


def forwarded(data: bytes, *, cut: int = 0) -> tuple[list[bytes], bool]:
    """Return the requests in a client's bytes as its backends get them, and whether the router refused what follows.

    The bytes of a body arrive in two pieces, the first one `cut` bytes long.
    """
    out: list[bytes] = []
    try:
        while (split := split_head(data)) is not None:
            plain = plain_request(split[0], origin=ORIGIN)
            try:
                head = parse_request(split[0])
            except MalformedError:
                assert plain is None, split[0]
                raise
            body = request_body(head)
            passed, rest = body.take(split[1][:cut])
            more, rest = body.take(rest + split[1][cut:]) if not body.done else (b"", rest + split[1][cut:])
            if not body.done:
                break  # The rest of it is still to come.
            begin = backend_request(head, origin=ORIGIN, request_id=b"id", trace=TRACE, milliseconds=0)
            if plain is not None:
                assert plain.beginning + b"id" + TRACE + request_end(0) == begin
            out.append(begin + passed + more)
            data = rest
            if not head.keep_alive or head.upgrade:
                break
            while data.startswith(b"\r\n"):
                data = data[2:]
    except MalformedError:
        return out, True
    return out, False
