"""What is counted of requests: their number by class of status, error codes, bytes, and how long they took.

Each request is counted once: by the backend that it went to, else by its app. An app's figures are the sum.
"""

from bisect import bisect_left
from dataclasses import dataclass, field

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram in seconds; one more bucket takes what is slower."""

Counts = dict[str, object]


@dataclass(slots=True)
class Metrics:
    """Counters since the router's start."""

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

    def add(self, other: "Metrics") -> None:
        """Count what `other` has counted, too."""
        self.statuses = [ours + theirs for ours, theirs in zip(self.statuses, other.statuses, strict=True)]
        self.latencies = [ours + theirs for ours, theirs in zip(self.latencies, other.latencies, strict=True)]
        self.codes = {
            code: self.codes.get(code, 0) + other.codes.get(code, 0)
            for code in self.codes.keys() | other.codes.keys()
        }
        self.seconds += other.seconds
        self.bytes += other.bytes

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
