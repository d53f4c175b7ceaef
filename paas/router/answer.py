"""A backend's bytes, turned into what its client gets: interim heads, the final head, its body, or an upgrade's raw
bytes. No I/O: bytes in, bytes out.
"""

from paas.router.body import Body, LengthBody
from paas.router.forward import client_response, ends_with_connection, interim_response, response_body
from paas.router.head import MalformedError, RequestHead, ResponseHead, parse_response, split_head


class Answer:
    """The answer to one request, as it comes."""

    def __init__(self, request: RequestHead, *, request_id: bytes) -> None:
        self._request = request
        self._id = request_id
        self._received = b""
        self._body: Body | None = None
        self._raw = 0
        self.status = 0
        self.upgraded = False
        self.keeps_client = False
        """Whether the client's connection goes on after it."""
        self.lines = b""
        """What the router adds to the final head, each line with CRLF before it."""
        self.keeps_backend = False
        """Whether the backend's connection can take another request after it."""

    @property
    def begun(self) -> bool:
        """Whether its final head has come."""
        return self._body is not None or self.upgraded

    @property
    def done(self) -> bool:
        return self._body is not None and self._body.done

    @property
    def size(self) -> int:
        """Bytes of content so far."""
        return self._raw if self._body is None else self._body.payload

    def take(self, data: bytes, *, may_keep_client: bool) -> bytes:
        """Return what the client gets for `data`; raises MalformedError where it can be read in two ways.

        `may_keep_client` counts when the head comes: False has it say that the connection ends with this answer.
        """
        head = b""
        if not self.begun:
            head, data = self._heads(data, may_keep_client=may_keep_client)
        if self._body is None:
            self._raw += len(data)
            return head + data
        body, rest = self._body.take(data)
        if rest:
            self.keeps_backend = False
        return head + body if head else body

    def resume(self, block: bytes, *, passed: int) -> None:
        """Go on where the client has got the head in `block`, and `passed` bytes of a body of known length."""
        self._heads(block, may_keep_client=True)
        if isinstance(self._body, LengthBody):
            self._body.skip(passed)

    def end(self) -> bytes | None:
        """Return what the client gets once the backend has closed; None where that cuts the answer short."""
        return None if self._body is None else self._body.end()

    def _heads(self, data: bytes, *, may_keep_client: bool) -> tuple[bytes, bytes]:
        data = self._received + data
        self._received = b""
        out = b""
        while (split := split_head(data)) is not None:
            block, data = split
            head = parse_response(block)
            if head.status == 101:
                self._upgrade(head)
                return out + interim_response(head), data
            if head.status >= 200:
                return out + self._begin(head, may_keep_client=may_keep_client), data
            if self._request.minor == 1:
                out += interim_response(head)
        self._received = data
        return out, b""

    def _upgrade(self, head: ResponseHead) -> None:
        if not self._request.upgrade or not head.upgrade:
            raise MalformedError("it switches to a protocol that nobody asked for")
        self.upgraded = True
        self.status = head.status

    def _begin(self, head: ResponseHead, *, may_keep_client: bool) -> bytes:
        self.status = head.status
        self._body = response_body(self._request, head)
        self.keeps_backend = head.keep_alive
        self.keeps_client = (
            may_keep_client and self._request.keep_alive and not ends_with_connection(self._request, head)
        )
        return client_response(
            self._request, head, request_id=self._id, keep_alive=self.keeps_client, lines=self.lines
        )
