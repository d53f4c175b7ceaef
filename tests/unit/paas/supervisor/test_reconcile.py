"""Every scheduling rule as a golden plan: two snapshots in, text out."""

import re
from dataclasses import replace

import pytest

from paas.domain.formation import Slot
from paas.domain.instance import ExitStatus, InstanceState
from paas.domain.names import WEB, ProcessType
from paas.supervisor.desired import Desired
from paas.supervisor.moment import ended
from paas.supervisor.observed import Draining, Ending, Exit, NotReady, Observed, Ready, Unwell
from paas.supervisor.place import place_of
from paas.supervisor.reconcile import reconcile
from tests.golden_file import assert_golden
from tests.unit.paas.supervisor.worlds import NOW, SHOP, a_release, an_instance, desire, observe

STARTING, DRAINING, STOPPING = InstanceState.STARTING, InstanceState.DRAINING, InstanceState.STOPPING
V1, V2 = a_release(1), a_release(2)
WORKER = ProcessType("worker")

WEB_1 = an_instance(V1, "web.1")
WEB_2 = an_instance(V1, "web.2")
WEB_3 = an_instance(V1, "web.3")
WORKER_1 = an_instance(V1, "worker.1")
NEW_WEB_1 = an_instance(V2, "web.1", started=NOW - 1)
NEW_WORKER_1 = an_instance(V2, "worker.1", started=NOW - 1)
BOOTING = an_instance(V2, "web.1", STARTING, started=NOW - 0.2)
BOOTING_WORKER = an_instance(V2, "worker.1", STARTING, started=NOW - 0.2)

Case = tuple[Desired, Observed]


def _crashed(streak: int, *, at: float, release_since: float | None = None) -> Observed:
    crash = replace(an_instance(V1, "web.1", streak=streak - 1, restarts=streak - 1), exit=ExitStatus(1))
    last = replace(ended(crash, Ending.CRASHED, at=at), streak=streak, jitter=0.25)
    since = {} if release_since is None else {V1.id: release_since}
    return Observed(ended={place_of(crash): last}, serving_since=since)


def _excused(port: int) -> Observed:
    moved = an_instance(V1, "web.1", STARTING, restarts=2, streak=2)
    place = place_of(moved)
    last = ended(moved, Ending.EXCUSED, at=NOW)
    return Observed(ended={place: last}, taken_ports={place: frozenset({port})})


