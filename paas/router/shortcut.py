"""The short way of most requests: a head alone, sent on a kept connection, and an answer whose length is known. What it
passes on is byte for byte what an `Exchange` would; as soon as anything else happens, it gives way to one.
"""

from paas.router.backend import BackendConnection, LiveBackend
from paas.router.balancer import LiveApp
from paas.router.context import Context
from paas.router.exchange import Exchange
from paas.router.forward import trace_lines
from paas.router.head import MalformedError, parse_request
from paas.router.plain import PlainAnswer, PlainRequest
from paas.router.ports import Client
from paas.router.trace import BEGUN, BEGUN_END, PARENT

_CLOSE = b"\r\nConnection: close"


class Shortcut:
    """The short way of one client's connection, for one request after the other."""

    __slots__ = (
        "_answer",
        "_app",
        "_backend",
        "_began",
        "_client",
        "_clock",
        "_connection",
        "_context",
        "_deadline",
        "_id",
        "_left",
        "_patience",
        "_request",
        "_write",
    )

    _app: LiveApp
    _backend: LiveBackend
    _connection: BackendConnection
    _request: PlainRequest

    def __init__(self, context: Context, client: Client) -> None:
        self._context = context
        self._clock = context.loop.direct
        self._client = client
        self._deadline = client.deadline
        self._write = client.write
        self._patience = context.limits.first_byte
        self._id = b""
        self._began = 0.0
        self._answer: PlainAnswer | None = None
        self._left = 0

    def take(self, request: PlainRequest) -> bool:
        """Begin a plain request; return False, with nothing done, where it has to go the long way."""
        context = self._context
        _, host, _, beginning, _, given_id, given_trace = request
        app = context.balancer.find(host)
        if app is None or not app.open or (backend := app.choose()) is None:
            return False
        connection = backend.take_unused() or backend.connect_at_once()
        if connection is None:
            return False
        self._request, self._app, self._backend, self._connection = request, app, backend, connection
        self._began = now = self._clock.now
        self._answer = None
        backend.riders.add(self)
        connection.rider = self
        if given_id or given_trace:
            self._id = id = given_id or context.ids.next()
            trace = trace_lines(given_trace, given_id=given_id, request_id=id, ids=context.ids)
            connection.write(beginning + id + trace + context.request_end())
        else:  # the same in one go, which most requests pay for
            self._id = id = context.ids.next()
            pieces = (beginning, id, BEGUN, id, b"-", id[PARENT], BEGUN_END, context.request_end())
            connection.write(b"".join(pieces))
        self._deadline.at = now + self._patience
        return True

    # -- what the backend does --------------------------------------------------------------------------------
    def from_backend(self, data: bytes) -> None:
        if self._answer is not None:
            self._more(data, self._answer)
            return
        answer = self._backend.last_answer
        if answer is None or not data.startswith(answer.block):
            answer = self._plain(data)
        if answer is None or (left := answer.size - len(data)) < 0 or self._context.stopping:
            self._give_way().from_backend(data)
            return
        rest = data[answer.end :] if self._request.keep_alive else _CLOSE + data[answer.end :]
        self._write(b"".join((answer.beginning, self._id, rest)))
        if left:
            self._answer = answer
            self._left = left
            self._deadline.set(self._context.limits.idle)
        else:
            self._answered(answer)

    def _more(self, data: bytes, answer: PlainAnswer) -> None:
        left = self._left - len(data)
        if left < 0:
            self._give_way().from_backend(data)
            return
        self._left = left
        self._write(data)
        if left:
            self._deadline.set(self._context.limits.idle)
        else:
            self._answered(answer)

    def _plain(self, data: bytes) -> PlainAnswer | None:
        try:
            return self._backend.answer(data)
        except MalformedError:
            return None

    def _answered(self, answer: PlainAnswer) -> None:
        request, backend, now = self._request, self._backend, self._clock.now
        took = now - self._began
        backend.riders.discard(self)
        backend.give_back(self._connection)
        backend.metrics.count(answer.status, took, answer.length)
        entry = (now, request.logged, self._id, self._client.logged, backend.logged, took, answer.logged)
        self._context.log.write(self._app.id, entry)
        self._client.finished(keep_alive=request.keep_alive)

    def backend_full(self) -> None:
        self._client.pause()

    def backend_ready(self) -> None:
        self._client.resume()

    # -- what the client does ---------------------------------------------------------------------------------
    def from_client(self, data: bytes) -> bytes:
        """Return what belongs to the next request: all of it."""
        return data

    def client_ended(self) -> None:
        """The client sends no more; it may still read."""

    def client_full(self) -> None:
        self._connection.pause()

    def client_ready(self) -> None:
        self._deadline.set(self._context.limits.idle)
        self._connection.resume()

    # -- what an exchange is for ------------------------------------------------------------------------------
    def client_lost(self) -> None:
        self._give_way().client_lost()

    def expired(self) -> None:
        self._give_way().expired()

    def cut(self) -> None:
        self._give_way().cut()

    def backend_ended(self) -> None:
        self._give_way().backend_ended()

    def backend_lost(self, error: Exception | None) -> None:
        self._give_way().backend_lost(error)

    def _give_way(self) -> Exchange:
        """Have an exchange go on from here; return it."""
        head = parse_request(self._request.block)
        exchange = Exchange(self._context, self._client, head, request_id=self._id, began=self._began)
        self._backend.riders.discard(self)
        exchange.go_on(self._app, self._backend, self._connection)
        if self._answer is not None:
            exchange.go_on_answering(self._answer.block, passed=self._answer.length - self._left)
        self._client.goes_on(exchange)
        return exchange
