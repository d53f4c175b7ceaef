"""Reconcile: desired and observed state and the time make a Plan. Pure: it does no I/O and reads no clock.

Each rule below yields actions, and moments (a float) at which time alone makes a new look worth while:

1. What ended by itself is written down.
2. An instance that its probe found ready is up; other types are once web is, or a second after their start.
3. A wanted place without a fresh copy gets one: web beside the old copy, other types after it. A crash waits
   its back-off. A candidate's crashed instance is not started again: its deployment fails.
4. What no place wants goes: web is drained first, the highest number goes first. So does a one-off after its time limit.
5. What ended is cleaned up after; a release that keeps crashing in its first minute is reported, once.
"""

from collections.abc import Iterator

from paas.domain.instance import Instance, InstanceState
from paas.domain.names import WEB
from paas.supervisor import plan
from paas.supervisor.backoff import delay
from paas.supervisor.desired import Desired, DesiredApp, Wanted
from paas.supervisor.moment import RUNNING, Moment
from paas.supervisor.observed import Ended, Ending, NotReady, Observed, Ready
from paas.supervisor.place import place_of
from paas.supervisor.plan import Action, Plan

SETTLING = 1.0
"""Seconds that a type without a port has to run to count as up."""
UNSTABLE_CRASHES = 3
UNSTABLE_WITHIN = 60.0

Steps = Iterator[Action | float]


def reconcile(desired: Desired, observed: Observed, now: float) -> Plan:
    """Return what to do now, and when to look again if nothing else happens before."""
    if now < observed.silent_until:
        return Plan(look_again=observed.silent_until)
    steps = list(_steps(Moment(desired, observed, now)))
    actions = tuple(step for step in steps if not isinstance(step, float))
    return Plan(actions, look_again=min((step for step in steps if isinstance(step, float)), default=None))


def _steps(moment: Moment) -> Steps:
    yield from _record_exits(moment)
    for instance in moment.living():
        yield from _promote(moment, instance)
    for wanted in moment.places.values():
        yield from _fill(moment, wanted)
    for instance in reversed(moment.living()):
        yield from _retire(moment, instance)
    yield from _clean_up(moment)
    for app in moment.desired.apps.values():
        yield from _report(moment, app)


# -- 1. what ended --------------------------------------------------------------------------------------------
def _record_exits(moment: Moment) -> Steps:
    for instance, seen in moment.exits():
        if instance.one_off or instance.state not in RUNNING:
            yield plan.RecordEnd(instance, seen.reason or str(seen.status), seen)
        elif moment.was_moved(instance, port_taken=seen.port_taken):
            yield plan.RecordEnd(
                instance, f"another program holds its port {instance.port}", seen, excused=True
            )
        else:
            yield plan.RecordCrash(instance, seen.reason or str(seen.status), seen)


# -- 2. what became healthy -----------------------------------------------------------------------------------
def _promote(moment: Moment, instance: Instance) -> Steps:
    starting = instance.state is InstanceState.STARTING and not instance.one_off
    if not starting or instance.id in moment.observed.busy or _surplus(moment, instance):
        return
    if instance.identity is None:
        yield plan.ResumeStart(instance, "the engine did not answer to its start")
    elif instance.type == WEB:
        yield from _promote_web(moment, instance)
    else:
        yield from _promote_other(moment, instance)


def _promote_web(moment: Moment, instance: Instance) -> Steps:
    match moment.observed.verdicts.get(instance.id):
        case Ready(address, cause):
            yield plan.MarkUp(instance, cause, address)
        case NotReady(reason, port_taken) if moment.was_moved(instance, port_taken=port_taken):
            yield plan.StopInstance(instance, reason, excused=True)
        case NotReady(reason):
            yield plan.FailInstance(instance, reason)


def _promote_other(moment: Moment, instance: Instance) -> Steps:
    settled = instance.started_monotonic + SETTLING
    if moment.web_came_up_after(instance):
        yield plan.MarkUp(instance, "it runs, and web is healthy")
    elif moment.now >= settled:
        yield plan.MarkUp(instance, f"it has run for {SETTLING:.0f} s")
    else:
        yield settled


# -- 3. what is missing ---------------------------------------------------------------------------------------
def _fill(moment: Moment, wanted: Wanted) -> Steps:
    here = moment.alive.get(wanted.place, [])
    if wanted.stopped or any(moment.is_fresh(each, wanted) for each in here):
        return
    if here and (wanted.place.type != WEB or any(each.id in moment.observed.failing for each in here)):
        return
    last = moment.last(wanted)
    if last is None or last.ending is Ending.EXCUSED:
        yield _start(moment, wanted, last, cause=_missing_because(moment, wanted, here))
    elif not wanted.candidate:
        yield from _start_again(moment, wanted, last)


