"""One client's connection: cuts its bytes into requests, and has them answered one after the other, in order.

It never looks into an answer: the exchange under way writes it.
"""

import socket
from collections.abc import Callable

from paas.router.access_line import line_client
from paas.router.context import Context
from paas.router.exchange import Exchange
from paas.router.forward import origin_lines, refused_bytes
from paas.router.head import MalformedError, RequestHead, parse_request, split_head
from paas.router.plain import PlainRequest, plain_request, plain_request_of
from paas.router.ports import UnderWay
from paas.router.refusal import Refusal, bad_request
from paas.router.shortcut import Shortcut
from paas.router.wire import Wire


class ClientConnection:
    """A client's connection, from its accept to its end. At most one exchange is under way on it."""

    def __init__(
        self,
        context: Context,
        sock: socket.socket,
        *,
        peer: str,
        port: int,
        secure: bool,
        gone: "Callable[[ClientConnection], None]",
    ) -> None:
        self._context = context
        self._gone = gone
        self.logged = line_client(peer)
        self.secure = secure
        self.origin = origin_lines(peer, port, secure=secure)
        self.deadline = context.deadlines.open(self._expired, failed=self.abort)
        self._wire = Wire(context.loop, sock, self)
        self.write: Callable[[bytes], None] = self._wire.write
        self._buffer = b""
        self._exchange: UnderWay | None = None
        self._shortcut = Shortcut(context, self)
        self._last_block = b""
        self._last_request: PlainRequest | None = None
        self._serving = False
        self._head_began = False
        self._full = False
        self._ended = False
        self._closing = False
        self._unsent = 0
        self.deadline.set(context.limits.keep_alive)

    # -- what the wire does -----------------------------------------------------------------------------------
    def received(self, data: bytes) -> None:
        if self._exchange is None and not (self._closing or self._buffer or self._full):
            request = self._last_request if data == self._last_block else self._judge(data)
            if request is not None and self._shortcut.take(request):
                self._exchange = self._shortcut
                self._head_began = False
                return
        if self._closing:
            return
        if self._exchange is not None:
            data = self._exchange.from_client(data)
            if not data:
                return
        self._buffer = self._buffer + data if self._buffer else data
        if self._exchange is None:
            self._serve()
        elif len(self._buffer) > self._context.limits.unread:
            self._wire.pause()

    def other_side_ended(self) -> bool:
        self._ended = True
        if self._exchange is not None:
            self._exchange.client_ended()
        # Half closed: what it has asked for is still answered.
        return not self._closing and (self._exchange is not None or self._full)

    def wire_lost(self, _error: OSError | None) -> None:
        self._closing = True
        self._gone(self)
        self._context.deadlines.close(self.deadline)
        if self._exchange is not None:
            self._exchange.client_lost()

    def wire_full(self) -> None:
        self._full = True
        if self._exchange is not None:
            self._exchange.client_full()

    def wire_free(self) -> None:
        self._full = False
        if self._exchange is not None:
            self._exchange.client_ready()
        elif not self._closing:
            self._serve()

    # -- what its exchange does -------------------------------------------------------------------------------
    def pause(self) -> None:
        self._wire.pause()

    def resume(self) -> None:
        self._wire.resume()

    def end(self) -> None:
        self._wire.end()

    def take_unread(self) -> bytes:
        unread, self._buffer = self._buffer, b""
        return unread

    def takes_bytes(self) -> bool:
        before, self._unsent = self._unsent, self._wire.unread()
        return self._unsent not in (0, before)

    def abort(self) -> None:
        self._closing = True
        self._wire.abort()

    def goes_on(self, exchange: UnderWay) -> None:
        self._exchange = exchange

    def finished(self, *, keep_alive: bool) -> None:
        self._exchange = None
        if self._closing:
            return
        if not keep_alive or self._context.ending:
            self._close()
            return
        self.deadline.set(self._context.limits.keep_alive)
        if self._wire.paused:
            self._wire.resume()
        if self._buffer or self._ended:
            self._serve()

    # -- what the process does --------------------------------------------------------------------------------
    def stop(self) -> None:
        """Take no more requests; the one under way is finished."""
        if self._exchange is None and not self._closing:
            self._closing = True
            self._wire.close()

    def cut(self) -> None:
        """End it now."""
        if self._exchange is not None:
            self._exchange.cut()
        self.abort()

    # -- requests ---------------------------------------------------------------------------------------------
    def _serve(self) -> None:
        """Begin requests for as long as whole heads are there and the one before is answered."""
        if self._serving:
            return  # An exchange ended before its start returned: the loop below goes on.
        self._serving = True
        try:
            while self._exchange is None and not self._closing and not self._full:
                if not self._begin_next():
                    break
        finally:
            self._serving = False
        if self._ended and self._exchange is None and not self._full and not self._closing:
            self._close()

    def _judge(self, data: bytes) -> PlainRequest | None:
        """Return the plain request that `data` is, if it is one; the same bytes need not be judged again."""
        request = plain_request(data, origin=self.origin)
        if request is not None:
            self._last_block, self._last_request = data, request
        return request

    def _begin_next(self) -> bool:
        while self._buffer.startswith(b"\r\n"):
            self._buffer = self._buffer[2:]  # Old clients end a body with one more line (RFC 9112 §2.2).
        if not self._buffer:
            return False
        try:
            split = split_head(self._buffer)
            head = parse_request(split[0]) if split is not None else None
        except MalformedError as error:
            self._refuse(bad_request(error.status, error.reason))
            return False
        if split is None or head is None:
            self._wait_for_head()
            return False
        self._head_began = False
        block, self._buffer = split
        if head.plain and self._shortcut.take(plain_request_of(head, block, origin=self.origin)):
            self._exchange = self._shortcut
        else:
            self._begin(head)
        return True

    def _begin(self, head: RequestHead) -> None:
        rest, self._buffer = self._buffer, b""
        request_id = head.request_id or self._context.ids.next()
        exchange = Exchange(
            self._context, self, head, request_id=request_id, began=self._context.loop.direct.now
        )
        self._exchange = exchange
        self._buffer = exchange.start(rest)

    def _wait_for_head(self) -> None:
        if not self._head_began:
            self._head_began = True
            self.deadline.set(self._context.limits.head)

    # -- the end ----------------------------------------------------------------------------------------------
    def _expired(self) -> None:
        if self._closing:
            if self.takes_bytes():
                self.deadline.set(self._context.limits.linger)
            else:
                self._wire.abort()
        elif self._exchange is not None:
            self._exchange.expired()
        elif self._head_began:
            self._refuse(bad_request(408, "its head did not come in time"))
        else:
            self._close()

    def _refuse(self, refusal: Refusal) -> None:
        self._context.unrouted.record(status=refusal.status, code="", seconds=0.0, size=0)
        self._wire.write(refused_bytes(refusal, request_id=self._context.ids.next()))
        self._close()

    def _close(self) -> None:
        """Say that no more comes, and let the client read: closing on its unread bytes would reset what was sent."""
        self._closing = True
        self._buffer = b""
        if self._ended:
            self._wire.close()
        else:
            self._wire.end()
            self._wire.resume()
        self.deadline.set(self._context.limits.linger)
