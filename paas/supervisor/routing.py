"""The routing table that follows from desired and observed state, and its publication. Only healthy web instances are
in it: of the release that serves, and under a host of its own, of the one that is being deployed."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from paas.clock import Clock
from paas.domain.ids import InstanceId, ReleaseId
from paas.domain.instance import Instance, InstanceState
from paas.domain.names import WEB
from paas.domain.route import Backend, RoutedApp, RoutingTable, pinned_host
from paas.errors import PaasError
from paas.supervisor.desired import Desired, DesiredApp
from paas.supervisor.ports import Routing
from paas.supervisor.wake import until

log = logging.getLogger(__name__)

_ACKNOWLEDGED_WITHIN = 10.0
_RETRY = 1.0


def routed_apps(
    desired: Desired, instances: Iterable[Instance], *, ticket: Callable[[InstanceId], str]
) -> tuple[RoutedApp, ...]:
    """Return each living app with its hosts and the backends that may get a request now.

    A release that is being deployed comes after its app, with the host that reaches it alone.
    """
    web = sorted((each for each in instances if _is_routable(each)), key=lambda each: (each.index, each.id))
    backends: dict[ReleaseId, list[Backend]] = {}
    for each in web:
        backends.setdefault(each.release, []).append(
            Backend(each.id, each.name, each.version, each.address or "", ticket(each.id))
        )
    apps = sorted(desired.apps.values(), key=lambda each: each.app.name)
    return tuple(entry for each in apps for entry in _entries(each, backends))


def _is_routable(instance: Instance) -> bool:
    healthy = instance.state is InstanceState.UP and instance.address is not None
    return healthy and instance.type == WEB and not instance.one_off


def _entries(app: DesiredApp, backends: Mapping[ReleaseId, list[Backend]]) -> Iterable[RoutedApp]:
    serving, candidate = app.serving, app.candidate
    own = tuple(backends.get(serving.id, ())) if serving else ()
    pinned = (pinned_host(app.app.name, serving.version),) if serving and own else ()
    entry = RoutedApp(
        app=app.app.id,
        name=app.app.name,
        hosts=(*app.hosts, *pinned),
        backends=own,
        maintenance=app.rule.maintenance,
        sticky=app.rule.sticky,
        certificates=app.certificates,
    )
    yield entry
    if candidate and candidate.id in backends:
        yield replace(
            entry,
            hosts=(pinned_host(app.app.name, candidate.version),),
            backends=tuple(backends[candidate.id]),
            certificates=(),
            pinned=candidate.version,
        )


class Publisher:
    """Owns the table: gives each change a higher version and hands it to the routers until they acknowledge it."""

    def __init__(self, routing: Routing, *, clock: Clock, acknowledged: Callable[[], None]) -> None:
        self._routing, self._clock = routing, clock
        self._tell = acknowledged
        self._changed = asyncio.Event()
        self._offered = False
        self._acknowledged: RoutingTable | None = None
        self._news = asyncio.Event()
        self.table = RoutingTable(0)
        """The newest table; the routers may not have it yet."""

    def begin_after(self, version: int) -> None:
        """Number tables from above `version`, the last one that an earlier control plane published."""
        self.table = RoutingTable(version)

    def offer(self, apps: tuple[RoutedApp, ...]) -> None:
        """Publish `apps`, unless that is what the newest table says already."""
        if self._offered and apps == self.table.apps:
            return
        self._offered = True
        self.table = RoutingTable(self.table.version + 1, apps)
        self._changed.set()

    @property
    def is_acknowledged(self) -> bool:
        """Whether every living router works from the newest table."""
        return self._acknowledged is self.table

    async def acknowledged(self, within: float) -> bool:
        """Return whether every living router works from the newest table: as soon as it does, or after `within` seconds."""
        deadline = self._clock.monotonic() + within
        while not self.is_acknowledged:
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            await until(self._news, left, clock=self._clock)
        return True

    def has_left(self, instance: InstanceId) -> bool:
        """Return whether the routers are known to send `instance` no new request."""
        table = self._acknowledged
        return table is not None and all(
            backend.instance != instance for app in table.apps for backend in app.backends
        )

    async def run(self) -> None:
        """Publish whenever there is a change, and again after a failure, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            table = self.table
            if await self._is_taken(table):
                self._acknowledge(table)
            else:
                self._changed.set()
                await self._clock.sleep(_RETRY)

    async def _is_taken(self, table: RoutingTable) -> bool:
        """Return whether every living router has taken `table`; what stood against it is logged."""
        about = {"version": table.version}
        try:
            async with asyncio.timeout(_ACKNOWLEDGED_WITHIN):
                await self._routing.publish(table)
        except (PaasError, OSError) as error:  # TimeoutError is one of them
            log.warning("routers did not take the table", extra=about | {"error": str(error)})
        except Exception:  # the boundary: routes must not stand still for good
            log.exception("routers did not take the table by a mistake of mini", extra=about)
        else:
            return True
        return False

    def _acknowledge(self, table: RoutingTable) -> None:
        self._acknowledged = table
        self._news.set()
        self._news = asyncio.Event()
        self._tell()
