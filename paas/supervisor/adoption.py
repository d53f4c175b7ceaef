"""Adoption: at its start the supervisor takes up what an earlier control plane left running. It starts nothing."""

from collections.abc import Callable, Mapping
from datetime import datetime

from paas.domain.ids import InstanceId, ReleaseId
from paas.domain.instance import Instance
from paas.engines.base import Found
from paas.supervisor.moment import RUNNING, ended
from paas.supervisor.observed import CRASH, Ending, Exit
from paas.supervisor.oneoff import ATTACHED
from paas.supervisor.parts import Parts
from paas.supervisor.place import place_of
from paas.threads import in_thread

_LOST = "it was gone when the control plane came back"
_LEFT_ALONE = "the control plane was restarted"


class Adoption:
    """Brings store, engine and memory together, once. Its parts can be repeated until all have worked."""

    def __init__(self, parts: Parts, *, jitter: Callable[[], float]) -> None:
        self._store, self._engine, self._lines, self._clock = (
            parts.store,
            parts.engine,
            parts.lines,
            parts.clock,
        )
        self._boot_id, self._seen, self._jitter = parts.boot_id, parts.observations, jitter

    async def run(self) -> None:
        """Adopt what runs, write down what was lost: what should run of it is started again at once.

        Raises EngineUnavailableError where the engine does not answer: what lived is all that is known then, and nothing
        is lost.
        """
        living = await in_thread(self._store.instances.living)
        for instance in living:
            self._seen.put(instance, now=self._clock.monotonic())
        history = await in_thread(self._store.instances.last_ended, boot_id=self._boot_id)
        known = {each.id: each.identity for each in living if each.cause != ATTACHED}
        found = await self._engine.recover(known)
        self._remember(history)
        self._seen.serving_since = self._on_our_clock(await in_thread(self._store.apps.serving_since))
        for instance in living:
            await self._take(instance, found)

    def _remember(self, history: list[Instance]) -> None:
        for over in history:
            crashed = over.cause.startswith(CRASH)
            ending = Ending.CRASHED if crashed else Ending.STOPPED
            at = over.ended_monotonic or self._clock.monotonic()
            self._seen.ended[place_of(over)] = ended(over, ending, at=at, jitter=self._jitter())

    def _on_our_clock(self, moments: Mapping[ReleaseId, datetime]) -> dict[ReleaseId, float]:
        """The first minute of a release goes on as if nothing had happened: it may be the way back that was cut off."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        return {release: monotonic - max(0.0, (now - at).total_seconds()) for release, at in moments.items()}

    async def _take(self, instance: Instance, found: Mapping[InstanceId, Found]) -> None:
        if instance.id not in found:
            await self._give_up(instance)
            return
        seen, now = found[instance.id], self._clock.monotonic()
        if instance.identity is None:
            instance = await in_thread(self._store.instances.identified, instance.id, seen.identity)
        await self._lines.collect(
            id=instance.id, app=instance.app, instance=instance.name, version=instance.version
        )
        self._lines.witness(instance.id, seen.identity)
        self._seen.put(instance, now=now)
        if seen.exit is not None:
            self._seen.exited(instance.id, Exit(seen.exit, now, jitter=self._jitter()))

    async def _give_up(self, instance: Instance) -> None:
        """End it in the books. How it ended is known where the log plane has seen it: then that is a crash as any."""
        status = await self._lines.exit_of(instance.id)
        if status.code is not None and instance.state in RUNNING and instance.cause != ATTACHED:
            now = self._clock.monotonic()
            self._seen.put(instance, now=now)
            self._seen.exited(instance.id, Exit(status, now, jitter=self._jitter()))
            return
        cause = _LEFT_ALONE if instance.cause == ATTACHED else _LOST
        over = await in_thread(self._store.instances.ended, instance.id, status, cause=cause)
        ending = Ending.EXCUSED if instance.state in RUNNING else Ending.STOPPED
        self._seen.ended_as(over, ending, at=self._clock.monotonic())
        self._seen.leftovers[over.id] = over
