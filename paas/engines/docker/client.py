"""The Docker daemon behind one door: the only importer of Docker's SDK, whose errors become ours here.

Every call runs on a thread of the daemon's own pool and within a limit, so that a silent daemon holds up nothing else.
Where it does not answer, that is `EngineUnavailableError`: nothing is known then, and nothing is dead.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.types import IPAMConfig, IPAMPool
from docker.utils import kwargs_from_env

from paas.engines.docker import hijack, labels, state
from paas.engines.docker.door import Door, unreachable
from paas.engines.docker.hijack import Stream
from paas.engines.docker.spec import Config
from paas.errors import (
    ConflictError,
    DiskFullError,
    EngineUnavailableError,
    NotFoundError,
    PaasError,
    RunFailedError,
)
from paas.threads import in_thread

T = TypeVar("T")

log = logging.getLogger(__name__)

LIMIT = 10.0
"""Longest wait for an answer, in seconds."""
_SLOWER = 3
"""How much more making, starting and removing containers may take, which a busy machine does slowly."""

_PING_LIMIT = 1.0
_THREADS = 8
_CONFLICT, _FORBIDDEN, _SERVER_ERROR = 409, 403, 500
_MEANINGS = (
    ("no space left on device", DiskFullError),
    ("connection refused", EngineUnavailableError),
    ("transport is closing", EngineUnavailableError),
)
"""What stands in a refusal → what it means."""


class Daemon:
    """One Docker daemon: the one that `environ` names by DOCKER_HOST, else this machine's."""

    def __init__(self, environ: Mapping[str, str] = os.environ, *, limit: float = LIMIT) -> None:
        self._environ = dict(environ)
        self._options = kwargs_from_env(self._environ or {"DOCKER_HOST": ""})
        self._limit = limit
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="mini-docker")
        self._connecting = threading.Lock()
        self._api: docker.APIClient | None = None

    async def version(self) -> state.Version:
        """Return what it is."""
        answer = await self._ask(lambda api: api.version())
        return state.Version(str(answer["Version"]), str(answer["ApiVersion"]))

    async def silence(self) -> str | None:
        """Return why it does not answer right now; None where it does."""
        try:
            await in_thread(self._door.ping, _PING_LIMIT)
        except OSError as error:
            return unreachable(self._door, error).message
        return None

    async def image(self, digest: str) -> state.ImageConfig | None:
        """Return an image's own words; None where it is not there."""
        try:
            return state.image_config_of(await self._ask(lambda api: _image(api, digest)))
        except NotFoundError:
            return None

    # -- containers -----------------------------------------------------------------------------------------
    async def create(self, name: str, config: Config) -> str:
        """Make a container and return its id.

        Raises ConflictError where the name is taken, NotFoundError where the image is not there, RunFailedError.
        """
        return await self._order(lambda api: _created(api, name, config))

    async def start(self, container: str) -> None:
        """Start a container; raises NotFoundError where it or its network is gone, RunFailedError where it cannot."""
        await self._order(lambda api: api.start(container))

    async def get(self, container: str) -> state.ContainerState:
        """Return a container, by id or by name; raises NotFoundError where there is none."""
        return state.container_of(await self._ask(lambda api: api.inspect_container(container)))

    async def find(self, container: str) -> state.ContainerState | None:
        """Return a container, by id or by name; None where there is none."""
        try:
            return await self.get(container)
        except NotFoundError:
            return None

    async def containers(self, home_id: str) -> list[str]:
        """Return the ids of all containers of a home, running or not."""
        chosen = {"label": f"{labels.HOME}={home_id}"}
        listed = await self._ask(lambda api: api.containers(all=True, filters=chosen))
        return [str(each["Id"]) for each in listed]

    async def signal(self, container: str, number: int) -> None:
        """Send a signal to a container; nothing where it does not run."""
        await self._if_there(lambda api: api.kill(container, number), limit=self._limit)

    async def resize(self, container: str, *, rows: int, columns: int) -> None:
        """Set the size of a container's terminal; nothing where it does not run."""
        await self._if_there(lambda api: api.resize(container, height=rows, width=columns), limit=self._limit)

    async def remove(self, container: str) -> None:
        """Kill a container if it runs, and remove it with its volumes; nothing where it is gone already."""
        await self._if_there(lambda api: api.remove_container(container, v=True, force=True))

    async def log(self, container: str, *, tail: int) -> bytes:
        """Return the last `tail` entries of a container's log, as frames that begin with their time.

        Raises NotFoundError where the container is gone.
        """
        wanted = {"stdout": 1, "stderr": 1, "timestamps": 1, "tail": tail}
        return await self._ask(lambda api: _log_of(api, container, wanted))

    async def attach(self, container: str, *, stdin: bool = False) -> Stream:
        """Return the container's output from now on, and its input where asked; raises NotFoundError."""
        api = await self._in_thread(self._connected, self._limit)
        path = f"/v{api.api_version}/containers/{container}/attach"
        return await hijack.attach(self._door, path, stdin=stdin, within=self._limit)

    # -- networks -------------------------------------------------------------------------------------------
    async def networks(self) -> list[state.Network]:
        """Return all networks of the daemon, of every home and of nobody."""
        return [state.network_of(each) for each in await self._ask(lambda api: api.networks())]

    async def network(self, name: str) -> state.Network | None:
        """Return one network; None where there is none of that name."""
        try:
            return state.network_of(await self._ask(lambda api: api.inspect_network(name)))
        except NotFoundError:
            return None

    async def create_network(self, name: str, *, subnet: str, gateway: str, marks: Mapping[str, str]) -> None:
        """Make a bridge network; raises ConflictError or RunFailedError where its name or its subnet is taken."""
        addresses = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=gateway)])
        await self._order(
            lambda api: api.create_network(
                name, driver="bridge", ipam=addresses, labels=dict(marks), check_duplicate=True
            )
        )

    async def remove_network(self, name: str) -> bool:
        """Remove a network that nothing uses; return whether it is gone."""
        await self._if_there(lambda api: api.remove_network(name))
        return await self.network(name) is None

    def close(self) -> None:
        """Let go of the daemon; calls under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._api:
            self._api.close()

    # -- asking ---------------------------------------------------------------------------------------------
    @property
    def _door(self) -> Door:
        return Door.named_by(self._environ)

    async def _ask(self, call: Callable[[docker.APIClient], T]) -> T:
        """Return an answer that the daemon owes; one that it refuses is as good as none."""
        try:
            return await self._in_thread(lambda: call(self._connected()), self._limit)
        except RunFailedError as error:
            raise EngineUnavailableError(error.message) from error

    async def _order(self, call: Callable[[docker.APIClient], T], *, limit: float | None = None) -> T:
        """Have something done that may be refused: RunFailedError."""
        return await self._in_thread(lambda: call(self._connected()), limit or self._limit * _SLOWER)

    async def _if_there(
        self, call: Callable[[docker.APIClient], object], *, limit: float | None = None
    ) -> None:
        """Have something done to what may be gone, or may be about to go."""
        try:
            await self._order(call, limit=limit)
        except (NotFoundError, ConflictError, RunFailedError) as error:
            log.debug("nothing to do", extra={"reason": error.message})

    async def _in_thread(self, call: Callable[[], T], limit: float) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limit):
                return await loop.run_in_executor(self._pool, _translated, call)
        except (TimeoutError, requests.RequestException, DockerException, OSError) as error:
            raise unreachable(self._door, error) from error

    def _connected(self) -> docker.APIClient:
        with self._connecting:
            if self._api is None:
                self._door.ping(self._limit)
                self._api = docker.APIClient(
                    version="auto", timeout=int(LIMIT * _SLOWER), max_pool_size=_THREADS, **self._options
                )
            return self._api


def _translated(call: Callable[[], T]) -> T:
    try:
        return call()
    except NotFound as error:
        raise NotFoundError(_words(error)) from error
    except APIError as error:
        raise _refusal(error) from error


def _refusal(error: APIError) -> PaasError:
    words = _words(error)
    if error.status_code in (_CONFLICT, _FORBIDDEN) and "space" not in words:
        return ConflictError(words)
    for sign, meaning in _MEANINGS:
        if sign in words:
            return meaning(f"The Docker daemon says: {words}")
    return RunFailedError(f"The Docker daemon says: {words}")


def _words(error: APIError) -> str:
    return str(error.explanation or error)


def _image(api: docker.APIClient, digest: str) -> state.ImageJson:
    answer: state.ImageJson = api.inspect_image(digest)  # type: ignore[no-untyped-call]  # the stubs leave it untyped
    return answer


def _created(api: docker.APIClient, name: str, config: Config) -> str:
    answer = api.create_container_from_config(dict(config), name=name)  # type: ignore[no-untyped-call]  # the stubs leave it untyped
    return str(answer["Id"])


def _log_of(api: docker.APIClient, container: str, wanted: Mapping[str, int]) -> bytes:
    """Ask without the SDK's own `logs`, which takes the frames apart and forgets which stream they were of."""
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/logs"
    answer = api.get(url, params=dict(wanted), timeout=LIMIT)
    if answer.status_code == requests.codes.not_found:
        raise NotFoundError(f"Container {container} is gone.")
    if not answer.ok:
        raise EngineUnavailableError(f"The Docker daemon does not give a log: {answer.text.strip()}")
    return answer.content
