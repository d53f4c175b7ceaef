"""The routers' counters in Prometheus' own text."""

from prometheus_client import CollectorRegistry, generate_latest

from api.router_metrics import RouterMetrics
from paas.router.metrics import Metrics


def router(*, status: int, code: str = "", seconds: float, in_flight: int = 0) -> dict[str, object]:
    """Return the metrics of a router that has served one request."""
    metrics = Metrics()
    metrics.record(status=status, code=code, seconds=seconds, size=100)
    backend = {**metrics.counts(), "name": "web.1", "version": 3, "in_flight": in_flight}
    return {
        "version": 7,
        "connections": 2,
        "apps": {"shop": {**metrics.counts(), "backends": [backend]}},
        "unrouted": Metrics().counts(),
    }


def text(*answers: dict[str, object]) -> list[str]:
    registry = CollectorRegistry()
    registry.register(RouterMetrics(dict(enumerate(answers))))
    return generate_latest(registry).decode().splitlines()


def test_each_router_has_series_of_its_own() -> None:
    lines = text(
        router(status=200, seconds=0.003, in_flight=1), router(status=200, seconds=0.02, in_flight=2)
    )
    for line in (
        'mini_router_connections{router="0"} 2.0',
        'mini_router_connections{router="1"} 2.0',
        'mini_router_requests_total{app="shop",router="1",status="2xx"} 1.0',
        'mini_router_response_bytes_total{app="shop",router="0"} 100.0',
        'mini_router_request_seconds_bucket{app="shop",le="0.005",router="0"} 1.0',
        'mini_router_request_seconds_bucket{app="shop",le="0.005",router="1"} 0.0',
        'mini_router_request_seconds_bucket{app="shop",le="+Inf",router="1"} 1.0',
        'mini_router_request_seconds_count{app="shop",router="0"} 1.0',
        'mini_router_request_seconds_sum{app="shop",router="1"} 0.02',
        'mini_router_in_flight{app="shop",router="1"} 2.0',
        'mini_backend_in_flight{app="shop",instance="web.1",release="v3",router="0"} 1.0',
        'mini_backend_requests_total{app="shop",instance="web.1",release="v3",router="0",status="2xx"} 1.0',
        'mini_backend_response_bytes_total{app="shop",instance="web.1",release="v3",router="0"} 100.0',
        'mini_backend_request_seconds_bucket{app="shop",instance="web.1",le="0.005",release="v3",router="0"} 1.0',
        'mini_backend_request_seconds_count{app="shop",instance="web.1",release="v3",router="1"} 1.0',
    ):
        assert line in lines


def test_requests_are_told_apart_by_class_of_status_and_by_error_code() -> None:
    lines = text(router(status=200, seconds=0.1), router(status=503, code="H12", seconds=31.0))
    assert 'mini_router_requests_total{app="shop",router="0",status="2xx"} 1.0' in lines
    assert 'mini_router_requests_total{app="shop",router="1",status="5xx"} 1.0' in lines
    assert 'mini_router_errors_total{app="shop",code="H12",router="1"} 1.0' in lines
    assert (
        'mini_backend_requests_total{app="shop",instance="web.1",release="v3",router="1",status="5xx"} 1.0'
        in lines
    )
    assert (
        'mini_backend_errors_total{app="shop",code="H12",instance="web.1",release="v3",router="1"} 1.0'
        in lines
    )


def test_without_routers_there_is_nothing_to_count() -> None:
    assert not [line for line in text() if not line.startswith("#")]
