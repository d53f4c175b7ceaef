"""The lease: one releasing command of an app at a time, first come, first served.

It lives in the memory of the control plane alone: after a crash there is nothing to unlock.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from paas.clock import Clock
from paas.domain.app import App
from paas.domain.ids import AppId
from paas.errors import LeaseHeldError
from releases.deadline import within

TIDYING_LIMIT = 30.0
"""Seconds that even a command which does not wait gives one that tidies up."""


class Leases:
    """The queues of all apps. The first ticket of a queue holds the lease."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[AppId, deque[Ticket]] = {}

    def enter(self, app: App, *, who: str, wait: float) -> "Ticket":
        """Take the next place in the app's queue, to wait there for at most `wait` seconds.

        Raises LeaseHeldError at once where `wait` is 0 and another one holds the lease; one that tidies up does not
        count, it is over in a moment.
        """
        if wait <= 0 and (holder := self.holder(app.id)):
            raise LeaseHeldError(_held(app, holder))
        return self._add(Ticket(app, who=who, wait=wait if wait > 0 else TIDYING_LIMIT, leases=self))

    def enter_to_tidy(self, app: App, *, who: str) -> "Ticket | None":
        """Take the lease to tidy up behind the app, None where it is held: tidying up can wait for another time."""
        if self._queues.get(app.id):
            return None
        return self._add(Ticket(app, who=who, wait=0, leases=self, tidying=True))

    def holder(self, app: AppId) -> str | None:
        """Return who holds the app's lease or is next, `the push of 3f2c1ab by me`; one that tidies up does not count."""
        return next((each.who for each in self._queues.get(app, ()) if not each.tidying), None)

    def _add(self, ticket: "Ticket") -> "Ticket":
        self._queues.setdefault(ticket.app.id, deque()).append(ticket)
        return ticket

    def _holds(self, ticket: "Ticket") -> bool:
        queue = self._queues.get(ticket.app.id)
        return queue is not None and queue[0] is ticket

    def _leave(self, ticket: "Ticket") -> None:
        queue = self._queues.get(ticket.app.id)
        if not queue or ticket not in queue:
            return
        queue.remove(ticket)
        if queue:
            queue[0].turn.set()
        else:
            del self._queues[ticket.app.id]


class Ticket:
    """One place in an app's queue. `async with` it: inside, the lease is held; leaving passes it on."""

    def __init__(self, app: App, *, who: str, wait: float, leases: Leases, tidying: bool = False) -> None:
        self.app = app
        self.tidying = tidying
        self.who = who
        self.turn = asyncio.Event()
        self._wait = wait
        self._leases = leases

    @property
    def held(self) -> bool:
        """Whether the lease is this ticket's now."""
        return self._leases._holds(self)

    def leave(self) -> None:
        """Give the place up. Repeating it does nothing."""
        self._leases._leave(self)

    async def granted(self) -> None:
        """Return when the lease is this ticket's; raises LeaseHeldError once it has waited for as long as it may."""
        if self.held:
            return
        try:
            await within(self.turn.wait(), self._wait, clock=self._leases._clock)
        except TimeoutError:
            holder = self._leases.holder(self.app.id) or self.who
            raise LeaseHeldError(_held(self.app, holder, waited=self._wait)) from None

    async def __aenter__(self) -> Self:
        try:
            await self.granted()
        except BaseException:
            self.leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()


def _held(app: App, holder: str, *, waited: float = 0) -> str:
    still = f" still, after {waited:g} s of waiting" if waited else ""
    return f"{holder} holds the lease of {app.name}{still}. Try again, or wait longer with --wait-lock."
