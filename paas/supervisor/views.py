"""Views: what people see of instances, the crashed and stopped ones included. They change nothing."""

from dataclasses import dataclass, replace
from enum import StrEnum

from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import Instance, InstanceState
from paas.supervisor.backoff import delay
from paas.supervisor.desired import Desired, Wanted
from paas.supervisor.moment import Moment
from paas.supervisor.observed import Ending, Observed
from paas.supervisor.place import place_of


class ShownState(StrEnum):
    """A state in the words of `mini ps`."""

    STARTING = "starting"
    UP = "up"
    DRAINING = "draining"
    STOPPING = "stopping"
    CRASHED = "crashed"
    STOPPED = "stopped"
    UNKNOWN = "unknown"
    """It was alive when it was last seen, and the engine does not answer now."""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One line of `mini ps`. `retry_in` is set where it is crashed and will be started again."""

    instance: Instance
    state: ShownState
    retry_in: float | None = None


def views(desired: Desired, observed: Observed, *, app: AppId, now: float) -> list[InstanceView]:
    """Return what there is to see of an app: what is alive, then the places that are empty, and why."""
    moment = Moment(desired, observed, now)
    alive = [
        InstanceView(_with_last_exit(moment, each), ShownState(each.state.value))
        for each in moment.living()
        if each.app == app
    ]
    places = [each for each in moment.places.values() if each.place.app == app]
    empty = [_empty(moment, each) for each in places if not moment.alive.get(each.place)]
    return alive + [view for view in empty if view]


def unknown(view: InstanceView) -> InstanceView:
    """Return the view where the engine does not answer: what is over is over, of all else nothing is known."""
    over = view.state in (ShownState.CRASHED, ShownState.STOPPED)
    return view if over else replace(view, state=ShownState.UNKNOWN)


def _with_last_exit(moment: Moment, instance: Instance) -> Instance:
    """Show how the copy before ended, where this one was started for it."""
    last = moment.ended.get(place_of(instance))
    return replace(instance, exit=last.instance.exit) if last and instance.restarts else instance


def _empty(moment: Moment, wanted: Wanted) -> InstanceView | None:
    last = moment.ended.get(wanted.place)
    if wanted.stopped:
        return InstanceView(last.instance if last else _never_started(wanted), ShownState.STOPPED)
    if last is None or last.ending is not Ending.CRASHED:
        return None
    due = last.at + delay(last.streak, jitter=last.jitter)
    retry_in = None if wanted.candidate else max(0.0, due - moment.now)
    return InstanceView(replace(last.instance, restarts=last.restarts), ShownState.CRASHED, retry_in)


def _never_started(wanted: Wanted) -> Instance:
    """Stand in for the instance of a place that was stopped before it had one."""
    place, release = wanted.place, wanted.release
    return Instance(
        id=InstanceId(""),
        app=place.app,
        release=place.release,
        version=release.version,
        type=place.type,
        index=place.index,
        epoch=wanted.epoch,
        state=InstanceState.EXITED,
        created_at=release.created_at,
        started_monotonic=0.0,
        cause="stopped before it was started",
    )