def _start_again(moment: Moment, wanted: Wanted, last: Ended) -> Steps:
    due = last.at + delay(last.streak, jitter=last.jitter)
    if moment.now < due:
        yield due
    else:
        yield _start(moment, wanted, last, cause=f"restart {last.restarts} after {last.instance.exit}")


def _start(moment: Moment, wanted: Wanted, last: Ended | None, *, cause: str) -> Action:
    return plan.StartInstance(
        wanted.place,
        wanted.release,
        cause,
        epoch=wanted.epoch,
        restarts=last.restarts if last else 0,
        streak=last.streak if last else 0,
        avoid_ports=moment.observed.taken_ports.get(wanted.place, frozenset()),
    )


def _missing_because(moment: Moment, wanted: Wanted, here: list[Instance]) -> str:
    if moment.observed.taken_ports.get(wanted.place):
        return "another program holds the port it was given before"
    if wanted.candidate:
        return f"{wanted.release.name} is being deployed"
    if any(moment.unwell(each) for each in here):
        return "in place of a copy that is not well"
    if any(each.epoch < wanted.epoch for each in here):
        return "restart was asked for"
    count = moment.desired.apps[wanted.place.app].formation.get(wanted.place.type, 0)
    return f"{wanted.release.name} serves with {wanted.place.type}={count}"


# -- 4. what is too much --------------------------------------------------------------------------------------
def _retire(moment: Moment, instance: Instance) -> Steps:
    if instance.id in moment.observed.busy:
        return
    match instance.state:
        case InstanceState.STOPPING:
            yield plan.StopInstance(instance, instance.cause)
        case InstanceState.DRAINING:
            yield from _drain(moment, instance)
        case _ if cause := _surplus(moment, instance):
            routed = instance.type == WEB and instance.state is InstanceState.UP and not instance.one_off
            yield plan.DrainInstance(instance, cause) if routed else plan.StopInstance(instance, cause)
        case _ if (ends := instance.ends_monotonic) is not None:
            yield ends


def _drain(moment: Moment, instance: Instance) -> Steps:
    drain, limit = moment.drain(instance), moment.desired.drain_limit
    waited = moment.now - drain.since
    if drain.in_flight == 0:
        yield plan.StopInstance(instance, instance.cause)
    elif waited >= limit:
        yield plan.CloseConnections(instance, f"its drain has taken {limit:.0f} s")
        yield plan.StopInstance(instance, instance.cause)
    else:
        yield min(moment.now + min(max(waited / 4, 0.05), 0.25), drain.since + limit)


def _surplus(moment: Moment, instance: Instance) -> str | None:
    """Return why the instance should go, None where it should stay."""
    app = moment.desired.apps.get(instance.app)
    if app is None:
        return "the app was destroyed"
    if instance.one_off:
        return _overdue(instance, moment.now)
    wanted = moment.places.get(place_of(instance))
    if wanted is None:
        return _unwanted_because(instance, app)
    if wanted.stopped:
        return "stopped until a restart, a scale or a new release"
    return _replaced(moment, instance, wanted)


def _overdue(instance: Instance, now: float) -> str | None:
    ends = instance.ends_monotonic
    if ends is None or now < ends:
        return None
    return f"its time limit of {instance.time_limit:g} s is over"


def _unwanted_because(instance: Instance, app: DesiredApp) -> str:
    if instance.release in [release.id for release in (app.serving, app.candidate) if release]:
        return f"{instance.type} was scaled to {app.formation.get(instance.type, 0)}"
    if app.serving and app.serving.version > instance.version:
        return f"{app.serving.name} serves now"
    return f"the deployment of v{instance.version} did not succeed"


def _replaced(moment: Moment, instance: Instance, wanted: Wanted) -> str | None:
    if instance.type != WEB:
        return "restart was asked for" if instance.epoch < wanted.epoch else None
    if any(each.started_monotonic > instance.started_monotonic for each in moment.well_at(wanted.place)):
        return "a newer copy is up"
    unwell = moment.unwell(instance)
    return unwell.reason if unwell and moment.another_web_is_well(instance) else None


# -- 5. afterwards --------------------------------------------------------------------------------------------
def _clean_up(moment: Moment) -> Steps:
    for id, instance in moment.observed.leftovers.items():
        if id not in moment.observed.busy:
            yield plan.ForgetInstance(instance, "it has ended")


def _report(moment: Moment, app: DesiredApp) -> Steps:
    release = app.serving
    if release is None or release.manifest is None or not release.manifest.auto_rollback:
        return
    since = moment.observed.serving_since.get(release.id)
    if since is None or release.id in moment.observed.reported:
        return
    for place, last in moment.ended.items():
        if moment.well_at(place):  # it got over them
            continue
        crashes = last.streak if last.ending is Ending.CRASHED and place.release == release.id else 0
        if crashes >= UNSTABLE_CRASHES and last.at <= since + UNSTABLE_WITHIN:
            cause = f"{place.name} crashed {crashes} times in the first minute of {release.name}"
            yield plan.ReportUnstable(place, release, cause)
            return
