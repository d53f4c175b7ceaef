"""What the routers have counted, as Prometheus reads it. It counts nothing itself.

Each router process has series of its own: of a sum, nobody could tell that one of them begins anew when it restarts.
"""

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


class Counts(TypedDict):
    """What a router has counted of some requests."""

    requests: dict[str, int]
    codes: dict[str, int]
    latency: Latency
    bytes: int


class BackendCounts(Counts):
    """One instance, as a router sees it."""

    name: str
    version: int
    in_flight: int


class AppCounts(Counts, total=False):
    """One app, as a router sees it: its backends are counted in it. What is unrouted has none."""

    backends: list[BackendCounts]


Labels = tuple[str, ...]

_ROUTER = ("router",)
_APP = (*_ROUTER, "app")
_INSTANCE = (*_APP, "instance", "release")


class RouterMetrics(Collector):
    """The counters of all routers at one moment; `answers` are those of `Routers.metrics`."""

    def __init__(self, answers: Mapping[int, Mapping[str, object]]) -> None:
        self._connections: list[tuple[Labels, int]] = []
        self._apps: list[tuple[Labels, Counts]] = []
        self._backends: list[tuple[Labels, BackendCounts]] = []
        for slot, answer in answers.items():
            router = str(slot)
            self._connections.append(((router,), cast(int, answer["connections"])))
            for app, counts in cast(dict[str, AppCounts], answer["apps"]).items():
                self._apps.append(((router, app), counts))
                self._backends += [
                    ((router, app, each["name"], f"v{each['version']}"), each) for each in counts["backends"]
                ]
            self._apps.append(((router, UNROUTED), cast(AppCounts, answer["unrouted"])))

    def collect(self) -> Iterator[Metric]:
        yield _gauge("mini_router_connections", "Connections of clients now.", _ROUTER, self._connections)
        yield from _families("mini_router", "", _APP, self._apps)
        yield from _families("mini_backend", " of an instance", _INSTANCE, self._backends)
        in_flight = [(labels, counts["in_flight"]) for labels, counts in self._backends]
        yield _gauge(
            "mini_router_in_flight", "Requests under way.", _APP, ((labels[:2], n) for labels, n in in_flight)
        )
        yield _gauge("mini_backend_in_flight", "Requests under way on an instance.", _INSTANCE, in_flight)


def _families(
    name: str, whose: str, labels: Labels, counted: Sequence[tuple[Labels, Counts]]
) -> Iterator[Metric]:
    """Yield what is counted of apps and of instances alike."""
    yield _counter(
        f"{name}_requests",
        f"Requests{whose} by class of their status.",
        (*labels, "status"),
        (((*key, status), n) for key, counts in counted for status, n in counts["requests"].items()),
    )
    yield _counter(
        f"{name}_errors",
        f"Requests{whose} that the router ended itself, by error code.",
        (*labels, "code"),
        (((*key, code), n) for key, counts in counted for code, n in counts["codes"].items()),
    )
    yield _counter(
        f"{name}_response_bytes",
        f"Bytes of responses' bodies{whose}.",
        labels,
        ((key, counts["bytes"]) for key, counts in counted),
    )
    yield _histogram(
        f"{name}_request_seconds",
        f"How long requests{whose} took, to the end of the answer.",
        labels,
        ((key, counts["latency"]) for key, counts in counted),
    )


def _gauge(name: str, about: str, labels: Labels, counted: Iterable[tuple[Labels, int]]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=labels)
    for key, count in _sums(counted):
        family.add_metric(key, count)
    return family


def _counter(name: str, about: str, labels: Labels, counted: Iterable[tuple[Labels, int]]) -> Metric:
    family = CounterMetricFamily(name, about, labels=labels)
    for key, count in _sums(counted):
        family.add_metric(key, count)
    return family


def _histogram(name: str, about: str, labels: Labels, counted: Iterable[tuple[Labels, Latency]]) -> Metric:
    by_key: dict[Labels, list[Latency]] = {}
    for key, latency in counted:
        by_key.setdefault(key, []).append(latency)
    family = HistogramMetricFamily(name, about, labels=labels)
    for key, latencies in sorted(by_key.items()):
        family.add_metric(key, buckets=_buckets(latencies), sum_value=sum(each["sum"] for each in latencies))
    return family


def _sums(counted: Iterable[tuple[Labels, int]]) -> list[tuple[Labels, int]]:
    total: Counter[Labels] = Counter()
    for key, count in counted:
        total[key] += count
    return sorted(total.items())


def _buckets(latencies: Sequence[Latency]) -> list[tuple[str, float]]:
    bounds = [*map(str, latencies[0]["bounds"]), "+Inf"]
    summed = [sum(column) for column in zip(*(each["counts"] for each in latencies), strict=True)]
    return list(zip(bounds, accumulate(summed), strict=True))
