"""The one way to the API: JSON documents and streams. It never prints and never retries."""

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from types import NoneType
from typing import TypeVar, cast

from cli.http import Answer, ask
from cli.target import LocalTarget, RemoteTarget, Target
from paas.errors import PaasError, UnreachableError

T = TypeVar("T")
Query = str | int | bool | None

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")
_CONNECT_LIMIT = 10.0
_READ_LIMIT = 60.0
_CHANGE_LIMIT = 900.0
"""A change may wait for instances to start and to drain; what takes longer is followed as a stream."""


class Client:
    """Asks one server, with one connection a call.

    Every method raises the PaasError that the server's problem names, and UnreachableError where there is no answer.
    """

    def __init__(self, target: Target, *, trace: Callable[[str], None] | None = None) -> None:
        self.target = target
        self._trace = trace
        self._invocation = os.urandom(12).hex()
        self._changes = 0

    def get(self, path: str, kind: type[T], **query: Query) -> T:
        """Return the document at `path`, which is a `kind`."""
        return _shaped(kind, self._document("GET", _with_query(path, query), limit=_READ_LIMIT))

    def change(self, method: str, path: str, kind: type[T], *, body: object = None) -> T:
        """Return the document that answers a change; `kind` is NoneType where the answer is empty."""
        self._changes += 1
        headers = {"Idempotency-Key": f"{self._invocation}-{self._changes}"}
        return _shaped(kind, self._document(method, path, limit=_CHANGE_LIMIT, body=body, headers=headers))

    def stream(self, path: str, kind: type[T], **query: Query) -> Iterator[T]:
        """Yield the documents of an NDJSON stream as they come; raises UnreachableError where it breaks off."""
        for line in self.text(path, **query):
            document = json.loads(line)
            if "problem" in document:
                raise raised(document["problem"])
            yield _shaped(kind, document)

    def text(self, path: str, **query: Query) -> Iterator[str]:
        """Yield the lines of a text stream as they come, without their ends."""
        with closing(self._ask("GET", _with_query(path, query), limit=None)) as answer:
            lines = answer.lines()
            while (line := self._translated(lambda: next(lines, None))) is not None:
                yield line.decode(errors="replace")

    def _document(
        self,
        method: str,
        path: str,
        *,
        limit: float,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> object:
        with closing(self._ask(method, path, limit=limit, body=body, headers=headers)) as answer:
            text = self._translated(answer.read)
        return json.loads(text) if text else None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        limit: float | None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        payload = None if body is None else json.dumps(body).encode()
        head = {**headers_for(self.target), "Content-Type": "application/json", **(headers or {})}
        started = time.monotonic()

        def exchange() -> Answer:
            connection = connect(self.target)
            connection.settimeout(limit)
            return ask(connection, method, path, headers=head, body=payload)

        answer = self._translated(exchange)
        if self._trace is not None:
            spent = (time.monotonic() - started) * 1000
            request_id = answer.headers.get("x-request-id", "-")
            self._trace(
                f"{method} {path} status={answer.status} service={spent:.0f}ms request_id={request_id}"
            )
        if answer.status >= 400:
            with closing(answer):
                raise _problem(answer.status, self._translated(answer.read))
        return answer

    def _translated(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except TimeoutError as error:
            raise UnreachableError(f"The server at {self.target} did not answer in time.") from error
        except OSError as error:
            raise UnreachableError(
                f"The server at {self.target} does not answer: {error.strerror or error}."
            ) from error


def segment(text: str) -> str:
    """Return `text` as one segment of a path, or as one value of a query."""
    if _UNRESERVED.fullmatch(text):
        return text
    from urllib.parse import quote

    return quote(text, safe="")


def app_path(app: str, *rest: str) -> str:
    """Return the path of an app's resource: `app_path("shop", "releases", "@~1")`."""
    return "/".join(("/v1/apps", segment(app), *map(segment, rest)))


def raised(problem: dict[str, object]) -> PaasError:
    """Return the error that a Problem document stands for; a PaasError for a code that we do not know."""
    detail = str(problem.get("detail") or problem.get("title") or problem["code"])
    if problem["code"] == PaasError.code:
        detail += f" (request {problem.get('request_id', '-')})"
    kinds = {kind.code: kind for kind in _family(PaasError)}
    return kinds.get(str(problem["code"]), PaasError)(detail)


def connect(target: Target) -> socket.socket:
    """Return a connection to the server; raises OSError."""
    if isinstance(target, RemoteTarget):
        return _connect_tcp(target)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_CONNECT_LIMIT)
        connection.connect(str(target.socket))
    except OSError:
        connection.close()
        raise
    return connection


def _connect_tcp(target: RemoteTarget) -> socket.socket:
    connection = socket.create_connection((target.host, target.port), timeout=_CONNECT_LIMIT)
    # A follower waits as long as it takes; that the other machine is gone must still be noticed.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if not target.tls:
        return connection
    import ssl

    return ssl.create_default_context().wrap_socket(connection, server_hostname=target.host)


def headers_for(target: Target) -> dict[str, str]:
    """Return what every request to the server says: whom it is for, and over TCP who asks."""
    if isinstance(target, LocalTarget):
        return {"Host": "localhost"}
    host = f"[{target.host}]" if ":" in target.host else target.host
    token = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    return {"Host": f"{host}:{target.port}", **token}


def _with_query(path: str, query: dict[str, Query]) -> str:
    given = [f"{key}={segment(_query_text(value))}" for key, value in query.items() if value is not None]
    return f"{path}?{'&'.join(given)}" if given else path


def _query_text(value: Query) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shaped(kind: type[T], document: object) -> T:
    # A TypedDict is no class that isinstance takes; members are the server's word, as its schema promises.
    origin = getattr(kind, "__origin__", kind)
    expected = origin if origin in (list, NoneType) else dict
    if not isinstance(document, expected):
        raise PaasError("The server answered with another kind of document. Is it another version of mini?")
    return cast(T, document)


def _problem(status: int, body: bytes) -> PaasError:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "code" not in document:
        return PaasError(
            f"The server answered with status {status} and no problem. Is MINI_URL the address of mini?"
        )
    return raised(document)


def _family(kind: type[PaasError]) -> Iterator[type[PaasError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _family(child)
