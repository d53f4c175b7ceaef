"""Waiting for what the supervisor brings about: healthy, routed, settled, emptied. Waiting changes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from paas.clock import Clock
from paas.domain.ids import AppId
from paas.domain.log import LogFilter
from paas.domain.release import Release
from paas.errors import NotHealthyError, OperationCancelledError, OperationTimedOutError, PaasError
from paas.supervisor.desired import Desired
from paas.supervisor.observed import Ended, Observed
from paas.supervisor.outlook import Outlook, outlook
from paas.supervisor.ports import Lines
from paas.supervisor.routing import Publisher
from paas.supervisor.wake import Passes, Wake

SLACK = 30.0
"""Seconds beyond a limit for booting or stopping after which waiting ends even where the engine says nothing at all."""
ROUTED_WITHIN = 30.0
LAST_LINES = 10
_LINES_WITHIN = 5.0


@dataclass(slots=True)
class Shown:
    """What the last pass saw. Replaced as a whole, so that any thread may read it."""

    desired: Desired = field(default_factory=Desired)
    observed: Observed = field(default_factory=Observed)


@dataclass(frozen=True, slots=True)
class Asked:
    """When somebody asked, and the first pass that sees all that was so then."""

    number: int
    at: float


class Waiting:
    """Waits, pass by pass, until what the caller asks for is so. Every wait has a deadline."""

    def __init__(
        self,
        *,
        shown: Callable[[], Shown],
        passes: Passes,
        wake: Wake,
        publisher: Publisher,
        lines: Lines,
        clock: Clock,
        boot_limit: float,
        stop_limit: float,
    ) -> None:
        self._shown, self._passes, self._wake, self._publisher = shown, passes, wake, publisher
        self._lines, self._clock = lines, clock
        self._boot_limit, self._stop_limit = boot_limit, stop_limit + SLACK

    def ask(self) -> Asked:
        """Have the supervisor look at what is so now. To be called before anything is awaited: a pass that has begun by
        itself meanwhile is as good, and one more would be in its way."""
        self._wake.ring()
        return Asked(self._passes.next_to_begin(), self._clock.monotonic())

    async def healthy(self, release: Release, asked: Asked, *, say: Callable[[str], None]) -> None:
        """Return when every instance wanted of `release` is up; raises NotHealthyError as soon as one is not going
        to be, after its last lines went to `say`."""
        limit = self._boot_limit + SLACK
        ahead = await self._until_up(release, asked, within=limit)
        if ahead.broken:
            await self._say_last_lines(ahead.broken, say)
            raise _not_healthy(release, ahead.broken)
        if ahead.missing:
            names = ", ".join(each.place.name for each in ahead.missing)
            raise NotHealthyError(
                f"{names} of {release.name} did not become healthy within {limit:.0f} s. "
                "See `mini logs` for what they printed."
            )

    async def settled(self, release: Release, asked: Asked, *, within: float) -> None:
        """Return when nothing of `release` is left to start; raises NotHealthyError or OperationTimedOutError."""
        ahead = await self._until_up(release, asked, within=within)
        if ahead.broken:
            raise _not_healthy(release, ahead.broken)
        if ahead.missing:
            names = ", ".join(each.place.name for each in ahead.missing)
            raise OperationTimedOutError(
                f"{names} did not come up within {within:.0f} s; mini keeps trying. See `mini ps`."
            )

    async def routed(self, app: AppId) -> None:
        """Return when the routers work from what the store says now; raises OperationTimedOutError."""
        asked = self.ask()
        await self._until(lambda: self._passes.has_routed(asked.number), within=ROUTED_WITHIN)
        if not await self._publisher.acknowledged(ROUTED_WITHIN):
            name = self._name_of(app)
            raise OperationTimedOutError(
                f"The router has not taken the routes of {name} yet; mini keeps trying."
            )

    async def emptied(self, app: AppId) -> None:
        """Return when nothing of the app runs any more, its one-offs included; raises OperationTimedOutError."""
        await self._looked(self.ask(), within=self._stop_limit)
        if not await self._until(lambda: not self._anything_of(app), within=self._stop_limit):
            raise OperationTimedOutError("Not everything of the app has stopped yet; mini keeps trying.")

    async def next_pass(self, within: float) -> None:
        """Return when a pass that began after this call has ended, or after `within` seconds."""
        await self._looked(self.ask(), within=within)

    # -- how ------------------------------------------------------------------------------------------------------
    async def _until_up(self, release: Release, asked: Asked, *, within: float) -> Outlook:
        await self._looked(asked, within=within)

        def ahead() -> Outlook:
            shown = self._shown()
            return outlook(shown.desired, shown.observed, app=release.app, release=release.id, since=asked.at)

        def is_over() -> bool:
            now = ahead()
            return now.broken is not None or not now.missing

        await self._until(is_over, within=within)
        final = ahead()
        if not final.known:
            raise OperationCancelledError(f"{release.name} neither serves nor is being deployed any more.")
        return final

    async def _looked(self, asked: Asked, *, within: float) -> None:
        await self._until(lambda: self._passes.has_ended(asked.number), within=within)

    async def _until(self, check: Callable[[], bool], *, within: float) -> bool:
        deadline = self._clock.monotonic() + within
        while not check():
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return False
            await self._passes.wait(left)
        return True

    async def _say_last_lines(self, broken: Ended, say: Callable[[str], None]) -> None:
        """The last lines are worth waiting for, but no reason to fail in another way than the instance did."""
        instance = broken.instance
        await self._until(lambda: instance.id not in self._shown().observed.leftovers, within=_LINES_WITHIN)
        wanted = LogFilter(source="app", instance=instance.name, version=instance.version)
        try:
            async with asyncio.timeout(_LINES_WITHIN):
                lines = await self._lines.tail(instance.app, filter=wanted, last=LAST_LINES)
        except (PaasError, TimeoutError):
            return
        for line in lines:
            say(f"app[{line.instance}]: {line.text}")

    def _anything_of(self, app: AppId) -> bool:
        observed = self._shown().observed
        living = [*observed.instances.values(), *observed.leftovers.values()]
        return any(instance.app == app for instance in living)

    def _name_of(self, app: AppId) -> str:
        desired = self._shown().desired.apps.get(app)
        return desired.app.name if desired else "the app"


def _not_healthy(release: Release, broken: Ended) -> NotHealthyError:
    instance = broken.instance
    if instance.identity is None:
        reason = instance.cause.partition(": ")[2]
        return NotHealthyError(f"{instance.name} of {release.name} could not be started. {reason}")
    if instance.cause.endswith(str(instance.exit)) and instance.up_at is None:
        happened = f"ended ({instance.exit}) before it was healthy"
    else:
        happened = instance.cause.partition(": ")[2] or str(instance.exit)
    return NotHealthyError(
        f"{instance.name} of {release.name} did not become healthy: it {happened}. "
        f"See `mini logs -p {instance.name} --release {release.name}`."
    )