CASES: dict[str, Case] = {
    "first deployment starts all types": (desire(None, V1, web=2, worker=1), observe()),
    "a candidate starts beside the old release": (
        desire(V1, V2, web=1, worker=1),
        observe(WEB_1, WORKER_1),
    ),
    "web that listens is up": (
        desire(V1, V2),
        replace(
            observe(WEB_1, BOOTING),
            verdicts={BOOTING.id: Ready("127.0.0.1:20001", "it listens on its port 20001")},
        ),
    ),
    "other types are up once web is": (
        desire(V1, V2, web=1, worker=1),
        observe(WEB_1, WORKER_1, replace(BOOTING, state=InstanceState.UP, up_monotonic=NOW), BOOTING_WORKER),
    ),
    "without web a type is up after a second": (
        desire(V1, web=0, worker=2),
        observe(
            an_instance(V1, "worker.1", STARTING, started=NOW - 1),
            an_instance(V1, "worker.2", STARTING, started=NOW - 0.4),
        ),
    ),
    "the old release is untouched until the switch": (
        desire(V1, V2, web=1, worker=1),
        observe(WEB_1, WORKER_1, NEW_WEB_1, NEW_WORKER_1),
    ),
    "after the switch the old release goes": (
        desire(V2, web=1, worker=1),
        observe(WEB_1, WORKER_1, NEW_WEB_1, NEW_WORKER_1),
    ),
    "a failed deployment stops the candidate alone": (
        desire(V1, web=1, worker=1),
        observe(WEB_1, WORKER_1, NEW_WEB_1, BOOTING_WORKER),
    ),
    "a candidate's crash is not restarted": (
        desire(V1, V2),
        replace(observe(WEB_1, BOOTING), exits={BOOTING.id: Exit(ExitStatus(1), NOW)}),
    ),
    "a candidate that never listens fails": (
        desire(V1, V2),
        replace(observe(WEB_1, BOOTING), verdicts={BOOTING.id: NotReady("did not listen on its PORT 20001")}),
    ),
    "scaling up starts the difference": (desire(V1, web=3, worker=1), observe(WEB_1, WORKER_1)),
    "scaling down takes the highest first": (
        desire(V1, web=1, worker=0),
        observe(WEB_1, WEB_2, WEB_3, WORKER_1),
    ),
    "a drain waits for what is in flight": (
        desire(V2),
        observe(
            NEW_WEB_1,
            replace(WEB_1, state=DRAINING, cause="v2 serves now"),
            draining={WEB_1.id: Draining(NOW - 2, 3)},
        ),
    ),
    "a drain waits for the routers": (
        desire(V2),
        observe(
            NEW_WEB_1,
            replace(WEB_1, state=DRAINING, cause="v2 serves now"),
            draining={WEB_1.id: Draining(NOW, None)},
        ),
    ),
    "an idle drained instance is stopped": (
        desire(V2),
        observe(
            NEW_WEB_1,
            replace(WEB_1, state=DRAINING, cause="v2 serves now"),
            draining={WEB_1.id: Draining(NOW - 2, 0)},
        ),
    ),
    "a drain ends at its limit": (
        desire(V2),
        observe(
            NEW_WEB_1,
            replace(WEB_1, state=DRAINING, cause="v2 serves now"),
            draining={WEB_1.id: Draining(NOW - 30, 1)},
        ),
    ),
    "restart starts the new web copy first": (
        desire(V1, worker=1, slots=[Slot(WEB, 1, epoch=1), Slot(WORKER, 1, epoch=1)]),
        observe(WEB_1, WORKER_1),
    ),
    "the old web copy goes once the new one is up": (
        desire(V1, slots=[Slot(WEB, 1, epoch=1)]),
        observe(WEB_1, an_instance(V1, "web.1", epoch=1, copy="b", started=NOW - 1)),
    ),
    "a worker starts again after its stop": (
        desire(V1, web=0, worker=1, slots=[Slot(WORKER, 1, epoch=1)]),
        observe(),
    ),
    "a stopping worker is waited for": (
        desire(V1, web=0, worker=1, slots=[Slot(WORKER, 1, epoch=1)]),
        replace(observe(replace(WORKER_1, state=STOPPING)), busy=frozenset({WORKER_1.id})),
    ),
    "a stopped slot stays stopped": (
        desire(V1, web=2, slots=[Slot(WEB, 2, stopped_for=1)]),
        observe(WEB_1, WEB_2),
    ),
    "a new release runs a stopped slot again": (
        desire(V2, web=2, slots=[Slot(WEB, 2, stopped_for=1)]),
        observe(NEW_WEB_1),
    ),
    "a first crash is restarted at once": (
        desire(V1),
        replace(observe(WEB_1), exits={WEB_1.id: Exit(ExitStatus(0), NOW)}),
    ),
    "a second crash waits": (desire(V1), _crashed(2, at=NOW - 0.5)),
    "a crash is restarted when its time has come": (desire(V1), _crashed(5, at=NOW - 10)),
    "an instance killed for memory says so": (
        desire(V1),
        replace(observe(WEB_1), exits={WEB_1.id: Exit(ExitStatus(-9, out_of_memory=True), NOW)}),
    ),
    "three crashes in the first minute are unstable": (
        desire(V1),
        _crashed(3, at=NOW - 0.1, release_since=NOW - 10),
    ),
    "crashes after the first minute are not unstable": (
        desire(V1),
        _crashed(3, at=NOW - 0.1, release_since=NOW - 70),
    ),
    "app.json can turn going back off": (
        desire(a_release(1, auto_rollback=False)),
        _crashed(3, at=NOW - 0.1, release_since=NOW - 10),
    ),
    "an exit because of a taken port is no crash": (
        desire(V1),
        replace(
            observe(an_instance(V1, "web.1", STARTING, restarts=2, streak=2)),
            exits={WEB_1.id: Exit(ExitStatus(1), NOW, port_taken=True)},
            taken_ports={place_of(WEB_1): frozenset({20001})},
        ),
    ),
    "a taken port is exchanged": (desire(V1), _excused(20001)),
    "a fourth taken port is a crash": (
        desire(V1),
        replace(
            observe(an_instance(V1, "web.1", STARTING)),
            exits={WEB_1.id: Exit(ExitStatus(1), NOW, port_taken=True)},
            taken_ports={place_of(WEB_1): frozenset({20001, 20002, 20003, 20004})},
        ),
    ),
    "an unwell instance is replaced": (
        desire(V1, web=2),
        replace(observe(WEB_1, WEB_2), verdicts={WEB_2.id: Unwell("answered GET /health with 500")}),
    ),
    "the last well instance is not ejected": (
        desire(V1),
        replace(observe(WEB_1), verdicts={WEB_1.id: Unwell("answered GET /health with 500")}),
    ),
    "nothing is done while the engine is silent": (
        desire(V1, web=2),
        replace(observe(WEB_1), silent_until=NOW + 1, exits={WEB_1.id: Exit(ExitStatus(1), NOW)}),
    ),
    "a start that got no answer is asked for again": (
        desire(V1),
        observe(an_instance(V1, "web.1", STARTING, identified=False)),
    ),
    "a stop begun by an earlier control plane goes on": (
        desire(V2),
        observe(NEW_WEB_1, replace(WEB_1, state=STOPPING, cause="v2 serves now")),
    ),
    "a destroyed app is emptied": (
        Desired({}),
        observe(WEB_1, WORKER_1, an_instance(V1, "run.1", one_off=True)),
    ),
    "a one-off ends without a successor": (
        desire(V1),
        replace(
            observe(WEB_1, an_instance(V1, "run.1", one_off=True)),
            exits={an_instance(V1, "run.1").id: Exit(ExitStatus(0), NOW)},
        ),
    ),
    "a one-off may run until its time limit": (
        desire(V1),
        observe(WEB_1, an_instance(V1, "run.1", one_off=True, time_limit=200)),
    ),
    "a one-off is stopped at its time limit, one of type web too, which is no route": (
        desire(V1),
        observe(
            WEB_1,
            an_instance(V1, "run.1", one_off=True, time_limit=20),
            an_instance(V1, "web.1", one_off=True, time_limit=20, copy="b"),
        ),
    ),
    "a release without a build starts nothing": (desire(a_release(1, built=False)), observe()),
    "what ended is cleaned up after": (desire(V1), replace(observe(WEB_1), leftovers={WEB_2.id: WEB_2})),
    "all is well": (desire(V1, web=2, worker=1), observe(WEB_1, WEB_2, WORKER_1)),
}


@pytest.mark.parametrize("name", CASES)
def test_plan(name: str) -> None:
    desired, observed = CASES[name]

    file = re.sub("[^a-z0-9.]+", "_", name)
    assert_golden(f"plans/{file}.txt", f"{reconcile(desired, observed, NOW)}\n")


def test_a_plan_of_two_snapshots_is_always_the_same() -> None:
    for desired, observed in CASES.values():
        assert reconcile(desired, observed, NOW) == reconcile(desired, observed, NOW)


def test_the_worlds_are_of_one_app() -> None:
    assert all(set(desired.apps) <= {SHOP} for desired, _ in CASES.values())
