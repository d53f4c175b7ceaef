"""The one way to the API: JSON documents and streams over HTTP/1.1. It never prints and never retries."""

import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Self, TypeVar, cast
from urllib.parse import quote, urlencode

from cli.target import LocalTarget, Target
from paas.errors import PaasError, UnreachableError

T = TypeVar("T")
Query = str | int | bool | None

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
        with _Call(self.target, "GET", _with_query(path, query), trace=self._trace) as call:
            return _shaped(kind, call.document())

    def change(self, method: str, path: str, kind: type[T], *, body: object = None) -> T:
        """Return the document that answers a change (None where the answer is empty)."""
        self._changes += 1
        headers = {"Idempotency-Key": f"{self._invocation}-{self._changes}"}
        with _Call(self.target, method, path, trace=self._trace, body=body, headers=headers) as call:
            return _shaped(kind, call.document())

    def stream(self, path: str, kind: type[T], **query: Query) -> Iterator[T]:
        """Yield the documents of an NDJSON stream as they come; raises UnreachableError where it breaks off."""
        for line in self._lines(path, query):
            document = json.loads(line)
            if "problem" in document:
                raise raised(document["problem"])
            yield _shaped(kind, document)

    def text(self, path: str, **query: Query) -> Iterator[str]:
        """Yield the lines of a text stream as they come, without their ends."""
        yield from self._lines(path, query)

    def _lines(self, path: str, query: dict[str, Query]) -> Iterator[str]:
        with _Call(self.target, "GET", _with_query(path, query), trace=self._trace, limit=None) as call:
            yield from call.lines()


class _Call:
    """One request and its answer; the connection is closed with it."""

    def __init__(
        self,
        target: Target,
        method: str,
        path: str,
        *,
        trace: Callable[[str], None] | None,
        body: object = None,
        headers: dict[str, str] | None = None,
        limit: float | None = _READ_LIMIT,
    ) -> None:
        self._target = target
        if method != "GET":
            limit = _CHANGE_LIMIT
        self._connection = _connection(target, limit)
        self._response = self._ask(method, path, body=body, headers=headers or {}, trace=trace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def document(self) -> object:
        """Return the answer's JSON, or None for an empty one."""
        text = self._read(self._response.read)
        return json.loads(text) if text else None

    def lines(self) -> Iterator[str]:
        """Yield the answer's lines as they come."""
        while line := self._read(self._response.readline):
            yield line.decode(errors="replace").rstrip("\r\n")

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: object,
        headers: dict[str, str],
        trace: Callable[[str], None] | None,
    ) -> http.client.HTTPResponse:
        payload = None if body is None else json.dumps(body).encode()
        if payload is not None:
            headers["Content-Type"] = "application/json"
        started = time.monotonic()
        response = self._exchange(method, path, payload, {**_headers(self._target), **headers})
        request_id = response.headers.get("X-Request-ID", "-")
        if trace is not None:
            spent = (time.monotonic() - started) * 1000
            trace(f"{method} {path} status={response.status} service={spent:.0f}ms request_id={request_id}")
        if response.status >= 400:
            raise _problem(response.status, self._read(response.read), request_id=request_id)
        return response

    def _exchange(
        self, method: str, path: str, payload: bytes | None, headers: dict[str, str]
    ) -> http.client.HTTPResponse:
        try:
            self._connection.request(method, path, body=payload, headers=headers)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _read(self, read: Callable[[], bytes]) -> bytes:
        try:
            return read()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> UnreachableError:
        if isinstance(
            error, http.client.IncompleteRead | http.client.RemoteDisconnected | ConnectionResetError
        ):
            return UnreachableError(f"The server at {self._target} went away in the middle of an answer.")
        if isinstance(error, TimeoutError):
            return UnreachableError(f"The server at {self._target} did not answer in time.")
        return UnreachableError(f"The server at {self._target} does not answer: {error}.")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, *, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def segment(text: str) -> str:
    """Return `text` as one segment of a path."""
    return quote(text, safe="")


def app_path(app: str, *rest: str) -> str:
    """Return the path of an app's resource: `app_path("shop", "releases", "@~1")`."""
    return "/".join(("/v1/apps", segment(app), *map(segment, rest)))


def _shaped(kind: type[T], document: object) -> T:
    # A TypedDict is no class that isinstance takes; members are the server's word, as its schema promises.
    origin = getattr(kind, "__origin__", kind)
    expected = origin if origin in (list, NoneType) else dict
    if not isinstance(document, expected):
        raise PaasError("The server answered with another kind of document. Is it another version of mini?")
    return cast(T, document)


def _connection(target: Target, limit: float | None) -> http.client.HTTPConnection:
    if isinstance(target, LocalTarget):
        return _UnixConnection(str(target.socket), timeout=limit)
    kind = http.client.HTTPSConnection if target.tls else http.client.HTTPConnection
    return kind(target.host, target.port, timeout=limit)


def _headers(target: Target) -> dict[str, str]:
    if isinstance(target, LocalTarget) or not target.token:
        return {}
    return {"Authorization": f"Bearer {target.token}"}


def _with_query(path: str, query: dict[str, Query]) -> str:
    given = {key: _query_text(value) for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _query_text(value: Query) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _problem(status: int, body: bytes, *, request_id: str) -> PaasError:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "code" not in document:
        return PaasError(f"The server answered with status {status} and no problem (request {request_id}).")
    return raised(document)


def raised(problem: dict[str, object]) -> PaasError:
    """Return the error that a Problem document stands for; a PaasError for a code that we do not know."""
    detail = str(problem.get("detail") or problem.get("title") or problem["code"])
    if problem["code"] == PaasError.code:
        detail += f" (request {problem.get('request_id', '-')})"
    kinds = {kind.code: kind for kind in _family(PaasError)}
    return kinds.get(str(problem["code"]), PaasError)(detail)


def _family(kind: type[PaasError]) -> Iterator[type[PaasError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _family(child)
