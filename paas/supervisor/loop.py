"""The supervisor: observe, reconcile, execute, again and again. Level-triggered: nudges, exits and the clock only wake
it, and any pass may be the first one."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from paas.clock import Clock
from paas.domain.app import App
from paas.domain.ids import AppId, InstanceId, ReleaseId
from paas.domain.instance import ExitStatus, Instance, InstanceState
from paas.domain.names import RUN, ProcessType
from paas.domain.release import Release
from paas.domain.route import RoutingTable
from paas.engines.base import Engine, TerminalSize
from paas.errors import EngineUnavailableError, PaasError
from paas.settings import EngineChoice, Settings
from paas.store.database import Store
from paas.supervisor import inspection
from paas.supervisor.adoption import Adoption
from paas.supervisor.backoff import MAX_JITTER
from paas.supervisor.desired import Desired, DesiredState
from paas.supervisor.executor import Executor
from paas.supervisor.health import Prober
from paas.supervisor.inspection import CheckResult
from paas.supervisor.journal import ACTOR
from paas.supervisor.observations import Observations
from paas.supervisor.observed import Exit, Verdict
from paas.supervisor.oneoff import OneOff, OneOffs, Run
from paas.supervisor.parts import Parts
from paas.supervisor.ports import Lines, Routing
from paas.supervisor.probes import Probes
from paas.supervisor.reconcile import reconcile
from paas.supervisor.request import connects
from paas.supervisor.routing import Publisher, routed_apps
from paas.supervisor.views import InstanceView, ShownState, unknown, views
from paas.supervisor.waiting import Shown, Waiting
from paas.supervisor.wake import Passes, Wake
from paas.threads import in_thread

__all__ = ["CheckResult", "InstanceView", "OneOff", "ShownState", "Supervisor"]

log = logging.getLogger(__name__)

LONGEST_PAUSE = 5.0
"""Seconds after which it looks again though nothing asked it to."""
AFTER_A_FAILURE = 1.0
FIRST_PASS_WITHIN = 10.0
ROUTERS_ANSWER_WITHIN = 5.0
ENGINE_ANSWERS_WITHIN = 10.0
"""A deployment outlasts a restart of what its instances run on; questions that a person waits for are asked once."""
ENGINE_ASKED_EVERY = 0.2
_STILL_ADOPTING = "The server still takes up what ran before it was started. Try again in a moment."
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Supervisor:
    """Keeps what should run running. One task owns all state; every other caller asks, wakes, or reads what the last
    pass saw."""

    def __init__(
        self,
        *,
        store: Store,
        engine: Engine,
        routing: Routing,
        lines: Lines,
        clock: Clock,
        settings: Settings,
        spawn_environment: Mapping[str, str] | None = None,
        boot_id: str | None = None,
        jitter: Callable[[], float] = lambda: random.uniform(0, MAX_JITTER),  # noqa: S311 - spreads load, no secret
    ) -> None:
        self._store, self._engine, self._clock = store, engine, clock
        self._jitter = jitter
        self._desired, self._seen, self._shown = DesiredState(store, settings), Observations(), Shown()
        self._wake, self._passes = Wake(clock), Passes(clock)
        self._reported: list[tuple[InstanceId, ExitStatus, float]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._adopted = False
        self._routing = routing
        self._publisher = Publisher(routing, clock=clock, acknowledged=self._wake.ring)
        self._prober = Prober(engine, clock=clock, boot_limit=settings.boot_limit)
        self._probes = Probes(self._prober, self._judge)
        parts = Parts(
            store=store,
            engine=engine,
            lines=lines,
            clock=clock,
            boot_id=boot_id or BOOT_ID.read_text().strip(),
            server=spawn_environment or {},
            observations=self._seen,
            wake=self._wake.ring,
        )
        self._executor = Executor(parts, routing, stop_grace=settings.stop_grace)
        self._one_offs = OneOffs(parts, stop_grace=settings.stop_grace)
        self._adoption = Adoption(parts, jitter=jitter)
        self._waiting = Waiting(
            shown=lambda: self._shown,
            passes=self._passes,
            wake=self._wake,
            publisher=self._publisher,
            lines=lines,
            clock=clock,
            boot_limit=settings.boot_limit,
            stop_limit=settings.drain_limit + settings.stop_grace,
        )

    # -- its own life ---------------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Adopt what runs, then begin to supervise; returns after the first pass. Called once.

        An engine that does not answer is asked again later: nothing is started and nothing is lost until it does.
        """
        self._engine.on_exit(self._exited)
        self._publisher.begin_after(self._routing.version)
        self._tasks = [
            asyncio.create_task(self._publisher.run(), name="routing table"),
            asyncio.create_task(self._run(), name="supervisor"),
        ]
        await self._waiting.next_pass(FIRST_PASS_WITHIN)

    async def stop(self, *, keep_apps: bool) -> None:
        """Let go of everything and leave the instances running, or stop each of them first, all at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._probes.close()
        instances = self._executor.close() if keep_apps else self._executor.stop_all("the server was stopped")
        await asyncio.gather(self._one_offs.close(), instances)

    def nudge(self) -> None:
        """Say that the store has changed: look now."""
        self._wake.ring()

    def on_unstable(self, callback: Callable[[AppId, ReleaseId, str], None]) -> None:
        """Name who is told, once for a release, that it keeps crashing in its first minute. It only enqueues."""
        self._executor.unstable.append(callback)

    # -- waiting --------------------------------------------------------------------------------------------------
    async def healthy(self, release: Release, *, say: Callable[[str], None]) -> None:
        """Return when every instance that the formation wants of `release` is healthy.

        Raises NotHealthyError as soon as one has ended, or was given up, instead; its last lines go to `say` first;
        EngineUnavailableError where the engine does not answer to begin with.
        """
        asked = self._waiting.ask()
        await self._expect_answers(within=ENGINE_ANSWERS_WITHIN)
        await self._waiting.healthy(release, asked, say=say)

    async def routed(self, app: AppId) -> None:
        """Return when the routers work from what the store says; raises OperationTimedOutError."""
        await self._waiting.routed(app)

    async def settled(self, app: AppId, *, within: float) -> None:
        """Return when nothing is left to start for the app; raises NotHealthyError or OperationTimedOutError, and
        EngineUnavailableError where waiting is in vain, as the engine does not answer."""
        asked = self._waiting.ask()
        await self._expect_answers(" What was asked for is kept, and done then.")
        found = await in_thread(self._store.apps.get_by_id, app)
        if found.current is not None:
            release = await in_thread(self._store.releases.get_by_id, found.current)
            await self._waiting.settled(release, asked, within=within)

    async def emptied(self, app: AppId) -> None:
        """Return when nothing of a destroyed app is left running; raises OperationTimedOutError."""
        await self._waiting.emptied(app)

    async def _expect_answers(self, consequence: str = "", *, within: float = 0.0) -> None:
        """Raise EngineUnavailableError where the engine does not answer within so many seconds."""
        deadline = self._clock.monotonic() + within
        while silence := await self._silence():
            if self._clock.monotonic() >= deadline:
                raise EngineUnavailableError(silence + consequence)
            await self._clock.sleep(ENGINE_ASKED_EVERY)

    async def _silence(self) -> str | None:
        """Return why nothing can be begun yet; None where it can."""
        if silence := await self._engine.silence():
            return silence
        return None if self._adopted else _STILL_ADOPTING

    # -- looking: what the last pass saw; any thread may ask -----------------------------------------------------------
    def instances(self, app: AppId) -> list[InstanceView]:
        """Return what `mini ps` shows of an app, each instance with the port that it knows as its own."""
        shown = self._shown
        found = views(shown.desired, shown.observed, app=app, now=self._clock.monotonic())
        return [replace(view, instance=self._with_own_port(view.instance)) for view in found]

    async def observed(self, app: AppId) -> list[InstanceView]:
        """Return the same, and what the engine would have to say is unknown where it does not answer."""
        found = self.instances(app)
        return [unknown(view) for view in found] if await self._engine.silence() else found

    def _with_own_port(self, instance: Instance) -> Instance:
        return replace(instance, port=instance.port and self._engine.port_inside(instance.id, instance.port))

    def routing_table(self) -> RoutingTable:
        """Return the newest routing table."""
        return self._publisher.table

    async def run_checks(self, app: AppId) -> list[CheckResult]:
        """Ask every check of every healthy web instance of an app once, now; nothing is restarted for it."""
        return await inspection.run_checks(self._prober, self._shown, app)

    async def exposed(self) -> list[str]:
        """Return the instances that can be reached beside the router, as `shop web.1 on port 20001`."""
        return await inspection.exposed(self._shown)

    # -- one-offs -------------------------------------------------------------------------------------------------
    async def attach(
        self,
        app: App,
        release: Release,
        *,
        command: str,
        environment: Mapping[str, str],
        terminal: TerminalSize | None,
        type: ProcessType = RUN,  # noqa: A002 - the glossary's word
        actor: str = ACTOR,
    ) -> OneOff:
        """Return a one-off that runs `command` with the caller at its other end. Raises as `Engine.attach` does."""
        await self._expect_answers()
        run = Run(app, release, command, type, environment, actor)
        return await self._one_offs.attach(run, terminal=terminal)

    async def detach_run(
        self,
        app: App,
        release: Release,
        *,
        command: str,
        environment: Mapping[str, str],
        type: ProcessType = RUN,  # noqa: A002 - the glossary's word
        timeout: float | None = None,
        actor: str = ACTOR,
    ) -> Instance:
        """Return a one-off that runs `command` on its own, for `timeout` seconds at most; it is never restarted."""
        await self._expect_answers()
        run = Run(app, release, command, type, environment, actor)
        return await self._one_offs.detach(run, timeout=timeout)

    async def stop_run(self, app: AppId, name: str, *, actor: str) -> Instance | None:
        """Have a one-off such as `run.1` stopped, with the grace, and return it; None where there is none of that name.
        Raises ConflictError for one that still starts, EngineUnavailableError."""
        return await self._one_offs.stop(app, name, actor=actor)

    # -- the loop -------------------------------------------------------------------------------------------------
    async def _run(self) -> None:
        while True:
            self._passes.begin()
            look_again = await self._guarded_pass()
            self._passes.end(worked=look_again is not None)
            again = self._seen.silent_until if look_again is None else look_again
            await self._wake.wait(min(again - self._clock.monotonic(), LONGEST_PAUSE))

    async def _guarded_pass(self) -> float | None:
        """Return when to look again, None where the pass failed: that is logged once, and the next one begins from
        what is so then."""
        try:
            return await self._pass()
        except PaasError as error:
            log.warning("a pass failed", extra={"error": error.message})
        except Exception:
            log.exception("a pass failed by a mistake of mini")
        self._seen.silent_until = self._clock.monotonic() + AFTER_A_FAILURE
        return None

    async def _pass(self) -> float:
        """Observe, reconcile, execute; return when to look again."""
        desired = await self._desired.now()
        if not self._adopted:
            await self._adopt(desired)
        await self._observe()
        now = self._clock.monotonic()
        self._seen.serves(desired, since=now)
        self._adopted = True
        plan = reconcile(desired, self._seen.snapshot(), now)
        self._route(desired)  # what has switched is routed before it is written down that the old drains
        self._passes.routed()
        try:
            await self._executor.carry_out(plan)
        finally:  # what is known is shown and routed, also where the store cannot take any more
            self._show(desired)
        return now if plan.is_followed_at_once else plan.look_again or now + LONGEST_PAUSE

    async def _adopt(self, desired: Desired) -> None:
        """Adopt what runs. Until the engine has said what that is, what lived is shown, and nothing is routed anew."""
        try:
            await self._adoption.run()
        finally:
            self._shown = Shown(desired, self._seen.snapshot())

    def _show(self, desired: Desired) -> None:
        self._probes.keep(desired, self._running())
        self._route(desired)
        self._shown = Shown(desired, self._seen.snapshot())

    def _route(self, desired: Desired) -> None:
        self._publisher.offer(routed_apps(desired, self._running(), ticket=self._store.tickets.of))

    def _running(self) -> list[Instance]:
        return [each for each in self._seen.instances.values() if each.id not in self._seen.exits]

    async def _observe(self) -> None:
        """Take in what was reported since the last pass, and ask what only asking can tell."""
        reported, self._reported = self._reported, []
        for id, status, at in reported:
            taken = await self._port_was_taken(id)
            self._seen.exited(id, Exit(status, at, jitter=self._jitter(), port_taken=taken))
        gone = [id for id in self._seen.draining if self._publisher.has_left(id)]
        if gone:
            in_flight = await self._in_flight()
            for id in gone:
                self._seen.in_flight(id, None if in_flight is None else in_flight.get(id, 0))

    async def _port_was_taken(self, id: InstanceId) -> bool:
        instance = self._seen.instances.get(id)
        if instance is None or instance.port is None or instance.state is not InstanceState.STARTING:
            return False
        return self._engine.kind is EngineChoice.PROCESS and await connects(instance.port)

    async def _in_flight(self) -> Mapping[InstanceId, int] | None:
        try:
            async with asyncio.timeout(ROUTERS_ANSWER_WITHIN):
                return await self._routing.in_flight()
        except (PaasError, TimeoutError) as error:
            log.warning("routers do not say what is in flight", extra={"error": str(error)})
            return None

    def _exited(self, id: InstanceId, status: ExitStatus) -> None:
        self._reported.append((id, status, self._clock.monotonic()))
        self._wake.ring()

    def _judge(self, id: InstanceId, verdict: Verdict | None) -> None:
        self._seen.judged(id, verdict)
        self._wake.ring()
