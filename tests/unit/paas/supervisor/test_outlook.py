"""The outlook: how far the instances of a release are, from what is known at one moment."""

from dataclasses import replace

from paas.domain.instance import ExitStatus, InstanceState
from paas.supervisor.observed import Exit
from paas.supervisor.outlook import outlook
from tests.unit.paas.supervisor.worlds import NOW, SHOP, a_release, an_instance, desire, observe

V1 = a_release(1)


def test_what_could_not_start_says_why_before_that_is_written_down() -> None:
    web = an_instance(V1, "web.1", InstanceState.STARTING, identified=False, cause="v1 is being deployed")
    observed = replace(observe(web), exits={web.id: Exit(ExitStatus(None), NOW, reason="Its image is gone.")})

    ahead = outlook(desire(None, V1, web=1), observed, app=SHOP, release=V1.id, since=NOW)

    assert ahead.broken is not None
    assert ahead.broken.instance.cause == "crashed: Its image is gone."
