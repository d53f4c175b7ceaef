"""Back-off: how long to wait before a crashed instance is started again. It never gives up."""

from paas.domain.instance import Instance

STEADY = 60.0
"""Seconds up after which earlier crashes are forgotten; also the longest wait."""

MAX_JITTER = 0.25


def delay(streak: int, *, jitter: float) -> float:
    """Return the seconds to wait after the crash that made `streak` in a row: 0, 1, 2, 4 … 60, and up to a
    quarter more by `jitter` (0 to 0.25), so that instances that fell together do not come back together."""
    if streak <= 1:
        return 0.0
    doublings = min(streak - 2, 6)
    return min(2.0**doublings, STEADY) * (1 + min(max(jitter, 0.0), MAX_JITTER))


def streak_after(crashed: Instance, at: float) -> int:
    """Return how many crashes in a row there are once `crashed` has ended at `at`; a steady minute starts anew."""
    steady = crashed.up_monotonic is not None and at - crashed.up_monotonic >= STEADY
    return 1 if steady else crashed.streak + 1
