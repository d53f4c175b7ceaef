"""One request and its answer: from the head to the log line. It moves bytes between a client and a backend, and ends
exactly once. It reads no socket itself, and chooses no backend: its `Delivery` does.
"""

import time
from collections.abc import Callable

from paas.router.access_line import line_backend, line_beginning, line_end
from paas.router.answer import Answer
from paas.router.backend import BackendConnection, LiveBackend
from paas.router.balancer import LiveApp
from paas.router.body import Body
from paas.router.context import Context
from paas.router.delivery import Delivery
from paas.router.forward import backend_request, refused_request, request_body, trace_lines
from paas.router.head import MalformedError, RequestHead
from paas.router.ports import Client
from paas.router.refusal import H12, H13, H15, H17, H18, H27, H28, H80, NO_SUCH_APP, Refusal, bad_request
from paas.router.sticky import cookie_line


class Exchange:
    """One request under way. Its client and its backend's connection call it; it calls `client.finished` once."""

    def __init__(
        self, context: Context, client: Client, head: RequestHead, *, request_id: bytes, began: float
    ) -> None:
        self._context = context
        self._client = client
        self._head = head
        self._id = request_id
        self._began = began
        self._delivery = Delivery(context, head)
        self._request: Body = request_body(head)
        self._unsent: list[bytes] = []
        self._app: LiveApp | None = None
        self._backend: LiveBackend | None = None
        self._connection: BackendConnection | None = None
        self._heard = False
        self._answer = Answer(head, request_id=self._id)
        self._answering = False
        self._one_side_ended = False
        self._over = False

    # -- what the client does ---------------------------------------------------------------------------------
    def start(self, data: bytes) -> bytes:
        """Begin with what came after the head; return what belongs to the next request."""
        rest = self.from_client(data)
        if self._over:
            return rest
        self._app = self._context.balancer.find(self._head.host)
        if self._app is None:
            self.refuse(NO_SUCH_APP)
        elif self._app.routed.maintenance:
            self.refuse(H80)
        else:
            self._wait_for_progress()
            self._delivery.begin(self._app, self)
        return rest

    def go_on(self, app: LiveApp, backend: LiveBackend, connection: BackendConnection) -> None:
        """Begin where the request was sent on a connection that was kept, instead of with `start`."""
        self._app = app
        self._delivery.connect_seconds = 0.0
        self._ride(backend, connection)

    def go_on_answering(self, block: bytes, *, passed: int) -> None:
        """After `go_on`: the client has got the answer's head, and `passed` bytes of its body."""
        self._answer.resume(block, passed=passed)
        self._heard = self._answering = True

    def from_client(self, data: bytes) -> bytes:
        """Take bytes of the request's body; return what belongs to the next request."""
        if self._answer.upgraded and self._connection is not None:
            self._client.deadline.set(self._context.limits.idle)
            self._connection.write(data)
            return b""
        if self._request.done:
            return data
        try:
            body, rest = self._request.take(data)
        except MalformedError as error:
            self._break(bad_request(error.status, error.reason))
            return b""
        if self._connection is not None:
            self._connection.write(body)
            self._wait_for_progress()
        elif body:
            self._unsent.append(body)
            self._client.pause()
        return rest

    def client_ended(self) -> None:
        """The client sends no more; it may still read."""
        if self._answer.upgraded and self._connection is not None:
            self._end_one_side(self._connection.end)
        elif not self._request.done:
            self.client_lost()

    def client_lost(self) -> None:
        """The client has gone."""
        if self._over:
            return
        self._end(None if self._answer.upgraded else H27, keep_alive=False)

    def client_full(self) -> None:
        """The client reads slower than the backend sends."""
        if self._connection is not None:
            self._connection.pause()

    def client_ready(self) -> None:
        """The client has caught up."""
        if self._connection is not None:
            self._client.deadline.set(self._context.limits.idle)
            self._connection.resume()

    def expired(self) -> None:
        """Nothing has happened for too long."""
        if not self._answering:
            # A body that the backend does not read is the backend's silence, not the client's.
            stalled = self._request.done or self._unsent or (self._connection and not self._connection.usable)
            self.refuse(H12 if stalled else H28)
        elif self._client.takes_bytes():
            self._client.deadline.set(self._context.limits.idle)
        else:
            self._break(H15)

    def cut(self) -> None:
        """End it now: its backend is about to stop, or the router is."""
        self._break(None if self._answer.upgraded else H18 if self._answering else H13)

    # -- what the backend does --------------------------------------------------------------------------------
    def from_backend(self, data: bytes) -> None:
        self._heard = True
        self._client.deadline.set(self._context.limits.idle)
        upgraded = self._answer.upgraded
        may_keep_client = self._request.done and not self._context.stopping
        try:
            out = self._answer.take(data, may_keep_client=may_keep_client)
        except MalformedError:
            self._break(H17)
            return
        if out:
            self._answering = self._answer.begun
            self._client.write(out)
        if self._answer.done:
            self._answered(reuse=True)
        elif self._answer.upgraded and not upgraded and self._connection is not None:
            self._connection.write(self._client.take_unread())
            self._client.resume()

    def backend_ended(self) -> None:
        if self._answer.upgraded:
            self._end_one_side(self._client.end)
        else:
            self.backend_lost(None)

    def backend_lost(self, error: Exception | None) -> None:
        if self._over:
            return
        if self._answer.upgraded:
            self._end(None, keep_alive=False)
        elif not self._answering:
            self._unanswered()
        elif error is None and (tail := self._answer.end()) is not None:
            self._client.write(tail)
            self._answered(reuse=False)
        else:
            self._break(H18)

    def backend_full(self) -> None:
        self._client.pause()

    def backend_ready(self) -> None:
        self._client.resume()

    # -- sending the request ----------------------------------------------------------------------------------
    def send(self, backend: LiveBackend, connection: BackendConnection) -> None:
        self._ride(backend, connection)
        ticket = self._delivery.ticket
        if ticket is not None and ticket != backend.backend.ticket:
            self._answer.lines = cookie_line(backend.backend.ticket, secure=self._client.secure)
        head = backend_request(
            self._head,
            origin=self._client.origin,
            request_id=self._id,
            trace=trace_lines(
                self._head.trace,
                given_id=self._head.request_id,
                request_id=self._id,
                ids=self._context.ids,
            ),
            milliseconds=int(time.time() * 1000),
        )
        connection.write(head + b"".join(self._unsent) if self._unsent else head)
        self._unsent.clear()
        if not self._request.done:
            self._client.resume()
        self._wait_for_progress()

    def _ride(self, backend: LiveBackend, connection: BackendConnection) -> None:
        self._backend, self._connection = backend, connection
        backend.riders.add(self)
        connection.rider = self

    def _wait_for_progress(self) -> None:
        limits = self._context.limits
        waits = self._request.done and not self._answering
        self._client.deadline.set(limits.first_byte if waits else limits.idle)

    def _unanswered(self) -> None:
        app, backend, connection = self._app, self._backend, self._connection
        if app is None or backend is None or connection is None or self._heard:
            self.refuse(H13)
        elif self._delivery.may_go_again(app, backend, kept=connection.reused):
            self._leave(reuse=False)
            self._delivery.connect(app, self)
        else:
            self.refuse(H13)

    # -- the end ----------------------------------------------------------------------------------------------
    def _answered(self, *, reuse: bool) -> None:
        reuse = reuse and self._answer.keeps_backend and self._request.done
        self._end(None, keep_alive=self._answer.keeps_client, reuse=reuse)

    def refuse(self, refusal: Refusal) -> None:
        """Answer in the backend's place; nothing of an answer was sent yet."""
        keep_alive = self._head.keep_alive and self._request.done and not self._context.stopping
        self._client.write(refused_request(refusal, self._head, request_id=self._id, keep_alive=keep_alive))
        self._end(refusal, keep_alive=keep_alive)

    def _break(self, refusal: Refusal | None) -> None:
        """End it for `refusal`, whether or not an answer has begun."""
        if self._over:
            return
        if not self._answering and refusal is not None:
            self.refuse(refusal)
            return
        self._client.abort()
        self._end(refusal, keep_alive=False)

    def _end_one_side(self, end_other: Callable[[], None]) -> None:
        if self._one_side_ended:
            self._end(None, keep_alive=False)
            return
        self._one_side_ended = True
        end_other()

    def _end(self, refusal: Refusal | None, *, keep_alive: bool, reuse: bool = False) -> None:
        self._over = True
        self._delivery.give_up()
        backend = self._backend
        self._leave(reuse=reuse)
        self._record(refusal, backend)
        self._client.finished(keep_alive=keep_alive)

    def _leave(self, *, reuse: bool) -> None:
        backend, connection = self._backend, self._connection
        self._backend = self._connection = None
        if backend is None or connection is None:
            return
        backend.riders.discard(self)
        if reuse:
            backend.give_back(connection)
        elif self._answer.upgraded:
            connection.finish()
        else:
            connection.close()

    def _record(self, refusal: Refusal | None, backend: LiveBackend | None) -> None:
        now = self._context.loop.time()
        code = refusal.code if refusal else ""
        cut_short = self._answering and refusal is not H27
        status = self._answer.status if refusal is None or cut_short else refusal.status
        size = self._answer.size if self._answering else 0
        counting = backend or self._app
        metrics = counting.metrics if counting is not None else self._context.unrouted
        metrics.record(status=status, code=code, seconds=now - self._began, size=size)
        if self._app is None:
            return
        instance = backend.name if backend is not None else ""
        entry = (
            now,
            line_beginning(self._head.method, self._head.target, self._head.host, refusal),
            self._id,
            self._client.logged,
            line_backend(instance, self._delivery.connect_seconds),
            now - self._began - (self._delivery.connect_seconds or 0.0),
            line_end(b"%d" % status, b"%d" % size),
        )
        self._context.log.write(self._app.id, entry)
