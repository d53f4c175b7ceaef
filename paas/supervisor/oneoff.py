"""One-offs: a command run once in a release and its config, attached to a caller or detached. Nothing restarts them,
and nothing of them is left behind."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
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
from paas.engines.base import TerminalSize
from paas.errors import PaasError
from paas.supervisor.attachment import LoggedAttachment
from paas.supervisor.free_ports import port_is_free
from paas.supervisor.journal import Journal
from paas.supervisor.launch import Launch, spec_of
from paas.supervisor.observed import Ending
from paas.supervisor.parts import Parts
from paas.threads import in_thread

ATTACHED = "run, with somebody attached to it"
"""The cause of those that end with their caller, and so with the control plane."""
DETACHED = "run on its own"

_NOWHERE = Path("/dev/null")


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
        ended: Callable[[ExitStatus], Awaitable[None]],
    ) -> None:
        self.name = instance.name
        self.id = instance.id
        self.attachment = attachment
        self._ended = ended

    async def __aenter__(self) -> Self:
        await self.attachment.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.attachment.__aexit__(*exc)
        await self._ended(await self.attachment.wait())


class OneOffs:
    """Starts one-offs and gives them their numbers: the lowest that no living one of the app has."""

    def __init__(self, parts: Parts) -> None:
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
        self._limits: set[asyncio.Task[None]] = set()

    async def attach(self, run: Run, *, terminal: TerminalSize | None) -> OneOff:
        """Return the one-off, running; raises as `Engine.attach` does, and InvalidError for a bad variable, and nothing
        of it is left then."""
        instance = await self._begin(run, cause=ATTACHED)
        try:
            attachment = await self._engine.attach(
                await self._spec(run, instance, output=_NOWHERE), terminal=terminal
            )
            running = await self._runs(run, instance, attachment.identity, cause=ATTACHED)
        except BaseException as error:
            await self._abandon(instance, str(error) or "it was cancelled")
            raise

        def say(text: str) -> None:
            self._lines.say(running.app, running.name, text, version=running.version, source="app")

        async def ended(status: ExitStatus) -> None:
            await self._end(running, status, cause=str(status))

        return OneOff(running, LoggedAttachment(attachment, say=say), ended=ended)

    async def detach(self, run: Run, *, timeout: float | None) -> Instance:
        """Return the one-off, running with nobody attached; after `timeout` seconds it is stopped."""
        instance = await self._begin(run, cause=DETACHED)
        try:
            fifo = await self._lines.collect(
                id=instance.id, app=instance.app, instance=instance.name, version=instance.version
            )
            identity = await self._engine.start(await self._spec(run, instance, output=fifo))
            running = await self._runs(run, instance, identity, cause=DETACHED)
        except BaseException as error:
            await self._abandon(instance, str(error) or "it was cancelled")
            raise
        if timeout is not None:
            task = asyncio.create_task(self._limit(running.id, timeout), name=f"limit of {running.name}")
            self._limits.add(task)
            task.add_done_callback(self._limits.discard)
        return running

    async def close(self) -> None:
        """Let go of the time limits; what runs is left as it is."""
        for task in self._limits:
            task.cancel()
        await asyncio.gather(*self._limits, return_exceptions=True)

    async def _begin(self, run: Run, *, cause: str) -> Instance:
        checked(run.environment)
        number = self._next_number(run)
        self._numbers.add(number)
        try:
            instance = await in_thread(
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
            )
            self._seen.put(instance, now=self._clock.monotonic())
            self._seen.busy.add(instance.id)
            return instance
        finally:
            self._numbers.discard(number)

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
            return self._store.instances.transition(instance.id, InstanceState.UP, cause=cause)

        running = await self._journal.record(EventKind.RUN_STARTED, runs, cause=cause, actor=run.actor)
        self._seen.put(running, now=self._clock.monotonic())
        self._seen.busy.discard(instance.id)
        self._wake()
        self._journal.say(running, f"Starting process with command `{run.command}` by {run.actor}")
        return running

    async def _abandon(self, instance: Instance, cause: str) -> None:
        """Undo a start that failed. Where even that fails, the next control plane finds the rest and ends it."""
        with suppress(PaasError):
            await self._engine.stop(instance.id, grace=0)
            await self._end(instance, ExitStatus(None), cause=cause)

    async def _end(self, instance: Instance, status: ExitStatus, *, cause: str) -> None:
        if instance.id not in self._seen.instances:
            return
        ended = partial(self._store.instances.ended, instance.id, status, cause=cause)
        over = await self._journal.record(EventKind.RUN_ENDED, ended, cause=cause)
        self._seen.ended_as(over, Ending.STOPPED, at=self._clock.monotonic())
        self._seen.leftovers[over.id] = over
        self._seen.busy.discard(instance.id)
        self._wake()
        self._journal.say(over, f"Process ended: {status}")

    async def _limit(self, id: InstanceId, timeout: float) -> None:
        await self._clock.sleep(timeout)
        await self._engine.stop(id, grace=0)
