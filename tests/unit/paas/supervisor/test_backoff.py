"""Back-off: the delays, their jitter, and when crashes are forgotten."""

import pytest

from paas.domain.instance import InstanceState
from paas.supervisor.backoff import delay, streak_after
from tests.unit.paas.supervisor.worlds import NOW, a_release, an_instance


def test_delays_double_to_a_minute_and_never_give_up() -> None:
    assert [delay(streak, jitter=0) for streak in range(1, 11)] == [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert delay(10_000, jitter=0) == 60


@pytest.mark.parametrize(
    ("jitter", "expected"), [(0.0, 4.0), (0.125, 4.5), (0.25, 5.0), (9.0, 5.0), (-1.0, 4.0)]
)
def test_jitter_adds_up_to_a_quarter(jitter: float, expected: float) -> None:
    assert delay(4, jitter=jitter) == expected


def test_a_steady_minute_forgets_earlier_crashes() -> None:
    instance = an_instance(a_release(1), "web.1", started=NOW - 60.5, streak=7)

    assert streak_after(instance, NOW) == 1
    assert streak_after(instance, NOW - 0.1) == 8


def test_one_that_never_came_up_was_never_steady() -> None:
    instance = an_instance(a_release(1), "web.1", InstanceState.STARTING, started=NOW - 300, streak=2)

    assert streak_after(instance, NOW) == 3
