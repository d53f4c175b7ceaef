"""What `mini ps` is shown of places."""

from paas.domain.formation import Slot
from paas.domain.names import WEB
from paas.supervisor.observed import Observed
from paas.supervisor.views import ShownState, views
from tests.unit.paas.supervisor.worlds import NOW, SHOP, a_release, desire


def test_a_place_that_was_stopped_before_it_was_started_is_shown() -> None:
    desired = desire(a_release(1), web=1, slots=[Slot(WEB, 1, stopped_for=1)])
    (shown,) = views(desired, Observed(), app=SHOP, now=NOW)
    assert (shown.instance.type, shown.instance.index, shown.state) == (WEB, 1, ShownState.STOPPED)
