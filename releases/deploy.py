"""The story of a deployment: lease, build, release, release phase, start, healthy, switch, routed.

Until the switch nothing that serves is touched, so whatever fails before it leaves everything as it was. The switch is
one transaction; behind it the supervisor drains and stops what is old. A crash at any point is undone by `recover`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial

from builds.git import Quarantine
from paas.clock import Clock
from paas.domain.app import App
from paas.domain.ids import Commit, DeploymentId, ReleaseId
from paas.domain.release import Deployment, DeploymentState, Release
from paas.errors import OperationCancelledError, PaasError
from paas.settings import Settings
from paas.store.database import Store
from paas.threads import in_thread, to_its_end
from releases import rollback
from releases.changes import Change, Configure, GoBack, Parts, Push, Unchanged
from releases.config import ConfigChanges
from releases.lease import Leases
from releases.outputs import OutputLine, Outputs
from releases.ports import Artifacts, BuildPart, Repositories, SupervisorPart
from releases.recovery import recover
from releases.retention import Retention
from releases.revert import PLATFORM, Reverts
from releases.steps import Steps
from releases.underway import Underway, too_late

log = logging.getLogger(__name__)

REVERT_WAIT = 900.0
"""Seconds that going back from an unstable release waits for the lease."""
_SERVER_STOPPED = (
    "The server was stopped meanwhile; nothing was changed. Start it with `mini server start`, and try again."
)


class Deployer:
    """Takes releasing commands and tells each one's story in a task of its own, one at a time for an app."""

    def __init__(
        self,
        *,
        store: Store,
        supervisor: SupervisorPart,
        builds: BuildPart,
        engine: Artifacts,
        repositories: Repositories,
        outputs: Outputs,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._repositories = repositories
        self._outputs = outputs
        self._parts = Parts(store, builds, engine, clock)
        self._steps = Steps(
            store=store,
            supervisor=supervisor,
            parts=self._parts,
            clock=clock,
            is_closing=lambda: self._is_closing,
        )
        self._underway: dict[DeploymentId, Underway] = {}
        self.leases = Leases(clock=clock)
        self.retention = Retention(
            store=store, builds=builds, leases=self.leases, settings=settings, clock=clock
        )
        self._is_closing = False
        self._reverts = Reverts(store, revert=self._revert)
        supervisor.on_unstable(self._reverts.consider)

    # -- what a user asks for: each returns at once with a deployment that is queued --------------------
    async def push(
        self,
        app: App,
        *,
        commit: Commit,
        ref: str,
        message: str,
        no_cache: bool,
        wait_lock: float,
        actor: str,
        quarantine: Quarantine | None = None,
    ) -> Deployment:
        """Deploy a commit. Raises NotFoundError where its objects were not pushed, LeaseHeldError where `wait_lock` is 0
        and another deployment is under way."""
        await self._repositories.resolve(app.id, commit, quarantine=quarantine)
        change = Push(commit, ref, message, no_cache, actor, quarantine)
        return await self._begin(app, change, wait_lock=wait_lock, actor=actor)

    async def set_config(
        self, app: App, *, changes: Mapping[str, str | None], wait_lock: float, actor: str
    ) -> Deployment:
        """Set variables, and unset those that are None. Raises InvalidError for a bad name or value, and as `push`."""
        change = Configure(ConfigChanges.checked(changes))
        return await self._begin(app, change, wait_lock=wait_lock, actor=actor)

    async def rollback(self, app: App, *, to: str | None, wait_lock: float, actor: str) -> Deployment:
        """Release an earlier release again, the one before the current one's origin where `to` is None.

        Raises NotFoundError, InvalidError and ArtifactGoneError for what cannot be gone back to, and as `push`.
        """
        return await self._begin(app, GoBack(to), wait_lock=wait_lock, actor=actor)

    async def rollback_target(self, app: App, to: str | None) -> Release:
        """Return where `rollback` would go; raises as it would. Nothing is changed."""
        now = await in_thread(self._store.apps.get_by_id, app.id)
        release, _ = await rollback.target(now, to, store=self._store, artifacts=self._parts.artifacts)
        return release

    async def cancel(self, app: App, deployment: Deployment) -> None:
        """Return when the deployment has ended without a change; raises ConflictError where it is too late."""
        underway = self._underway.get(deployment.id)
        if underway is None or underway.app.id != app.id:
            raise too_late(deployment)
        await underway.cancel()

    async def cancel_all(self, app: App) -> None:
        """Return when none of the app's deployments is under way any more."""
        await asyncio.gather(*(each.end() for each in list(self._underway.values()) if each.app.id == app.id))

    async def wait(self, deployment: Deployment) -> Deployment:
        """Return the deployment once it has ended and its output is complete."""
        if underway := self._underway.get(deployment.id):
            await underway.over.wait()
        return await in_thread(self._store.deployments.get, deployment.app, deployment.id)

    def output(self, deployment: DeploymentId, *, after: int = 0) -> AsyncIterator[OutputLine]:
        """Yield the deployment's lines with a sequence above `after`, then each new one until it has ended."""
        return self._outputs.follow(deployment, after=after)

    # -- the server's own life --------------------------------------------------------------------------
    async def recover(self) -> None:
        """Undo what a crash left half done. Called once, before the supervisor starts and anything is deployed."""
        await recover(self._store, self._outputs, clock=self._clock)

    async def close(self) -> bool:
        """Begin no more; cancel what has not switched, await what has. Return whether anything was under way."""
        self._is_closing = True
        await self._reverts.close()
        underway = list(self._underway.values())
        await asyncio.gather(*(each.end(_SERVER_STOPPED) for each in underway))
        await self.retention.close()
        return bool(underway)

    # -- the story --------------------------------------------------------------------------------------
    async def _tell(self, story: Underway) -> None:
        """Go through the steps. The ticket that is granted here `_see_through` gives back."""
        steps = self._steps
        await story.ticket.granted()
        draft = await steps.draft(story)
        if isinstance(draft, Unchanged):
            await steps.leave_unchanged(story, draft)
            return
        release = await steps.number(story, draft)
        await steps.run_release_phase(story, release)
        await steps.start_all_types(story, release)
        await steps.become_healthy(story, release)
        await steps.switch(story, release)
        await steps.route(story, release)

    async def _see_through(self, story: Underway) -> None:
        """Tell the story and record how it ended, whatever happens. Only then the next one has its turn: what failed
        is a candidate until its end is recorded."""
        try:
            await self._tell(story)
        except PaasError as error:
            await self._steps.give_up(story, error)
        except asyncio.CancelledError:
            await self._steps.give_up(story, OperationCancelledError(story.cancelled_by))
        except BaseException:
            log.exception("deployment ended by a mistake of mini", extra={"deployment": story.id})
            await self._steps.give_up(story, PaasError())
            raise
        finally:
            story.ticket.leave()
            try:
                await self._outputs.close(story.id)
            finally:
                del self._underway[story.id]
                story.over.set()
            self.retention.prune_soon(story.app.id)

    async def _begin(self, app: App, change: Change, *, wait_lock: float, actor: str) -> Deployment:
        """Queue a change. Where its turn is now already, what stands against it is raised instead of recorded, and
        one that changes nothing has ended when this returns."""
        if self._is_closing:
            raise OperationCancelledError(_SERVER_STOPPED)
        waits_for = self.leases.holder(app.id)
        ticket = self.leases.enter(app, who=f"{change.title} by {actor}", wait=wait_lock)
        unchanged, state = None, DeploymentState.QUEUED
        try:
            if not waits_for:
                await ticket.granted()
                app = await in_thread(self._store.apps.get_by_id, app.id)
                unchanged = await change.check(app, self._parts)
                state = DeploymentState.BUILDING if change.builds and not unchanged else state
            begin = partial(self._store.deployments.begin, app.id, kind=change.kind, actor=actor, state=state)
            deployment = await to_its_end(begin, undo=self._record_cancelled)
        except BaseException:
            ticket.leave()
            raise
        output = self._outputs.open(deployment.id)
        if waits_for:
            output.step(f"Waiting for {waits_for}")
        story = Underway(
            app, deployment, change, ticket, output, has_waited=bool(waits_for), unchanged=unchanged
        )
        self._underway[deployment.id] = story
        story.task = asyncio.create_task(self._see_through(story), name=f"deployment {deployment.id}")
        await asyncio.sleep(0)  # a task that is cancelled before its first step would not even record that
        return await self.wait(deployment) if unchanged else deployment

    def _record_cancelled(self, deployment: Deployment) -> None:
        error = OperationCancelledError()
        self._store.deployments.fail(
            deployment.id, state=DeploymentState.CANCELLED, code=error.code, reason=error.message
        )

    async def _revert(self, app: App, unstable: ReleaseId, cause: str) -> None:
        await self._begin(app, GoBack(None, unstable, cause), wait_lock=REVERT_WAIT, actor=PLATFORM)
