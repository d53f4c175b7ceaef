"""A deployment while it is under way: its place in the queue, its output, its task, and when it is too late to cancel."""

import asyncio
from dataclasses import dataclass, field

from paas.domain.app import App
from paas.domain.ids import DeploymentId
from paas.domain.release import Deployment, Release
from paas.errors import ConflictError
from releases.changes import Change, Unchanged
from releases.lease import Ticket
from releases.outputs import Output


@dataclass(slots=True)
class Underway:
    """One deployment that has not ended."""

    app: App
    deployment: Deployment
    change: Change
    ticket: Ticket
    output: Output
    has_waited: bool
    """Whether another deployment came before it: what it starts from is not known yet then."""
    unchanged: Unchanged | None
    """Why it has nothing to do, as far as that is known."""
    task: asyncio.Task[None] | None = None
    final: bool = False
    """Whether its end is settled, because it switches, gives up or is being cancelled: from there it goes through."""
    switched: bool = False
    replaces: Release | None = None
    """What served when it became a candidate."""
    starts: tuple[str, ...] = ()
    """The names of the instances that it starts as a candidate."""
    began_starting: float = 0.0
    healthy_after: float = 0.0
    cancelled_by: str | None = None
    """Why it was cancelled, where nobody asked for it: a sentence for who waits."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> DeploymentId:
        return self.deployment.id

    async def cancel(self) -> None:
        """Return when it has ended, cancelled; raises ConflictError where its end is settled already."""
        if self.final:
            raise too_late(self.deployment)
        await self.end()

    async def end(self, because: str | None = None) -> None:
        """Return when it has ended: cancelled, or where its end is settled already, in that way."""
        if self.task is not None and not self.final:
            self.final = True
            self.cancelled_by = because
            self.task.cancel()
        await self.over.wait()


def too_late(deployment: Deployment) -> ConflictError:
    """Return the error for a deployment that cannot be cancelled any more."""
    return ConflictError(
        f"Deployment {deployment.id} cannot be cancelled any more: it has switched, or is about to end. "
        "Undo a release with `mini rollback`."
    )
