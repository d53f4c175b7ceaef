"""The hook's own small client of the control plane: HTTP over the unix socket, standard library alone.

The command line has a richer one; this one starts in milliseconds and knows what a push needs and no more.
"""

import http.client
import json
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from builds.git import Quarantine
from paas.errors import PaasError, UnreachableError

_PREFIXES = {"step": "-----> ", "output": "       ", "warning": " !     ", "error": " !     "}
ANSWER_LIMIT = 60.0
SILENCE_LIMIT = 3600.0
"""Longest silence of an output stream: a build and a release phase may say nothing for long."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a deployment ended."""

    succeeded: bool
    release: int | None
    url: str
    reason: str


class RefusedError(PaasError):
    """The control plane refused the deployment."""


class ControlPlane:
    """What the hook asks for one app. Each call is a connection of its own."""

    def __init__(self, socket_path: str, *, app: str) -> None:
        self._socket_path = socket_path
        self._path = f"/v1/apps/{quote(app, safe='')}/deployments"

    def deploy(self, commit: str, *, ref: str, quarantine: Quarantine | None) -> str:
        """Ask for a deployment and return its id; raises RefusedError, UnreachableError."""
        asked: dict[str, object] = {"commit": commit, "ref": ref}
        if quarantine is not None:
            asked["quarantine"] = {
                "object_directory": quarantine.object_directory,
                "alternates": quarantine.alternates,
            }
        return str(self._json("POST", self._path, asked)["id"])

    def output(self, deployment: str) -> Iterator[str]:
        """Yield the lines of its output as they are shown, until it has ended."""
        connection = self._connect(SILENCE_LIMIT)
        try:
            answer = self._ask(connection, "GET", f"{self._path}/{quote(deployment)}/output")
            for line in answer:
                if line.strip():
                    entry = json.loads(line)
                    yield _PREFIXES.get(entry["kind"], "") + entry["text"]
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _lost(error) from error
        finally:
            connection.close()

    def outcome(self, deployment: str) -> Outcome:
        """Return how it ended."""
        answer = self._json("GET", f"{self._path}/{quote(deployment)}")
        release = answer.get("release") or answer.get("serving")
        return Outcome(
            succeeded=answer["state"] == "succeeded",
            release=release if isinstance(release, int) else None,
            url=str(answer["url"]),
            reason=str(answer["reason"]),
        )

    def cancel(self, deployment: str) -> None:
        """Ask to cancel it; that the control plane does not answer is no matter."""
        try:
            self._json("POST", f"{self._path}/{quote(deployment)}/cancel")
        except PaasError:
            return

    def _json(self, method: str, path: str, body: object = None) -> dict[str, object]:
        connection = self._connect(ANSWER_LIMIT)
        try:
            answer: dict[str, object] = json.loads(self._ask(connection, method, path, body).read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _lost(error) from error
        finally:
            connection.close()
        return answer

    def _ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: object = None
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        if answer.status >= 400:
            raise RefusedError(json.loads(answer.read())["detail"])
        return answer

    def _connect(self, time_limit: float) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._socket_path, time_limit=time_limit)
        try:
            connection.connect()
        except OSError as error:
            raise UnreachableError from error
        return connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, socket_path: str, *, time_limit: float) -> None:
        super().__init__("localhost", timeout=time_limit)
        self._socket_path = socket_path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


def _lost(error: Exception) -> UnreachableError:
    return UnreachableError(
        f"The control plane's answer was cut off ({error}); see `mini releases`, then push again."
    )
