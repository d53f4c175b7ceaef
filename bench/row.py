"""What a benchmark prints: a figure beside the one it is measured against, with every sample."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. Samples are in `unit`; `goal` is the ratio of the medians to reach, None where there is none."""

    what: str
    beside: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    goal: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """The median of ours over the median of theirs."""
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def reached(self) -> bool:
        if self.goal is None:
            return True
        return self.ratio >= self.goal if self.more_is_better else self.ratio <= self.goal

    def __str__(self) -> str:
        sign = "≥" if self.more_is_better else "≤"
        goal = (
            ""
            if self.goal is None
            else f"  goal {sign} {self.goal:g} x: {'reached' if self.reached else 'NOT reached'}"
        )
        return (
            f"{self.what}: {statistics.median(self.ours):.4g} {self.unit}, beside {self.beside}: "
            f"{statistics.median(self.theirs):.4g} {self.unit}, ratio {self.ratio:.2f}{goal}\n"
            f"    ours   {_samples(self.ours)}\n    beside {_samples(self.theirs)}"
        )


def _samples(values: Sequence[float]) -> str:
    return " ".join(f"{value:.4g}" for value in values)
