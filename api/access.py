"""Who may talk to the API: the local user over the unix socket, holders of the token over TCP. Denies by default.

Browsers are kept out whatever page they show: exactly one allowed Host, no foreign Origin, no cookies, no CORS.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from starlette.types import ASGIApp, Receive, Scope, Send

from api import errors
from paas.errors import InvalidError, NotAllowedError, PaasError, UnauthenticatedError

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, as releases and events name the actor."""

    name: str


class Access:
    """ASGI middleware in front of every route, documentation and WebSockets included."""

    def __init__(self, app: ASGIApp, *, user: str, token: str) -> None:
        self._app = app
        self._user = user
        self._digest = sha256(token.encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        send = _with_request_id(send, request_id)
        try:
            scope["state"]["caller"] = self._admit(scope, headers)
        except PaasError as error:
            await _refuse(error, scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admit(self, scope: Scope, headers: list[tuple[str, str]]) -> Caller:
        # Only a unix socket has an address without a port; a connection whose address is not known is no such one.
        host, port = scope.get("server") or ("", 0)
        if port is None:
            return Caller(self._user)
        _check_host(headers, port=port, bound=host)
        _check_origin(headers)
        presented = [value for name, value in headers if name == "authorization"]
        if len(presented) != 1:
            raise UnauthenticatedError
        scheme, _, token = presented[0].partition(" ")
        digest = sha256(token.strip().encode()).digest()
        if scheme.lower() != "bearer" or not hmac.compare_digest(digest, self._digest):
            raise UnauthenticatedError(
                "This token is not known here. `mini server status` names the home it is in."
            )
        return Caller("admin-token")


def _headers(scope: Scope) -> list[tuple[str, str]]:
    return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]


def _request_id(headers: list[tuple[str, str]]) -> str:
    given = [value for name, value in headers if name == "x-request-id"]
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0]
    return secrets.token_hex(16)


def _check_host(headers: list[tuple[str, str]], *, port: int, bound: str) -> None:
    hosts = [value.lower() for name, value in headers if name == "host"]
    names = {"localhost", "127.0.0.1", "[::1]", f"[{bound}]" if ":" in bound else bound}
    if len(hosts) != 1 or hosts[0] not in {f"{name}:{port}" for name in names}:
        raise NotAllowedError(f"The API answers to localhost:{port} alone, in exactly one Host header.")


def _check_origin(headers: list[tuple[str, str]]) -> None:
    origins = [value for name, value in headers if name == "origin"]
    hosts = [value for name, value in headers if name == "host"]
    if origins and origins != [f"http://{hosts[0]}"]:
        raise NotAllowedError("The API takes no request that a page of another origin sent.")


def _with_request_id(send: Send, request_id: str) -> Send:
    async def sending(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            headers = message.setdefault("headers", [])
            assert isinstance(headers, list)  # noqa: S101 - the ASGI specification says so
            headers.append((b"x-request-id", request_id.encode()))
        await send(message)

    return sending  # type: ignore[return-value]  # ASGI messages are mutable mappings of anything


async def _refuse(error: PaasError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 4401, "reason": error.message[:120]})
        return
    answer = errors.response(error, request_id=scope["state"]["request_id"])
    if isinstance(error, UnauthenticatedError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    await answer(scope, receive, send)


class BodyLimit:
    """ASGI middleware: a request body over `limit` bytes is refused before it is read whole."""

    def __init__(self, app: ASGIApp, *, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                error = InvalidError(f"The request is larger than {self._limit} bytes.")
                answer = errors.response(error, request_id=scope["state"]["request_id"], status=413)
                await answer(scope, receive, send)
                return
        await self._app(scope, _replay(bytes(body), receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body first and then whatever comes, such as the disconnect."""
    pending = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> dict[str, object]:
        return pending.pop() if pending else dict(await receive())

    return receiving
