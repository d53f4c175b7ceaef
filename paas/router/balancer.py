"""Which backend gets a request: of two taken at random, the one with less under way. It knows the routing table and
what became of earlier ones; it never opens a connection.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from random import random

from paas.domain.ids import AppId, InstanceId
from paas.domain.route import RoutedApp, RoutingTable
from paas.router.backend import LiveBackend
from paas.router.limits import Limits
from paas.router.loop import RouterLoop
from paas.router.metrics import Counts, Metrics
from paas.router.table import bare_host, find_host

Key = tuple[AppId, int | None]
"""An entry of the table: an app, and the version that it is pinned to."""


_FOUND_LIMIT = 4096


class LiveApp:
    """An entry of the table, with its backends. It outlives changes of the table."""

    def __init__(self, routed: RoutedApp, *, metrics: Metrics) -> None:
        self.id = routed.app
        self.routed = routed
        self.open = _is_open(routed)
        """Whether its requests go straight to any backend."""
        self.backends: list[LiveBackend] = []
        self.metrics = metrics
        """Counts what no backend counts."""
        self.had_backend_at: float | None = None
        self.changed = asyncio.Event()
        """Set by the next table; whoever waits for it takes it afresh each time."""

    def choose(self, *, without: Collection[LiveBackend] = ()) -> LiveBackend | None:
        """Return the backend for one request, none of `without` and none set aside; None where none is left."""
        backends = self.backends
        if len(backends) == 1 and not without:
            return None if backends[0].is_aside else backends[0]
        one, other = _two_of(backends)
        if without or one is None or one.is_aside or other is None or other.is_aside:
            one, other = _two_of(
                [backend for backend in self.backends if backend not in without and not backend.is_aside]
            )
        if one is None or other is None:
            return None
        return one if len(one.riders) <= len(other.riders) else other

    def find(self, ticket: str, *, without: Collection[LiveBackend] = ()) -> LiveBackend | None:
        """Return the backend that `ticket` stands for, where it may get a request; None otherwise."""
        for backend in self.backends:
            if backend.backend.ticket == ticket and backend not in without and not backend.is_aside:
                return backend
        return None


class Balancer:
    """The routing table at work."""

    def __init__(self, *, limits: Limits, loop: RouterLoop) -> None:
        self._limits = limits
        self._loop = loop
        self._apps: dict[Key, LiveApp] = {}
        self._metrics: dict[AppId, Metrics] = {}
        """What reached no backend, and what was counted by those that have gone."""
        self._hosts: dict[str, LiveApp] = {}
        self._found: dict[bytes, LiveApp] = {}
        """Who was found for a Host field's value, as it was written."""
        self._live: dict[InstanceId, LiveBackend] = {}
        self._draining: list[LiveBackend] = []
        self.version = -1

    def apply(self, table: RoutingTable) -> int:
        """Work from `table` from now on, unless a newer one is known; return the version worked from.

        A backend that is not in it any more gets no new request and finishes what it has.
        """
        if table.version < self.version:
            return self.version
        self.version = table.version
        before, apps = self._live, self._apps
        self._live = {}
        self._metrics = {routed.app: self._metrics.get(routed.app) or Metrics() for routed in table.apps}
        self._apps = {_key(routed): self._app(routed, before) for routed in table.apps}
        self._found.clear()
        self._hosts = {host: app for app in self._apps.values() for host in app.routed.hosts}
        for app in apps.keys() - self._apps.keys():
            apps[app].backends = []
            apps[app].changed.set()
        for backend in before.values():
            backend.drain()
        self._draining += before.values()
        self._forget_drained()
        return self.version

    def find(self, host: bytes) -> LiveApp | None:
        """Return the app that a Host field's value names."""
        return self._found.get(host) or self._look_up(host)

    def _look_up(self, host: bytes) -> LiveApp | None:
        app = find_host(self._hosts, bare_host(host.decode("ascii")))
        if app is not None:
            if len(self._found) >= _FOUND_LIMIT:
                self._found.clear()
            self._found[host] = app
        return app

    def current(self, app: LiveApp) -> LiveApp | None:
        """Return the app as the table has it now; None once it is gone."""
        return self._apps.get(_key(app.routed))

    def may_return(self, app: LiveApp) -> bool:
        """Return whether a backend was there just now, so that the next one is likely on its way."""
        return app.had_backend_at is not None and self._loop.time() - app.had_backend_at < self._limits.recent

    def in_flight(self) -> Mapping[InstanceId, int]:
        """Return what is under way per backend, draining ones included."""
        self._forget_drained()
        counts = {instance: len(backend.riders) for instance, backend in self._live.items()}
        for backend in self._draining:
            instance = backend.backend.instance
            counts[instance] = counts.get(instance, 0) + len(backend.riders)
        return counts

    def cut(self, instances: Collection[InstanceId]) -> None:
        """End everything that is under way on these backends."""
        for backend in self._backends():
            if backend.backend.instance in instances:
                for rider in tuple(backend.riders):
                    rider.cut()

    def counts(self) -> Counts:
        """Return the metrics of every app in the table, with those of its backends, draining ones included."""
        self._forget_drained()
        backends: dict[AppId, list[LiveBackend]] = {app.id: [] for app in self._apps.values()}
        for backend in self._backends():
            backends.setdefault(backend.app, []).append(backend)
        return {
            str(app.routed.name): _counts(self._metrics[app.id], backends[app.id])
            for app in self._apps.values()
        }

    def close(self) -> None:
        """Close every connection that nobody is on."""
        for backend in self._backends():
            backend.drain()

    def _backends(self) -> Iterable[LiveBackend]:
        return (*self._live.values(), *self._draining)

    def _forget_drained(self) -> None:
        """Forget the backends that have nothing under way any more; what they have counted stays with their apps."""
        for backend in self._draining:
            if not backend.riders and (metrics := self._metrics.get(backend.app)):
                metrics.add(backend.metrics)
        self._draining = [backend for backend in self._draining if backend.riders]

    def _app(self, routed: RoutedApp, before: dict[InstanceId, LiveBackend]) -> LiveApp:
        app = self._apps.get(_key(routed)) or LiveApp(routed, metrics=self._metrics[routed.app])
        if app.backends:
            app.had_backend_at = self._loop.time()
        app.changed.set()
        app.changed = asyncio.Event()
        app.routed = routed
        app.open = _is_open(routed)
        app.backends = []
        for backend in routed.backends:
            known = before.get(backend.instance)
            if known is not None and known.backend == backend:
                del before[backend.instance]
            else:
                known = LiveBackend(backend, app=routed.app, limits=self._limits, loop=self._loop)
            self._live[backend.instance] = known
            app.backends.append(known)
        return app


def _two_of(backends: list[LiveBackend]) -> tuple[LiveBackend, LiveBackend] | tuple[None, None]:
    """Return two of them taken at random; the same one twice where it is alone."""
    count = len(backends)
    if count <= 1:
        return (backends[0], backends[0]) if backends else (None, None)
    first = int(random() * count)  # noqa: S311 - spreads load, keeps no secret
    second = (first + 1 + int(random() * (count - 1))) % count  # noqa: S311 - the same
    return backends[first], backends[second]


def _is_open(routed: RoutedApp) -> bool:
    return not (routed.maintenance or routed.sticky)


def _key(routed: RoutedApp) -> Key:
    return routed.app, routed.pinned


def _counts(rest: Metrics, backends: Collection[LiveBackend]) -> Counts:
    total = Metrics()
    for metrics in (rest, *(backend.metrics for backend in backends)):
        total.add(metrics)
    return {**total.counts(), "backends": [_counts_of(backend) for backend in backends]}


def _counts_of(backend: LiveBackend) -> Counts:
    return {
        **backend.metrics.counts(),
        "name": backend.name,
        "version": backend.backend.version,
        "in_flight": len(backend.riders),
    }
