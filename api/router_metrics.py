"""What the routers have counted, as Prometheus reads it: the sum over all router processes. It counts nothing itself."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypedDict, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

UNROUTED = ""
"""The app of requests that belong to none: unknown hosts, and what was no request at all."""


class Latency(TypedDict):
    """A histogram: upper bounds in seconds, one count for each and one for what is slower."""

    bounds: list[float]
    counts: list[int]
    sum: float


class BackendCounts(TypedDict):
    """One instance, as a router sees it."""

    name: str
    version: int
    in_flight: int
    requests: int


class AppCounts(TypedDict, total=False):
    """One app, as a router sees it."""

    requests: dict[str, int]
    codes: dict[str, int]
    latency: Latency
    bytes: int
    backends: dict[str, BackendCounts]


class RouterMetrics(Collector):
    """The counters of all routers at one moment; `answers` are those of `Routers.metrics`."""

    def __init__(self, answers: Iterable[Mapping[str, object]]) -> None:
        self._connections = 0
        self._apps: list[tuple[str, AppCounts]] = []
        for answer in answers:
            self._connections += cast(int, answer["connections"])
            self._apps += cast(dict[str, AppCounts], answer["apps"]).items()
            self._apps.append((UNROUTED, cast(AppCounts, answer["unrouted"])))

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "mini_router_connections", "Connections of clients now.", value=self._connections
        )
        yield self._counter(
            "mini_router_requests",
            "Requests by class of their status.",
            "status",
            ((app, counts["requests"]) for app, counts in self._apps),
        )
        yield self._counter(
            "mini_router_errors",
            "Requests that the router ended itself, by error code.",
            "code",
            ((app, counts["codes"]) for app, counts in self._apps),
        )
        yield self._bytes()
        yield self._latencies()
        yield from self._backends()

    def _counter(
        self, name: str, about: str, label: str, counted: Iterable[tuple[str, Mapping[str, int]]]
    ) -> Metric:
        total: Counter[tuple[str, str]] = Counter()
        for app, counts in counted:
            total.update({(app, key): count for key, count in counts.items()})
        family = CounterMetricFamily(name, about, labels=["app", label])
        for labels, count in sorted(total.items()):
            family.add_metric(labels, count)
        return family

    def _bytes(self) -> Metric:
        total: Counter[str] = Counter()
        for app, counts in self._apps:
            total[app] += counts["bytes"]
        family = CounterMetricFamily(
            "mini_router_response_bytes", "Bytes of responses' bodies.", labels=["app"]
        )
        for app, count in sorted(total.items()):
            family.add_metric([app], count)
        return family

    def _latencies(self) -> Metric:
        by_app: dict[str, list[Latency]] = {}
        for app, counts in self._apps:
            by_app.setdefault(app, []).append(counts["latency"])
        family = HistogramMetricFamily(
            "mini_router_request_seconds", "How long requests took, to the end of the answer.", labels=["app"]
        )
        for app, latencies in sorted(by_app.items()):
            family.add_metric(
                [app], buckets=_buckets(latencies), sum_value=sum(each["sum"] for each in latencies)
            )
        return family

    def _backends(self) -> Iterator[Metric]:
        in_flight: Counter[tuple[str, str, str]] = Counter()
        requests: Counter[tuple[str, str, str]] = Counter()
        for app, counts in self._apps:
            for backend in counts.get("backends", {}).values():
                labels = (app, backend["name"], f"v{backend['version']}")
                in_flight[labels] += backend["in_flight"]
                requests[labels] += backend["requests"]
        names = ["app", "instance", "release"]
        now = GaugeMetricFamily("mini_backend_in_flight", "Requests under way on an instance.", labels=names)
        served = CounterMetricFamily("mini_backend_requests", "Requests sent to an instance.", labels=names)
        for family, values in ((now, in_flight), (served, requests)):
            for named, count in sorted(values.items()):
                family.add_metric(list(named), count)
            yield family


def _buckets(latencies: Sequence[Latency]) -> list[tuple[str, float]]:
    bounds = [*map(str, latencies[0]["bounds"]), "+Inf"]
    summed = [sum(column) for column in zip(*(each["counts"] for each in latencies), strict=True)]
    return list(zip(bounds, accumulate(summed), strict=True))
