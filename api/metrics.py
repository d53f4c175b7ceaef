"""What `/metrics` says: counted from what is there at the moment of the scrape, so nothing is kept up meanwhile."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.router_metrics import RouterMetrics
from api.services import Services
from paas import __version__
from paas.threads import in_thread


async def collected(here: Services) -> CollectorRegistry:
    """Return a registry that holds the server's figures of this moment."""
    apps = await in_thread(here.store.apps.list)
    states: Counter[tuple[str, str, str]] = Counter()
    restarts: Counter[tuple[str, str]] = Counter()
    seen = await here.observed(apps)
    for app in apps:
        for view in seen[app.id]:
            states[app.name, view.instance.type, view.state] += 1
            restarts[app.name, view.instance.name] += view.instance.restarts
    registry = CollectorRegistry()
    registry.register(_Snapshot(apps=len(apps), states=states, restarts=restarts))
    registry.register(RouterMetrics(await here.routers.metrics()))
    return registry


class _Snapshot(Collector):
    def __init__(
        self,
        *,
        apps: int,
        states: Counter[tuple[str, str, str]],
        restarts: Counter[tuple[str, str]],
    ) -> None:
        self._apps = apps
        self._states = states
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        version = GaugeMetricFamily("mini_info", "The version of mini.", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        yield GaugeMetricFamily("mini_apps", "Apps there are.", value=self._apps)
        instances = GaugeMetricFamily(
            "mini_instances", "Instances by state.", labels=["app", "type", "state"]
        )
        for labels, count in self._states.items():
            instances.add_metric(list(labels), count)
        yield instances
        restarts = GaugeMetricFamily(
            "mini_instance_restarts", "Restarts of an instance in its release.", labels=["app", "instance"]
        )
        for named, count in self._restarts.items():
            restarts.add_metric(list(named), count)
        yield restarts
