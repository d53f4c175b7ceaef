"""One bridge network for each app, made when it is first needed and removed with the app's last instance."""

import asyncio
import socket
from collections import defaultdict
from itertools import islice
from pathlib import Path

from paas.domain.ids import AppId
from paas.domain.instance import InstanceSpec
from paas.engines.docker import labels, spec, subnets
from paas.engines.docker.client import Daemon
from paas.engines.docker.spec import Place
from paas.errors import ConflictError, EngineUnavailableError, RunFailedError
from paas.threads import in_thread

_ROUTES = Path("/proc/net/route")
_TRIES = 8


class Networks:
    """The networks of a home's apps. Whoever uses one says so with `join` and `leave`."""

    def __init__(self, daemon: Daemon, *, home_id: str) -> None:
        self._daemon = daemon
        self._home_id = home_id
        self._places: dict[AppId, Place] = {}
        self._users: dict[AppId, set[str]] = defaultdict(set)
        self._locks: dict[AppId, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def join(self, user: InstanceSpec) -> Place:
        """Return the place in the app's network for an instance, which uses it from now on."""
        async with self._locks[user.app]:
            self._users[user.app].add(user.id)
            if user.app not in self._places:
                self._places[user.app] = await self._place(user)
            return self._places[user.app]

    def adopt(self, app: AppId, user: str) -> None:
        """Count an instance that runs already."""
        self._users[app].add(user)

    def lost(self, app: AppId) -> None:
        """Look again at the next `join`: the network was removed behind our back."""
        self._places.pop(app, None)

    async def leave(self, app: AppId, user: str) -> None:
        """Say that an instance is gone; with the last one goes the network."""
        async with self._locks[app]:
            self._users[app].discard(user)
            if self._users[app]:
                return
            self._places.pop(app, None)
            await self._daemon.remove_network(spec.network_name(app))
        if not self._users[app] and not self._locks[app].locked():
            del self._users[app], self._locks[app]

    async def sweep(self) -> None:
        """Remove what earlier control planes left and no instance is in."""
        for network in await self._daemon.networks():
            if network.labels.get(labels.HOME) == self._home_id and not self._users.get(
                labels.app_of(network.labels)
            ):
                await self._daemon.remove_network(network.name)

    async def _place(self, user: InstanceSpec) -> Place:
        name = spec.network_name(user.app)
        network = await self._daemon.network(name)
        if network is None:
            await self._make(name, user.app)
            network = await self._daemon.network(name)
        if network is None:
            raise EngineUnavailableError(f"The network {name} was removed while it was made.")
        return Place(name, published=not is_here(network.gateway))

    async def _make(self, name: str, app: AppId) -> None:
        taken = [subnet for each in await self._daemon.networks() for subnet in each.subnets]
        taken += subnets.routed(await in_thread(_ROUTES.read_text))
        for subnet in islice(subnets.candidates(app, taken), _TRIES):
            try:
                marks = labels.of_network(app, home_id=self._home_id)
                return await self._daemon.create_network(
                    name, subnet=subnet, gateway=subnets.gateway_of(subnet), marks=marks
                )
            except (ConflictError, RunFailedError) as error:
                if await self._daemon.network(name):  # somebody else was as fast
                    return None
                reason = error
        raise EngineUnavailableError(f"No network could be made for {name}: {reason.message}")


def is_here(gateway: str) -> bool:
    """Return whether a network's own address is this machine's: then its containers are reached by theirs."""
    if not gateway:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((gateway, 0))
        except OSError:
            return False
    return True
