"""A Moment: desired and observed state side by side, indexed for the rules. It says what is so, not what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from paas.domain.ids import AppId
from paas.domain.instance import Instance, InstanceState
from paas.domain.names import WEB, ProcessType
from paas.supervisor.backoff import streak_after
from paas.supervisor.desired import Desired, Wanted
from paas.supervisor.observed import CRASH, MAX_MOVES, Draining, Ended, Ending, Exit, Observed, Unwell
from paas.supervisor.place import Place, place_of

RUNNING = (InstanceState.STARTING, InstanceState.UP)


@dataclass(slots=True)
class Moment:
    """What the rules ask about one moment. Instances that have ended are not among `alive` any more."""

    desired: Desired
    observed: Observed
    now: float
    places: dict[Place, Wanted] = field(init=False)
    alive: dict[Place, list[Instance]] = field(init=False, default_factory=dict)
    ended: dict[Place, Ended] = field(init=False)

    def __post_init__(self) -> None:
        self.places = self.desired.places()
        self.ended = dict(self.observed.ended)
        for instance, seen in self.exits():
            if instance.state in RUNNING and not instance.one_off:
                self._remember(instance, seen)
        for instance in self.observed.instances.values():
            if not self._is_over(instance):
                self.alive.setdefault(place_of(instance), []).append(instance)

    def exits(self) -> Iterable[tuple[Instance, Exit]]:
        """Return the instances that ended and that no earlier action is still at work on."""
        known = self.observed.instances
        return [
            (known[id], seen) for id, seen in self.observed.exits.items() if id in known and self._idle(id)
        ]

    def living(self) -> list[Instance]:
        """Return what is alive, by app, release, type and number."""
        return sorted((each for copies in self.alive.values() for each in copies), key=_by_place)

    def was_moved(self, instance: Instance, *, port_taken: bool) -> bool:
        """Return whether a failure is a foreign program's doing, and one that a new port may still cure."""
        return port_taken and len(self.observed.taken_ports.get(place_of(instance), ())) <= MAX_MOVES

    def last(self, wanted: Wanted) -> Ended | None:
        """Return the end that the next copy reckons with: none after a stop, or once an operator restarts."""
        last = self.ended.get(wanted.place)
        if last is None or last.ending is Ending.STOPPED or last.instance.epoch < wanted.epoch:
            return None
        return last

    def drain(self, instance: Instance) -> Draining:
        """Return how far the drain of `instance` is."""
        return self.observed.draining.get(instance.id, Draining(self.now))

    def is_fresh(self, instance: Instance, wanted: Wanted) -> bool:
        """Return whether `instance` fills its place as it is asked for now."""
        return instance.state in RUNNING and instance.epoch >= wanted.epoch and self.unwell(instance) is None

    def unwell(self, instance: Instance) -> Unwell | None:
        """Return what liveness checks hold against `instance`."""
        verdict = self.observed.verdicts.get(instance.id)
        return verdict if isinstance(verdict, Unwell) else None

    def well_at(self, place: Place) -> list[Instance]:
        """Return the copies at `place` that are up and well."""
        up = (each for each in self.alive.get(place, []) if each.state is InstanceState.UP)
        return [each for each in up if self.unwell(each) is None]

    def another_web_is_well(self, instance: Instance) -> bool:
        """Return whether the app's release keeps a healthy web instance without this one."""
        return any(self.well_at(place) for place in self.alive if is_web_of(place, instance))

    def web_came_up_after(self, instance: Instance) -> bool:
        """Return whether every web instance of the release became healthy while `instance` ran."""
        web = [
            each.place
            for each in self.places.values()
            if is_web_of(each.place, instance) and not each.stopped
        ]
        since = instance.started_monotonic
        return bool(web) and all(
            any((each.up_monotonic or 0.0) > since for each in self.well_at(place)) for place in web
        )

    def _remember(self, instance: Instance, seen: Exit) -> None:
        moved = self.was_moved(instance, port_taken=seen.port_taken)
        ending = Ending.EXCUSED if moved else Ending.CRASHED
        over = replace(instance, exit=seen.status, cause=f"{CRASH}{seen.reason or seen.status}")
        self.ended[place_of(instance)] = ended(over, ending, at=seen.at, jitter=seen.jitter)

    def _idle(self, id: str) -> bool:
        return id not in self.observed.busy

    def _is_over(self, instance: Instance) -> bool:
        return instance.id in self.observed.exits and self._idle(instance.id)


def ended(instance: Instance, ending: Ending, *, at: float, jitter: float = 0.0) -> Ended:
    """Return the end of `instance` with what its successor carries on."""
    match ending:
        case Ending.CRASHED:
            streak = streak_after(instance, at)
            return Ended(instance, ending, at, restarts=instance.restarts + 1, streak=streak, jitter=jitter)
        case Ending.EXCUSED:
            return Ended(instance, ending, at, restarts=instance.restarts, streak=instance.streak)
        case Ending.STOPPED:
            return Ended(instance, ending, at)


def is_web_of(place: Place, instance: Instance) -> bool:
    """Return whether `place` is one of the web places of the release of `instance`."""
    return place.release == instance.release and place.type == WEB


def _by_place(instance: Instance) -> tuple[AppId, int, ProcessType, int, float]:
    return instance.app, instance.version, instance.type, instance.index, instance.started_monotonic
