"""The adapter of Docker for builds: it alone imports the SDK here, and translates its errors. It decides nothing.

Everything blocks: call it on threads. `ImageBuild.stop` alone is for any thread, at any time.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Event, Lock
from typing import IO, TypedDict, cast

from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.utils import kwargs_from_env
from requests import RequestException, Response
from urllib3.exceptions import HTTPError

from builds.steps import Steps, sentence
from paas.errors import EngineUnavailableError, OperationCancelledError, PaasError

_ASK_LIMIT = 30
"""Seconds that Docker may take to answer a question; a build has its own limit."""
_PING_LIMIT = 5
"""Seconds that Docker may take to show that it is there, before anything is asked of it."""
_PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"

THIS_MACHINE = "unix:///var/run/docker.sock"
_NEGOTIATE = "auto"
_NOT_FOUND = 404
_IN_USE = 409


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image to build: `tag` it gets, `dockerfile` is the name of one within the context, which may declare `arguments`."""

    tag: str
    dockerfile: str
    arguments: Mapping[str, str]
    cached: bool
    limit: float
    """Seconds of silence after which Docker is taken for lost."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that is there."""

    id: str
    labels: Mapping[str, str]
    tags: tuple[str, ...]
    command: tuple[str, ...]
    """ENTRYPOINT and CMD together, as they are executed; empty where it has neither."""
    ports: tuple[int, ...]
    """The TCP ports that it EXPOSEs."""


class _Config(TypedDict, total=False):
    Labels: dict[str, str] | None
    Entrypoint: list[str] | None
    Cmd: list[str] | None
    ExposedPorts: dict[str, object] | None


class _Document(TypedDict):
    Id: str
    RepoTags: list[str] | None
    Config: _Config | None


class _Listed(TypedDict):
    Id: str
    RepoTags: list[str] | None
    Created: float


