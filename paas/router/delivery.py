"""How a request gets to a backend: to which one, on a kept connection or a fresh one, and whether once more after a
loss. It writes no byte of the request and reads none of an answer.
"""

import asyncio
from typing import Protocol

from paas.router.backend import BackendConnection, LiveBackend
from paas.router.balancer import LiveApp
from paas.router.context import Context
from paas.router.forward import may_be_repeated
from paas.router.head import RequestHead
from paas.router.reach import UnreachedError, reach, reach_at_once
from paas.router.refusal import Refusal
from paas.router.sticky import ticket_of


class Sender(Protocol):
    """Whoever sends the request: an exchange."""

    def send(self, backend: LiveBackend, connection: BackendConnection) -> None:
        """Send it on this connection."""
        ...

    def refuse(self, refusal: Refusal) -> None:
        """Tell the client that there is none."""
        ...


class Delivery:
    """The way of one request to its backend. It keeps no sender, so that the two are freed without a search for cycles."""

    __slots__ = (
        "_connecting",
        "_context",
        "_head",
        "_repeated",
        "_without",
        "connect_seconds",
        "ticket",
    )

    def __init__(self, context: Context, head: RequestHead) -> None:
        self._context = context
        self._head = head
        self._connecting: asyncio.Task[None] | None = None
        self._repeated = False
        self._without: tuple[LiveBackend, ...] = ()
        """Who has just lost it, and does not get it again."""
        self.connect_seconds: float | None = None
        """What the last connection took; None until there is one."""
        self.ticket: str | None = None
        """Where the app is sticky: what the client brought, empty without one."""

    def begin(self, app: LiveApp, sender: Sender) -> None:
        """Have it sent for the first time."""
        if app.routed.sticky:
            self.ticket = ticket_of(self._head.kept) or ""
        # What cannot be repeated takes a fresh connection: one that was kept may have been closed at the other
        # end, and nobody could tell whether the request was seen.
        backend = self._choose(app) if may_be_repeated(self._head) else None
        connection = backend.take_unused() if backend is not None else None
        if backend is not None and connection is not None:
            self.connect_seconds = 0.0
            sender.send(backend, connection)
        else:
            self.connect(app, sender)

    def may_go_again(self, app: LiveApp, backend: LiveBackend, *, kept: bool) -> bool:
        """Return whether the request may be sent once more, after `backend` closed a `kept` connection or a fresh one
        without a word."""
        if self._repeated or not may_be_repeated(self._head):
            return False
        others = app.choose(without=(backend,)) is not None
        if not kept and not others:
            return False  # What killed it, if the request did, does not get to kill it again.
        if not kept:
            backend.set_aside()
        # The end of a kept connection says little of its backend, which may have found it idle for too long: it keeps
        # its place, and its sessions.
        if others and not (kept and self.ticket == backend.backend.ticket):
            self._without = (backend,)
        self._repeated = True
        return True

    def connect(self, app: LiveApp, sender: Sender) -> None:
        """Have it sent on a fresh connection."""
        began = self._context.loop.time()
        reached = reach_at_once(app, ticket=self.ticket, without=self._without)
        if reached is not None:
            self.connect_seconds = self._context.loop.time() - began
            sender.send(*reached)
        else:
            self._connecting = self._context.loop.create_task(self._reach(app, sender))

    def give_up(self) -> None:
        """Look for no connection any more."""
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None

    def _choose(self, app: LiveApp) -> LiveBackend | None:
        return (app.find(self.ticket) if self.ticket else None) or app.choose()

    async def _reach(self, app: LiveApp, sender: Sender) -> None:
        began = self._context.loop.time()
        try:
            backend, connection = await reach(self._context, app, ticket=self.ticket, without=self._without)
        except UnreachedError as error:
            self._connecting = None
            sender.refuse(error.refusal)
            return
        self._connecting = None
        self.connect_seconds = self._context.loop.time() - began
        sender.send(backend, connection)
