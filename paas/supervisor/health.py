"""Health of web instances: readiness before they get requests, liveness ever after. It finds out; it stops nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from paas.clock import Clock
from paas.domain.instance import Instance
from paas.domain.process import Check, CheckKind
from paas.engines.base import Engine
from paas.errors import EngineUnavailableError
from paas.settings import EngineChoice
from paas.supervisor.observed import NotReady, Ready, Unwell
from paas.supervisor.request import ask, connects

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.25
_SHARE = 0.02
"""Of the time that has been looked for already: so much is added to a boot by not looking all the time."""
_REST = 4
"""Times as long as the look took, which is 0.3 ms or 10, by the engine: so looking takes a fifth of the time at most."""
_FOREIGNERS_AFTER = 1.0
"""Seconds of silence after which somebody else may be on the port: most apps listen sooner than that."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One web instance with what is asked of it."""

    instance: Instance
    port: int
    host: str
    """The app's own host name, which checks send."""
    checks: tuple[Check, ...]

    def of_kind(self, kind: CheckKind) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.kind is kind)


class Prober:
    """Examines instances, one at a time; it keeps nothing of them."""

    def __init__(self, engine: Engine, *, clock: Clock, boot_limit: float) -> None:
        self._engine, self._clock, self._boot_limit = engine, clock, boot_limit

    async def readiness(self, examined: Examined) -> Ready | NotReady:
        """Return once the instance listens on its own port and passes its startup checks, or cannot any more."""
        deadline = examined.instance.started_monotonic + self._boot_limit
        found = await self._listening(examined, deadline)
        if isinstance(found, NotReady):
            return found
        for check in examined.of_kind(CheckKind.STARTUP):
            if reason := await self._startup(examined, check, found, deadline):
                return NotReady(reason)
        return Ready(found, f"it listens on its port {self._inside(examined)}")

    async def liveness(self, examined: Examined, report: Callable[[Unwell | None], None]) -> None:
        """Report whenever the instance turns unwell, or well again by every check; runs until cancelled."""
        unwell: set[Check] = set()
        async with asyncio.TaskGroup() as group:
            for check in dict.fromkeys(examined.of_kind(CheckKind.LIVENESS)):
                group.create_task(self._watch(examined, check, unwell, report))

    async def _watch(
        self, examined: Examined, check: Check, unwell: set[Check], report: Callable[[Unwell | None], None]
    ) -> None:
        """Ask one liveness check at its own interval; `unwell` has every check that failed too often."""
        begins = examined.instance.started_monotonic + check.initial_delay
        await self._clock.sleep(max(0.0, begins - self._clock.monotonic()))
        failures = 0
        while True:
            await self._clock.sleep(check.interval)
            if reason := await self.ask_once(examined, check, timeout=check.timeout):
                failures += 1
                if failures >= check.attempts:
                    unwell.add(check)
                    report(Unwell(f"{reason} ({failures} times in a row)"))
                continue
            failures = 0
            if check in unwell:
                unwell.remove(check)
                if not unwell:
                    report(None)

    async def ask_once(self, examined: Examined, check: Check, *, timeout: float) -> str | None:
        """Ask one check now; return what is wrong, None where nothing is known to be."""
        try:
            address = await self._engine.address(examined.instance.id, examined.port)
        except EngineUnavailableError:
            return None
        if address is None:
            return f"does not listen on its port {self._inside(examined)}"
        return await ask(address, check, host=examined.host, timeout=timeout) if check.path else None

    async def _listening(self, examined: Examined, deadline: float) -> str | NotReady:
        began = self._clock.monotonic()
        while True:
            asked = self._clock.monotonic()
            try:
                if address := await self._engine.address(examined.instance.id, examined.port):
                    return address
                took = self._clock.monotonic() - asked
                pause = min(max(_SHORTEST_PAUSE, _SHARE * (asked - began), _REST * took), _LONGEST_PAUSE)
                if await self._is_held_by_another(examined):
                    return NotReady(f"another program holds its port {examined.port}", port_taken=True)
                if self._clock.monotonic() >= deadline:
                    return NotReady(await self._why_silent(examined))
            except EngineUnavailableError:
                pause = _LONGEST_PAUSE
            await self._clock.sleep(pause)

    async def _is_held_by_another(self, examined: Examined) -> bool:
        """Ask twice: between the first answer and the connection the instance itself may have begun to listen."""
        silent_for = self._clock.monotonic() - examined.instance.started_monotonic
        if silent_for < _FOREIGNERS_AFTER or self._engine.kind is not EngineChoice.PROCESS:
            return False
        if not await connects(examined.port):
            return False
        return await self._engine.address(examined.instance.id, examined.port) is None

    async def _why_silent(self, examined: Examined) -> str:
        ports, inside = await self._engine.listening(examined.instance.id), self._inside(examined)
        within = f"within {self._boot_limit:.0f} s"
        its_port = f"its PORT {inside}" + (" (the image's EXPOSE)" if inside != examined.port else "")
        if inside in ports:
            return f"listens on {its_port} only inside its container: let it bind $HOST or 0.0.0.0, not 127.0.0.1"
        if ports:
            others = ", ".join(map(str, ports))
            return f"listens on port {others} but not on {its_port} {within}: let it read $PORT"
        return f"did not listen on {its_port} {within}: let it bind $PORT"

    def _inside(self, examined: Examined) -> int:
        return self._engine.port_inside(examined.instance.id, examined.port)

    async def _startup(self, examined: Examined, check: Check, address: str, deadline: float) -> str | None:
        if check.path is None:
            return None
        begins = examined.instance.started_monotonic + check.initial_delay
        await self._clock.sleep(max(0.0, begins - self._clock.monotonic()))
        reason: str | None = None
        for attempt in range(max(1, check.attempts)):
            if attempt:
                await self._clock.sleep(check.interval)
            reason = await ask(address, check, host=examined.host, timeout=check.timeout)
            if reason is None or self._clock.monotonic() >= deadline:
                break
        return reason
