"""Idempotency keys: the same key with the same request gives the first answer again, and changes nothing twice."""

from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import errors
from paas.errors import InvalidError, PaasError
from paas.store.idempotency import Idempotency
from paas.threads import in_thread

KEY_LIMIT = 200


class IdempotencyKeys:
    """ASGI middleware, inside `api.access.BodyLimit`: it needs the whole body in one message."""

    def __init__(self, app: ASGIApp, *, answers: Idempotency) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        message = await receive()
        fingerprint = _fingerprint(scope, message.get("body", b""))
        try:
            if len(key) > KEY_LIMIT:
                raise InvalidError(f"The Idempotency-Key is longer than {KEY_LIMIT} characters.")
            earlier = await in_thread(self._answers.reserve, key, fingerprint)
        except PaasError as error:
            await errors.response(error, request_id=errors.request_id_of(scope))(scope, receive, send)
            return
        if earlier is not None:
            await _replay(earlier.status, earlier.body, send)
            return
        await self._first(scope, message, receive, send, key=key)

    async def _first(self, scope: Scope, message: Message, receive: Receive, send: Send, *, key: str) -> None:
        answer = _Answer(send)
        pending = [message]

        async def receiving() -> Message:
            return pending.pop() if pending else await receive()

        finished = False
        try:
            await self._app(scope, receiving, answer.send)
            finished = answer.status < 500
        finally:
            if finished:
                await in_thread(self._answers.complete, key, answer.status, bytes(answer.body))
            else:
                await in_thread(self._answers.release, key)


class _Answer:
    """Passes an answer on and keeps a copy of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500
        self.body = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
        await self._send(message)


def _key(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return None
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            return str(value.decode("latin-1"))
    return None


def _fingerprint(scope: Scope, body: bytes) -> str:
    request = b"\0".join((scope["method"].encode(), scope["path"].encode(), scope["query_string"], body))
    return sha256(request).hexdigest()


async def _replay(status: int, body: bytes, send: Send) -> None:
    kind = b"application/json" if status < 400 else errors.MEDIA_TYPE.encode()
    headers = [(b"content-type", kind), (b"idempotency-replayed", b"true")]
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
