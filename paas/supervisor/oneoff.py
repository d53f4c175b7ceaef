"""One-offs: a command run once in a release and its config, attached to a caller or detached. Nothing restarts them,
and nothing of them is left behind."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from paas.domain.app import App
from paas.domain.config import checked
from paas.domain.event import EventKind
from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import ExitStatus, Identity, Instance, InstanceSpec, InstanceState
from paas.domain.names import ProcessType
from paas.domain.release import Release
from paas.engines.base import Attachment, TerminalSize
from paas.errors import ConflictError, EngineUnavailableError, PaasError
from paas.supervisor.attachment import LoggedAttachment
from paas.supervisor.free_ports import port_is_free
from paas.supervisor.journal import Journal
from paas.supervisor.launch import Launch, spec_of
from paas.supervisor.observed import Ending, Exit
from paas.supervisor.parts import Parts
from paas.supervisor.waiting import SLACK
from paas.threads import in_thread, to_its_end

log = logging.getLogger(__name__)

ATTACHED = "run, with somebody attached to it"
"""The cause of those that end with their caller, and so with the control plane."""
DETACHED = "run on its own"

_NOWHERE = Path("/dev/null")
_RETRY = 1.0
_SOON = 5.0
"""How long, in seconds, what is left of a one-off is waited for where it did not start, or where the engine is silent."""


@dataclass(frozen=True, slots=True)
class Run:
    """What to run once: a command in a release, with variables on top of its config."""

    app: App
    release: Release
    command: str
    type: ProcessType
    environment: Mapping[str, str]
    actor: str


class OneOff:
    """A running one-off; leaving it ends it and records how. `name` is what its log lines carry: `run.1`."""

    def __init__(
        self,
        instance: Instance,
        attachment: LoggedAttachment,
        *,
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        self.name = instance.name
        self.id = instance.id
        self.attachment = attachment
        self._leave = leave

    async def __aenter__(self) -> Self:
        await self.attachment.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._leave()


class OneOffs:
    """Starts one-offs and gives them their numbers: the lowest that no living one of the app has. It ends them too, on
    and on where the engine does not answer, and nobody waits for that much longer than `stop_grace` seconds."""

    def __init__(self, parts: Parts, *, stop_grace: float) -> None:
        self._store, self._engine, self._lines, self._clock = (
            parts.store,
            parts.engine,
            parts.lines,
            parts.clock,
        )
        self._boot_id, self._server = parts.boot_id, parts.server
        self._seen, self._wake = parts.observations, parts.wake
        self._journal = Journal(parts.store, parts.lines)
        self._numbers: set[tuple[AppId, ProcessType, int]] = set()
        self._stop_grace, self._stop_limit = stop_grace, stop_grace + SLACK
        self._attached: dict[InstanceId, LoggedAttachment] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def attach(self, run: Run, *, terminal: TerminalSize | None) -> OneOff:
        """Return the one-off, running; raises as `Engine.attach` does, and InvalidError for a bad variable. Nothing of it
        is left then, or as soon as the engine answers."""
        instance = await self._begin(run, cause=ATTACHED)
        attachment: Attachment | None = None
        try:
            attachment = await self._engine.attach(
                await self._spec(run, instance, output=_NOWHERE), terminal=terminal
            )
            running = await self._runs(run, instance, attachment.identity, cause=ATTACHED)
        except BaseException as error:
            await self._abandon(instance, str(error) or "it was cancelled", attachment=attachment)
            raise

        def say(text: str) -> None:
            self._lines.say(running.app, running.name, text, version=running.version, source="app")

        async def leave() -> None:
            work = self._left(running, attached)
            await self._see_to(work, name=f"end of {running.name}", within=self._stop_limit)

        attached = self._attached[running.id] = LoggedAttachment(attachment, say=say)
        return OneOff(running, attached, leave=leave)

    async def detach(self, run: Run, *, timeout: float | None) -> Instance:
        """Return the one-off, running with nobody attached; after `timeout` seconds the supervisor stops it."""
        instance = await self._begin(run, cause=DETACHED, time_limit=timeout)
        try:
            fifo = await self._lines.collect(
                id=instance.id, app=instance.app, instance=instance.name, version=instance.version
            )
            identity = await self._engine.start(await self._spec(run, instance, output=fifo))
            return await self._runs(run, instance, identity, cause=DETACHED)
        except BaseException as error:
            await self._abandon(instance, str(error) or "it was cancelled")
            raise

    async def stop(self, app: AppId, name: str, *, actor: str) -> Instance | None:
        """Have the one-off of that name stopped, with the grace, and return it as it stops; None where there is none. Who
        is attached to it hears how it ended. Raises ConflictError for one that still starts."""
        named = (each for each in self._seen.instances.values() if each.one_off and each.name == name)
        running = next((each for each in named if each.app == app), None)
        if running is None or running.state is InstanceState.STOPPING:
            return running
        if attached := self._attached.get(running.id):
            await attached.signal(signal.SIGTERM)
            work = self._killed_after_the_grace(attached)
            await self._see_to(work, name=f"stop of {name}", within=0)
            return replace(running, state=InstanceState.STOPPING)
        if running.id in self._seen.busy:
            raise ConflictError(f"{name} is just being started; nothing was changed. Stop it once it is up.")
        move = partial(self._store.instances.transition, running.id, InstanceState.STOPPING)
        stopping = await in_thread(move, cause=f"stopped by {actor}")
        self._seen.put(stopping, now=self._clock.monotonic())
        self._wake()
        return stopping

    async def close(self) -> None:
        """Return once what was attached has ended, and let go of what does not; what runs detached is left as it is."""
        is_silent = bool(self._endings) and await self._engine.silence() is not None
        if self._endings:  # still: the engine was asked meanwhile
            await asyncio.wait(self._endings, timeout=_SOON if is_silent else self._stop_limit)
        endings = list(self._endings)
        for task in endings:
            task.cancel()
        await asyncio.gather(*endings, return_exceptions=True)

    async def _begin(self, run: Run, *, cause: str, time_limit: float | None = None) -> Instance:
        checked(run.environment)
        number = self._next_number(run)
        self._numbers.add(number)
        try:
            begin = partial(
                self._store.instances.begin,
                app=run.app.id,
                release=run.release,
                type=run.type,
                index=number[2],
                epoch=0,
                cause=cause,
                wants_port=True,
                is_free=port_is_free,
                restarts=0,
                streak=0,
                one_off=True,
                boot_id=self._boot_id,
                time_limit=time_limit,
            )
            instance = await to_its_end(begin, undo=self._unbegun)
            self._seen.put(instance, now=self._clock.monotonic())
            self._seen.busy.add(instance.id)
            self._journal.starts(instance, run.command, actor=run.actor)
            return instance
        finally:
            self._numbers.discard(number)

    def _unbegun(self, instance: Instance) -> None:
        self._store.instances.ended(instance.id, ExitStatus(None), cause="it was cancelled")

    def _next_number(self, run: Run) -> tuple[AppId, ProcessType, int]:
        living = self._seen.instances.values()
        taken = {
            each.index for each in living if each.one_off and (each.app, each.type) == (run.app.id, run.type)
        }
        taken |= {index for app, name, index in self._numbers if (app, name) == (run.app.id, run.type)}
        return run.app.id, run.type, min(set(range(1, len(taken) + 2)) - taken)

    async def _spec(self, run: Run, instance: Instance, *, output: Path) -> InstanceSpec:
        launch = Launch(run.app, run.release, instance, run.command, run.environment)
        return await in_thread(spec_of, self._store, launch, output=output, server=self._server)

    async def _runs(self, run: Run, instance: Instance, identity: Identity, *, cause: str) -> Instance:
        def runs() -> Instance:
            self._store.instances.identified(instance.id, identity)
            return self._store.instances.up(instance.id, cause=cause)

        running = await self._journal.record(EventKind.RUN_STARTED, runs, cause=cause, actor=run.actor)
        self._seen.put(running, now=self._clock.monotonic())
        self._seen.busy.discard(instance.id)
        self._wake()
        return running

    # -- ending -----------------------------------------------------------------------------------------------
    async def _left(self, running: Instance, attachment: LoggedAttachment) -> None:
        await attachment.__aexit__()
        status = await attachment.wait()
        self._attached.pop(running.id, None)
        await self._end(running, status, cause=str(status))

    async def _abandon(self, instance: Instance, cause: str, *, attachment: Attachment | None = None) -> None:
        """Undo a start that failed. What the store cannot take the next control plane finds, and ends."""
        try:
            await self._engine.stop(instance.id, grace=0)
            within = _SOON
        except PaasError:
            within = 0.0
        work = self._undone(instance, cause, attachment)
        with suppress(PaasError):
            await self._see_to(work, name=f"undoing {instance.name}", within=within)

    async def _undone(self, instance: Instance, cause: str, attachment: Attachment | None) -> None:
        if attachment is not None:
            await attachment.__aexit__()
        await self._stopped(instance.id)
        await self._end(instance, ExitStatus(None), cause=cause)

    async def _killed_after_the_grace(self, attached: LoggedAttachment) -> None:
        ended, sleeping = (
            asyncio.ensure_future(each) for each in (attached.wait(), self._clock.sleep(self._stop_grace))
        )
        try:
            await asyncio.wait({ended, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            while not ended.done() and not await self._killed(attached):
                await self._clock.sleep(_RETRY)
        finally:
            ended.cancel()
            sleeping.cancel()

    async def _killed(self, attached: LoggedAttachment) -> bool:
        try:
            await attached.signal(signal.SIGKILL)
        except EngineUnavailableError:
            return False
        return True

    async def _stopped(self, id: InstanceId) -> None:
        """Return once an instance is stopped, however long the engine does not answer."""
        while True:
            try:
                await self._engine.stop(id, grace=0)
            except EngineUnavailableError as error:
                log.warning("the engine did not answer", extra={"instance": id, "error": error.message})
                await self._clock.sleep(_RETRY)
            else:
                return

    async def _see_to(self, work: Coroutine[None, None, None], *, name: str, within: float) -> None:
        """Return when the work is done, or after so many seconds: then it goes on by itself. Raises what it raises."""
        task = asyncio.create_task(work, name=name)
        self._endings.add(task)
        task.add_done_callback(self._over)
        await asyncio.wait([task], timeout=within)
        if task.done():
            task.result()

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._endings.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning(
                "a one-off was not seen to its end", extra={"work": task.get_name(), "error": str(error)}
            )

    async def _end(self, instance: Instance, status: ExitStatus, *, cause: str) -> None:
        """Write down how it ended. What the store cannot take now is left to the supervisor, which asks it again."""
        if instance.id not in self._seen.instances:
            return
        ended = partial(self._store.instances.ended, instance.id, status, cause=cause)
        try:
            over = await self._journal.record(EventKind.RUN_ENDED, ended, cause=cause)
        except PaasError as error:
            log.warning("an end is not written down", extra={"instance": instance.id, "error": error.message})
            self._seen.exited(instance.id, Exit(status, self._clock.monotonic(), reason=cause))
        else:
            self._seen.ended_as(over, Ending.STOPPED, at=self._clock.monotonic())
            self._seen.leftovers[over.id] = over
            self._journal.say(over, f"Process ended: {status}")
        self._seen.busy.discard(instance.id)
        self._wake()
