"""What is counted per app: requests by class of status, error codes, bytes, and how long they took. Only counted."""

from bisect import bisect_left
from dataclasses import dataclass, field

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram in seconds; one more bucket takes what is slower."""

Counts = dict[str, object]


@dataclass(slots=True)
class AppMetrics:
    """The counters of one app since the router's start."""

    statuses: list[int] = field(default_factory=lambda: [0] * 6)
    codes: dict[str, int] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0
    bytes: int = 0

    def record(self, *, status: int, code: str, seconds: float, size: int) -> None:
        """Count one request that has ended."""
        self.count(status, seconds, size)
        if code:
            self.codes[code] = self.codes.get(code, 0) + 1

    def count(self, status: int, seconds: float, size: int) -> None:
        """Count one request that has ended without an error code."""
        self.statuses[status // 100] += 1
        self.latencies[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds
        self.bytes += size

    def counts(self) -> Counts:
        """Return the counters as a document."""
        return {
            "requests": {f"{hundreds}xx": count for hundreds, count in enumerate(self.statuses) if count},
            "codes": dict(self.codes),
            "latency": {
                "bounds": list(BUCKETS),
                "counts": list(self.latencies),
                "sum": round(self.seconds, 6),
            },
            "bytes": self.bytes,
        }
