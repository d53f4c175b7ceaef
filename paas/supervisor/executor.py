"""The executor: carries out plans. It decides nothing: every choice was made when the plan was."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from paas.domain.event import EventKind
from paas.domain.ids import AppId, InstanceId, ReleaseId
from paas.domain.instance import ExitStatus, Instance, InstanceSpec, InstanceState
from paas.domain.names import WEB
from paas.domain.release import Release
from paas.errors import (
    ArtifactGoneError,
    EngineUnavailableError,
    InvalidError,
    NotFoundError,
    PaasError,
    RunFailedError,
)
from paas.supervisor import plan
from paas.supervisor.free_ports import port_is_free
from paas.supervisor.journal import Journal
from paas.supervisor.launch import Launch, command_of, spec_of
from paas.supervisor.observed import CRASH, Ending, Exit
from paas.supervisor.parts import Parts
from paas.supervisor.ports import Routing
from paas.threads import in_thread

log = logging.getLogger(__name__)

_RETRY = 1.0
_START_LIMIT = 60.0
_CLEAN_UP_LIMIT = 30.0
_CUT_LIMIT = 5.0
_STOP_SLACK = 30.0

_NEVER_STARTS = (ArtifactGoneError, InvalidError, NotFoundError, RunFailedError)

Unstable = Callable[[AppId, ReleaseId, str], None]


class Executor:
    """Does what plans say. What takes long (starting, stopping, cleaning up) runs in a task of its own, one for an
    instance at a time; while it does, the instance is busy."""

    def __init__(self, parts: Parts, routing: Routing, *, stop_grace: float) -> None:
        self._store, self._engine, self._lines, self._clock = (
            parts.store,
            parts.engine,
            parts.lines,
            parts.clock,
        )
        self._boot_id, self._server = parts.boot_id, parts.server
        self._seen, self._wake, self._routing = parts.observations, parts.wake, routing
        self._stop_grace, self._stop_limit = stop_grace, stop_grace + _STOP_SLACK
        self._journal = Journal(parts.store, parts.lines)
        self._tasks: set[asyncio.Task[None]] = set()
        self.unstable: list[Unstable] = []

    async def carry_out(self, what: plan.Plan) -> None:
        """Do every action in order. Raises what the store raises; the rest of the plan is made again then."""
        for action in what.actions:
            log.debug("action", extra={"action": str(action)})
            await self._do(action)

    async def stop_all(self, cause: str) -> None:
        """Stop every instance at once, grace included, and return when nothing runs any more."""
        await self.close()
        for instance in list(self._seen.instances.values()):
            stop = self._stop(instance, cause, ending=Ending.STOPPED)
            self._work(instance.id, stop, limit=self._stop_limit)
        await self._finish()
        for instance in list(self._seen.leftovers.values()):
            self._work(instance.id, self._forget(instance), limit=_CLEAN_UP_LIMIT)
        await self._finish()

    async def close(self) -> None:
        """Cancel what is under way; the next control plane finds it as it is and goes on."""
        for task in self._tasks:
            task.cancel()
        await self._finish()

    async def _do(self, action: plan.Action) -> None:  # noqa: C901 - a table: one line for each kind of action
        match action:
            case plan.StartInstance():
                await self._start(action)
            case plan.ResumeStart(instance):
                self._work(instance.id, self._resume(instance), limit=_START_LIMIT)
            case plan.MarkUp(instance, cause, address):
                await self._mark_up(instance, cause, address)
            case plan.DrainInstance(instance, cause):
                await self._move(instance, InstanceState.DRAINING, cause)
            case plan.CloseConnections(instance):
                await self._close_connections(instance)
            case plan.StopInstance(instance, cause, excused):
                ending = Ending.EXCUSED if excused else Ending.STOPPED
                await self._begin_stop(instance, cause, ending)
            case plan.FailInstance(instance, cause):
                self._seen.failing.add(instance.id)
                await self._begin_stop(instance, cause, Ending.CRASHED)
            case plan.RecordCrash(instance, cause, seen):
                await self._end(instance, seen, Ending.CRASHED, cause=cause)
            case plan.RecordEnd(instance, cause, seen, excused):
                await self._end(instance, seen, Ending.EXCUSED if excused else Ending.STOPPED, cause=cause)
            case plan.ForgetInstance(instance):
                self._work(instance.id, self._forget(instance), limit=_CLEAN_UP_LIMIT)
            case plan.ReportUnstable(place, release, cause):
                self._seen.reported.add(release.id)
                for callback in self.unstable:
                    callback(place.app, release.id, cause)

    # -- starting ---------------------------------------------------------------------------------------------
    async def _start(self, action: plan.StartInstance) -> None:
        place = action.place
        instance = await in_thread(
            self._store.instances.begin,
            app=place.app,
            release=action.release,
            type=place.type,
            index=place.index,
            epoch=action.epoch,
            cause=action.cause,
            wants_port=place.type == WEB,
            restarts=action.restarts,
            streak=action.streak,
            one_off=False,
            boot_id=self._boot_id,
            avoid_ports=action.avoid_ports,
            is_free=port_is_free,
        )
        self._seen.put(instance, now=self._clock.monotonic())
        self._work(instance.id, self._launch(instance, action.release, tells=True), limit=_START_LIMIT)

    async def _resume(self, instance: Instance) -> None:
        release = await in_thread(self._store.releases.get_by_id, instance.release)
        await self._launch(instance, release, tells=False)

    async def _launch(self, instance: Instance, release: Release, *, tells: bool) -> None:
        try:
            spec = await self._spec(instance, release)
            if tells:
                self._journal.starts(instance, spec.command)
            identity = await self._engine.start(spec)
        except _NEVER_STARTS as error:  # anything else is unknown, not dead: it is asked for again
            now = self._clock.monotonic()
            self._seen.exited(instance.id, Exit(ExitStatus(None), now, reason=error.message))
            return
        self._lines.witness(instance.id, identity)
        # Known here before it is written down: where that fails, it is still not started a second time.
        self._seen.put(replace(instance, identity=identity), now=self._clock.monotonic())
        identified = partial(self._store.instances.identified, instance.id, identity)
        stored = await self._journal.record(EventKind.INSTANCE_STARTED, identified, cause=instance.cause)
        self._seen.put(stored, now=self._clock.monotonic())

    async def _spec(self, instance: Instance, release: Release) -> InstanceSpec:
        fifo = await self._lines.collect(
            id=instance.id, app=instance.app, instance=instance.name, version=instance.version
        )
        return await in_thread(self._read_spec, instance, release, fifo)

    def _read_spec(self, instance: Instance, release: Release, fifo: Path) -> InstanceSpec:
        with self._store.snapshot():
            app = self._store.apps.get_by_id(instance.app)
            launch = Launch(app, release, instance, command_of(release, instance))
            return spec_of(self._store, launch, output=fifo, server=self._server)

    async def _mark_up(self, instance: Instance, cause: str, address: str | None) -> None:
        healthy = partial(self._store.instances.up, instance.id, address=address)
        up = await self._journal.record(EventKind.INSTANCE_UP, healthy, cause=cause)
        self._seen.came_up(up)
        self._journal.changed(up, old="starting", new="up")

    # -- stopping ---------------------------------------------------------------------------------------------
    async def _move(self, instance: Instance, state: InstanceState, cause: str) -> Instance:
        if instance.state is state:
            return instance
        moved = await in_thread(self._store.instances.transition, instance.id, state, cause=cause)
        self._seen.put(moved, now=self._clock.monotonic())
        self._journal.changed(moved, old=instance.state.value, new=state.value)
        return moved

    async def _close_connections(self, instance: Instance) -> None:
        with suppress(
            PaasError, TimeoutError
        ):  # the connections end with the instance, which is stopped next
            async with asyncio.timeout(_CUT_LIMIT):
                await self._routing.close_backends([instance.id])

    async def _begin_stop(self, instance: Instance, cause: str, ending: Ending) -> None:
        stopping = await self._move(instance, InstanceState.STOPPING, cause)
        self._work(instance.id, self._stop(stopping, cause, ending=ending), limit=self._stop_limit)

    async def _stop(self, instance: Instance, cause: str, *, ending: Ending) -> None:
        status = await self._engine.stop(instance.id, grace=self._stop_grace)
        seen = self._seen.exits.get(instance.id) or Exit(status, self._clock.monotonic())
        await self._end(instance, seen, ending, cause=cause)

    async def _end(self, instance: Instance, seen: Exit, ending: Ending, *, cause: str) -> None:
        if instance.id not in self._seen.instances:  # a one-off that was ended where it is attached
            return
        crashed = ending is Ending.CRASHED
        stored = f"{CRASH}{cause}" if crashed else cause
        ended = partial(self._store.instances.ended, instance.id, seen.status, cause=stored)
        over = await self._journal.record(_kind_of_end(instance, crashed=crashed), ended, cause=cause)
        self._seen.ended_as(over, ending, at=seen.at, jitter=seen.jitter)
        self._seen.leftovers[over.id] = over
        why = "" if cause == str(seen.status) else f" ({cause})"
        self._journal.say(over, f"Process ended: {seen.status}{why}")
        self._journal.changed(over, old=instance.state.value, new="crashed" if crashed else "stopped")

    async def _forget(self, instance: Instance) -> None:
        await self._engine.stop(instance.id, grace=0)
        await self._lines.finish(instance.id)
        await self._engine.forget(instance.id)
        self._seen.leftovers.pop(instance.id, None)

    # -- tasks ------------------------------------------------------------------------------------------------
    def _work(self, id: InstanceId, work: Coroutine[None, None, None], *, limit: float) -> None:
        self._seen.busy.add(id)
        task = asyncio.create_task(self._see_to(id, work, limit=limit), name=f"instance {id}")
        self._tasks.add(task)
        task.add_done_callback(self._over)

    async def _see_to(self, id: InstanceId, work: Coroutine[None, None, None], *, limit: float) -> None:
        """Do the work. Where it fails, nothing new is known of the instance, which is left alone for a moment."""
        try:
            async with asyncio.timeout(limit):
                await work
        except EngineUnavailableError as error:
            log.warning("the engine did not answer", extra={"instance": id, "error": error.message})
            self._seen.silent_until = self._clock.monotonic() + _RETRY
        except (PaasError, TimeoutError) as error:
            log.warning("an action failed", extra={"instance": id, "error": str(error) or "it took too long"})
            await self._clock.sleep(_RETRY)
        finally:
            self._seen.busy.discard(id)
            self._wake()

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("an action failed by a mistake of mini", exc_info=error)
            self._seen.silent_until = self._clock.monotonic() + _RETRY

    async def _finish(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)


def _kind_of_end(instance: Instance, *, crashed: bool) -> EventKind:
    if instance.one_off:
        return EventKind.RUN_ENDED
    return EventKind.INSTANCE_CRASHED if crashed else EventKind.INSTANCE_STOPPED
