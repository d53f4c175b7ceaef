"""Getting through to a backend: try another where one refuses, and wait a moment where an app has just lost its last.

Nothing was sent yet at this point, so that any request may be tried any number of times.
"""

import asyncio
from collections.abc import Collection

from paas.router.backend import BackendConnection, LiveBackend
from paas.router.balancer import LiveApp
from paas.router.context import Context
from paas.router.refusal import H10, H14, H20, H99, NO_SUCH_APP, Refusal


class UnreachedError(Exception):
    """No backend took the connection; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.description)
        self.refusal = refusal


def reach_at_once(
    app: LiveApp, *, ticket: str | None = None, without: Collection[LiveBackend] = ()
) -> tuple[LiveBackend, BackendConnection] | None:
    """Return a fresh connection to the backend that should get a request; None where it takes more than one try."""
    backend = (app.find(ticket, without=without) if ticket else None) or app.choose(without=without)
    connection = backend.connect_at_once() if backend is not None else None
    return (backend, connection) if backend is not None and connection is not None else None


async def reach(
    context: Context,
    app: LiveApp,
    *,
    ticket: str | None = None,
    without: Collection[LiveBackend] = (),
) -> tuple[LiveBackend, BackendConnection]:
    """Return a fresh connection to a backend of `app`, if it can be that of `ticket`, and one of `without` only when
    all others refuse; raises UnreachedError once there is no hope."""
    deadline = context.loop.time() + context.limits.hold
    tried = set(without)
    refusal = H14
    while True:
        current = context.balancer.current(app)
        if current is None:
            raise UnreachedError(NO_SUCH_APP)
        app, changed = current, current.changed
        backend = app.find(ticket, without=tried) if ticket else None
        backend = backend or app.choose(without=tried)
        if backend is not None:
            outcome = await _connect(backend)
            if isinstance(outcome, Refusal):
                tried.add(backend)
                refusal = outcome
            elif backend.draining:
                outcome.close()  # It left the table meanwhile: it gets no new request.
            else:
                return backend, outcome
            continue
        if not app.backends and not tried:
            refusal = H14
        elif not tried:
            refusal = H10
        await _wait(context, app, changed=changed, deadline=deadline, refusal=refusal)
        tried.clear()


async def _connect(backend: LiveBackend) -> BackendConnection | Refusal:
    try:
        return await backend.connect()
    except TimeoutError:
        backend.set_aside()
        return H20
    except OSError as error:
        return H10 if backend.refused(error) else H99


async def _wait(
    context: Context, app: LiveApp, *, changed: asyncio.Event, deadline: float, refusal: Refusal
) -> None:
    """Return when another try makes sense; raises UnreachedError with `refusal` where none does."""
    left = deadline - context.loop.time()
    if left <= 0 or not (app.backends or context.balancer.may_return(app)):
        raise UnreachedError(refusal)
    try:
        # Without backends only the table can help; with some, each may accept again after its moment aside.
        async with asyncio.timeout(min(left, context.limits.aside) if app.backends else left):
            await changed.wait()
    except TimeoutError:
        return