class Daemon:
    """The Docker that the environment names (`DOCKER_HOST` and its companions), else the one of this machine."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._version = _NEGOTIATE
        """The version of the API to speak. Negotiating takes as long as several answers, so it is done once."""

    def find(self, reference: str) -> FoundImage | None:
        """Return the image that an id or a tag names, None where there is none."""
        with self._asking() as client:
            # The SDK's types leave this method out.
            inspect = cast("Callable[[str], _Document]", client.inspect_image)
            try:
                return _found(inspect(reference))
            except ImageNotFound:
                return None

    def made(self, label: str, *, before: datetime) -> list[tuple[str, tuple[str, ...]]]:
        """Return the id and the tags of each image with a label that was made before that time. Whatever is built
        FROM such an image has the label too."""
        with self._asking() as client:
            # The SDK's types leave this method out.
            images = cast("Callable[..., list[_Listed]]", client.images)
            listed = images(filters={"label": label})
        old = (each for each in listed if each["Created"] < before.timestamp())
        return [(each["Id"], tuple(each["RepoTags"] or ())) for each in old]

    def remove(self, name: str) -> bool:
        """Remove a tag, and its image where that was the last one; return whether it did, since one that a container
        still uses stays."""
        with self._asking() as client:
            try:
                client.remove_image(name)
            except APIError as error:
                if error.status_code not in (_NOT_FOUND, _IN_USE):
                    raise
                return False
        return True

    def remove_container(self, container: str) -> None:
        """End and remove a container of a build; return once it has gone, also where Docker was just removing it."""
        with self._asking() as client, suppress(NotFound):
            try:
                client.remove_container(container, force=True, v=True)
            except APIError as error:
                if error.status_code != _IN_USE:
                    raise
                client.wait(container, timeout=_ASK_LIMIT, condition="removed")

    def knock(self) -> None:
        """Raise EngineUnavailableError where it does not answer."""
        try:
            _knock(self._environ.get("DOCKER_HOST") or THIS_MACHINE)
        except OSError as error:
            raise unavailable(error) from error

    @contextmanager
    def client(self, limit: float) -> Iterator[APIClient]:
        """Yield a connection on which Docker may be silent for `limit` seconds."""
        address = kwargs_from_env(environment=self._environ)
        self.knock()
        try:
            client = APIClient(version=self._version, timeout=int(limit), **address)
        except (DockerException, RequestException, OSError) as error:
            raise unavailable(error) from error
        with client:
            self._version = str(client.api_version)
            try:
                yield client
            except BaseException:
                self._version = _NEGOTIATE  # another daemon may be there by now
                raise

    @contextmanager
    def _asking(self) -> Iterator[APIClient]:
        with self.client(_ASK_LIMIT) as client:
            try:
                yield client
            except (DockerException, RequestException) as error:
                raise unavailable(error) from error


class ImageBuild:
    """One build at the daemon, which ends it as soon as the connection is closed."""

    def __init__(self, daemon: Daemon, request: ImageRequest, *, say: Callable[[str], None]) -> None:
        self._daemon = daemon
        self._request = request
        self._say = say
        self._steps = Steps(appended=1)
        self._response: Response | None = None
        self._lock = Lock()
        self.stopped = Event()

    def run(self, context: Iterator[bytes]) -> None:
        """Build to the end; raises BuildFailedError, DiskFullError, EngineUnavailableError, and
        OperationCancelledError after `stop`. What `context` raises comes through."""
        with self._daemon.client(self._request.limit) as client:
            client.hooks["response"].append(self._began)
            try:
                self._follow(client, context)
            except (DockerException, RequestException, HTTPError, OSError) as error:
                if self.stopped.is_set():
                    raise OperationCancelledError from error
                raise _build_error(error) from error
            finally:
                self._close()

    def stop(self) -> None:
        """End the build: at the next file while it is sent, else at once."""
        with self._lock:
            self.stopped.set()
            if self._response is not None:
                # Whoever reads the connection wakes up and closes it.
                with suppress(ValueError, RuntimeError, OSError):
                    self._response.raw.shutdown()

    def sweep(self) -> None:
        """Remove what a build that was stopped left: the container that ran, and what it had made by then."""
        if self._steps.container is not None:
            self._daemon.remove_container(self._steps.container)
        self._daemon.remove(self._request.tag)
        for layer in reversed(self._steps.layers):
            found = self._daemon.find(layer)
            if found is not None and not found.tags:
                self._daemon.remove(layer)

    def _follow(self, client: APIClient, context: Iterator[bytes]) -> None:
        request = self._request
        events = client.build(
            # requests sends what is iterable as it comes, though the SDK's types ask for a file.
            fileobj=cast("IO[bytes]", context),
            custom_context=True,
            decode=True,
            tag=request.tag,
            dockerfile=request.dockerfile,
            buildargs=dict(request.arguments),
            nocache=not request.cached,
            rm=True,
            forcerm=True,
        )
        for event in events:
            self._take(event)
        if self.stopped.is_set():
            raise OperationCancelledError
        self._show(self._steps.end())

    def _take(self, event: Mapping[str, object]) -> None:
        if complaint := event.get("error") or event.get("message"):
            self._show(self._steps.end())
            raise self._steps.failure(str(complaint))
        if "status" in event:
            self._show(self._steps.pulling(str(event["status"]), layer=str(event.get("id", ""))))
        if "stream" in event:
            self._show(self._steps.read(str(event["stream"])))

    def _show(self, lines: list[str]) -> None:
        for line in lines:
            self._say(line)

    def _began(self, response: Response, *_: object, **__: object) -> None:
        with self._lock:
            self._response = response
        if self.stopped.is_set():
            self.stop()

    def _close(self) -> None:
        with self._lock:
            if self._response is not None:
                self._response.close()
                self._response = None


def unavailable(error: Exception) -> EngineUnavailableError:
    """Return the error for a Docker that does not answer."""
    return EngineUnavailableError(
        f"Docker does not answer ({error}); what runs is left as it is. Start it, and push again."
    )


def _knock(address: str) -> None:
    """Raise OSError where nobody listens on a unix socket, since the SDK would leave its own one open then, or where
    nobody answers, which the SDK would take as long to find out as a build may take."""
    scheme, _, path = address.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(_PING_LIMIT)
            door.connect(path)
            door.sendall(_PING)
            if not door.recv(len(_PING)):
                raise ConnectionResetError("it ended the connection")


def _build_error(error: Exception) -> PaasError:
    if isinstance(error, APIError):
        return sentence(str(error.explanation or error))
    return unavailable(error)


def _found(document: _Document) -> FoundImage:
    config: _Config = document["Config"] or {}
    exposed = [port.partition("/") for port in config.get("ExposedPorts") or {}]
    return FoundImage(
        id=document["Id"],
        labels=config.get("Labels") or {},
        tags=tuple(document["RepoTags"] or ()),
        command=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        ports=tuple(sorted(int(number) for number, _, protocol in exposed if protocol in ("", "tcp"))),
    )
