"""Observations: what the supervisor has seen, in memory, with one owner: the event loop. Facts go in, one frozen
Observed comes out; it decides nothing and does no I/O."""

from dataclasses import dataclass, field, replace

from paas.domain.ids import InstanceId, ReleaseId
from paas.domain.instance import Instance, InstanceState
from paas.supervisor.desired import Desired
from paas.supervisor.moment import ended
from paas.supervisor.observed import Draining, Ended, Ending, Exit, NotReady, Observed, Verdict
from paas.supervisor.place import Place, place_of


@dataclass(slots=True)
class Observations:
    """Every fact that a plan may rest on. The executor adds what it did, probes and the engine what they saw."""

    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    exits: dict[InstanceId, Exit] = field(default_factory=dict)
    ended: dict[Place, Ended] = field(default_factory=dict)
    verdicts: dict[InstanceId, Verdict] = field(default_factory=dict)
    draining: dict[InstanceId, Draining] = field(default_factory=dict)
    busy: set[InstanceId] = field(default_factory=set)
    failing: set[InstanceId] = field(default_factory=set)
    leftovers: dict[InstanceId, Instance] = field(default_factory=dict)
    taken_ports: dict[Place, frozenset[int]] = field(default_factory=dict)
    serving_since: dict[ReleaseId, float] = field(default_factory=dict)
    reported: set[ReleaseId] = field(default_factory=set)
    silent_until: float = 0.0

    def put(self, instance: Instance, *, now: float) -> None:
        """Take what the store says of a living instance now."""
        self.instances[instance.id] = instance
        if instance.state is InstanceState.DRAINING:
            self.draining.setdefault(instance.id, Draining(now))

    def came_up(self, instance: Instance) -> None:
        """Take that an instance is healthy: a new copy of it may again try any port."""
        self.instances[instance.id] = instance
        self.verdicts.pop(instance.id, None)
        self.taken_ports.pop(place_of(instance), None)

    def exited(self, id: InstanceId, seen: Exit) -> None:
        """Take that an instance ended by itself; the first report stays."""
        instance = self.instances.get(id)
        if instance is None or id in self.exits:
            return
        self.exits[id] = seen
        if seen.port_taken:
            self._port_was_taken(instance)

    def judged(self, id: InstanceId, verdict: Verdict | None) -> None:
        """Take what a probe found; None takes an earlier verdict back."""
        instance = self.instances.get(id)
        if verdict is None or instance is None:
            self.verdicts.pop(id, None)
            return
        self.verdicts[id] = verdict
        if isinstance(verdict, NotReady) and verdict.port_taken:
            self._port_was_taken(instance)

    def ended_as(self, instance: Instance, ending: Ending, *, at: float, jitter: float = 0.0) -> None:
        """Take the end of an instance. An older copy's end does not hide that of a newer one at its place."""
        for facts in (self.instances, self.exits, self.verdicts, self.draining):
            facts.pop(instance.id, None)
        self.failing.discard(instance.id)
        if instance.one_off:
            return
        place = place_of(instance)
        last = self.ended.get(place)
        if last is None or last.instance.started_monotonic <= instance.started_monotonic:
            self.ended[place] = ended(instance, ending, at=at, jitter=jitter)

    def serves(self, desired: Desired, *, since: float) -> None:
        """Take which releases serve; one that was not seen before serves `since` then. Forget what is gone."""
        serving = {app.serving.id for app in desired.apps.values() if app.serving}
        kept = {release: self.serving_since.get(release, since) for release in serving}
        self.serving_since = kept
        self.reported &= serving
        wanted = serving | {app.candidate.id for app in desired.apps.values() if app.candidate}
        self.ended = {place: last for place, last in self.ended.items() if place.release in wanted}
        self.taken_ports = {
            place: taken for place, taken in self.taken_ports.items() if place.release in wanted
        }

    def in_flight(self, id: InstanceId, requests: int | None) -> None:
        """Take how much a draining instance still has under way, None where that is not known."""
        if id in self.draining:
            self.draining[id] = replace(self.draining[id], in_flight=requests)

    def snapshot(self) -> Observed:
        """Return everything as one value that changes no more."""
        return Observed(
            instances=dict(self.instances),
            exits=dict(self.exits),
            ended=dict(self.ended),
            verdicts=dict(self.verdicts),
            draining=dict(self.draining),
            busy=frozenset(self.busy),
            failing=frozenset(self.failing),
            leftovers=dict(self.leftovers),
            taken_ports=dict(self.taken_ports),
            serving_since=dict(self.serving_since),
            reported=frozenset(self.reported),
            silent_until=self.silent_until,
        )

    def _port_was_taken(self, instance: Instance) -> None:
        place = place_of(instance)
        if instance.port is not None:
            self.taken_ports[place] = self.taken_ports.get(place, frozenset()) | {instance.port}
