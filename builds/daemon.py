"""The adapter of Docker for builds: it alone imports the SDK here, and translates its errors. It decides nothing.

Everything blocks: call it on threads.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict, cast

from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import kwargs_from_env, version_gte
from requests import RequestException, Response
from urllib3.exceptions import HTTPError

from builds.line import Line, LineAdapter
from builds.session import no_buildkit
from builds.steps import not_pulled, sentence
from paas.engines.docker.door import Door, unreachable
from paas.errors import EngineUnavailableError, PaasError

_ASK_LIMIT = 30
"""Seconds that Docker may take to answer a question; a build has its own limit."""
_REMOVE_LIMIT = 100
"""Seconds that Docker may take to remove an image or a part of the build cache: gigabytes take it a minute or more. The
server's end waits for it, and `mini server stop` for that, 120 s."""
_PING_LIMIT = 5
"""Seconds that Docker may take to show that it is there, before anything is asked of it."""
_PULL_LIMIT = 120
"""Seconds of silence after which a registry is taken for lost."""
_NEGOTIATE = "auto"
_DF_BY_TYPE = "1.42"
"""The first API that measures one type of what takes room alone."""
_BUILDKIT = "2"
"""Docker's number for this builder; the classic one is 1."""
_BLOCK = 64 * 1024
_NO_BUILDKIT = re.compile(r"invalid version|buildkit|experimental", re.IGNORECASE)
_NOT_FOUND = 404
_IN_USE = 409


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image to build: `tag` and `labels` it gets, the Dockerfile may declare `arguments`."""

    tag: str
    labels: Mapping[str, str]
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


@dataclass(frozen=True, slots=True)
class MadeImage:
    """An image as it is listed."""

    id: str
    tags: tuple[str, ...]
    made_at: datetime


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

    def made(self, label: str) -> list[MadeImage]:
        """Return each image with a label. Whatever is built FROM such an image has the label too."""
        with self._asking() as client:
            # The SDK's types leave this method out.
            images = cast("Callable[..., list[_Listed]]", client.images)
            listed = images(filters={"label": label})
        return [
            MadeImage(each["Id"], tuple(each["RepoTags"] or ()), datetime.fromtimestamp(each["Created"], UTC))
            for each in listed
        ]

    def remove(self, name: str, *, limit: float = _REMOVE_LIMIT) -> bool:
        """Remove a tag, and its image where that was the last one; return whether it did, since one that a container
        still uses stays. Docker may take `limit` seconds for it."""
        with self._asking(limit) as client:
            try:
                client.remove_image(name)
            except APIError as error:
                if error.status_code not in (_NOT_FOUND, _IN_USE):
                    raise
                return False
        return True

    def pull(self, image: str, *, line: Line) -> Iterator[tuple[str, str]]:
        """Fetch an image with the user's own credentials for its registry, and yield what there is to be said: a
        status, and the layer that it is about, if it is about one. Raises BuildFailedError where it does not come,
        DiskFullError where it does not fit."""
        with self.client(_PULL_LIMIT, line) as client:
            try:
                for event in client.pull(image, stream=True, decode=True):
                    if error := event.get("error"):
                        raise not_pulled(image, str(error))
                    yield str(event.get("status", "")), str(event.get("id", ""))
            except APIError as error:
                raise not_pulled(image, str(error.explanation or error)) from error
            except (DockerException, RequestException, HTTPError) as error:
                raise self._unavailable(error) from error

    def cancel(self, build: str) -> None:
        """End a build under way, by the name that it was given; nothing where there is none."""
        with self._asking() as client:
            client.post(_url(client, "build/cancel"), params={"id": build}, timeout=_ASK_LIMIT).close()

    def trim(self, keep: int) -> int:
        """Remove what of the build cache was used longest ago until `keep` bytes are left, and return how many bytes
        that freed. What images share with it is neither counted nor removed."""
        with self._asking(_REMOVE_LIMIT) as client:
            address, wanted = _url(client, "build/prune"), {"keep-storage": keep}
            answer = client.post(address, params=wanted, timeout=_REMOVE_LIMIT)
            answer.raise_for_status()
            return int(answer.json().get("SpaceReclaimed") or 0)

    def cached(self) -> int:
        """Return how many bytes of build cache there are that no image shares."""
        with self._asking() as client:
            # Without a type it measures every image, container and volume too.
            wanted = {"type": "build-cache"} if version_gte(client.api_version, _DF_BY_TYPE) else {}
            answer = client.get(_url(client, "system/df"), params=wanted, timeout=_ASK_LIMIT)
            answer.raise_for_status()
            records = answer.json().get("BuildCache") or []
            return sum(each["Size"] for each in records if not each["Shared"])

    @contextmanager
    def solving(self, request: ImageRequest, *, session: str, line: Line) -> Iterator["Solving"]:
        """Have an image built from a session's folders, and yield what is told of it.

        Raises BuildFailedError, DiskFullError, EngineUnavailableError.
        """
        with self.client(request.limit, line) as client:
            try:
                answer = client.post(
                    _url(client, "build"),
                    params=_parameters(request, session),
                    stream=True,
                    timeout=request.limit,
                )
                with answer:
                    if not answer.ok:
                        raise _refused(answer)
                    yield Solving(answer)
            except (DockerException, RequestException, HTTPError, OSError) as error:
                raise self._unavailable(error) from error

    @property
    def door(self) -> Door:
        """Where it listens."""
        return Door.named_by(self._environ)

    def knock(self) -> None:
        """Raise EngineUnavailableError where it does not answer."""
        with self.reached():
            self.door.ping(_PING_LIMIT)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Translate the errors of a connection of one's own."""
        try:
            yield
        except OSError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> EngineUnavailableError:
        return unreachable(self.door, error, then="push again")

    @contextmanager
    def client(self, limit: float, line: Line | None = None) -> Iterator[APIClient]:
        """Yield a connection on which Docker may be silent for `limit` seconds, and which is one of `line`."""
        address = kwargs_from_env(environment=self._environ)
        self.knock()
        try:
            client = APIClient(version=self._version, timeout=_ASK_LIMIT, **address)
        except (DockerException, RequestException, OSError) as error:
            raise self._unavailable(error) from error
        with client:
            self._version = str(client.api_version)
            client.timeout = int(limit)
            if line is not None:
                client.get_adapter(client.base_url).close()  # only the version was asked by it
                client.mount(client.base_url, LineAdapter(line, self.door))
            try:
                yield client
            except BaseException:
                self._version = _NEGOTIATE  # another daemon may be there by now
                raise

    @contextmanager
    def _asking(self, limit: float = _ASK_LIMIT) -> Iterator[APIClient]:
        with self.client(limit) as client:
            try:
                yield client
            except (DockerException, RequestException) as error:
                raise self._unavailable(error) from error


class Solving:
    """A build under way, as the daemon tells of it."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    def events(self) -> Iterator[Mapping[str, object]]:
        """Yield what is told, to the end."""
        for line in self._answer.iter_lines(_BLOCK):
            if line:
                yield json.loads(line)


def _parameters(request: ImageRequest, session: str) -> dict[str, str]:
    return {
        "version": _BUILDKIT,
        "remote": "client-session",
        "session": session,
        "buildid": session,
        "t": request.tag,
        "buildargs": json.dumps(dict(request.arguments)),
        "labels": json.dumps(dict(request.labels)),
        **({} if request.cached else {"nocache": "1"}),
    }


def _url(client: APIClient, path: str) -> str:
    """Return the address of what the SDK has no method for, or not all of it."""
    return f"{client.base_url}/v{client.api_version}/{path}"


def _refused(answer: Response) -> PaasError:
    try:
        said = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        said = answer.text
    return no_buildkit(said) if _NO_BUILDKIT.search(said) else sentence(said)


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
