"""The steps of a deployment, one method each: act, record, say so. Their order is told in `releases.deploy`."""

from paas.clock import Clock
from paas.domain.event import EventKind
from paas.domain.ids import BuildId
from paas.domain.release import DeploymentKind, DeploymentState, Release
from paas.errors import DiskFullError, OperationCancelledError, OperationTimedOutError, PaasError
from paas.store.database import Store
from paas.threads import in_thread
from releases.changes import Draft, GoBack, Parts, Progress, Unchanged
from releases.phase import run_release_phase
from releases.ports import SupervisorPart
from releases.records import recorded
from releases.revert import PLATFORM
from releases.scale import initial_counts
from releases.underway import Underway

_NOT_YET_DRAINED = {"starting", "up", "draining"}


class Steps:
    """What deployments are made of."""

    def __init__(self, *, store: Store, supervisor: SupervisorPart, parts: Parts, clock: Clock) -> None:
        self._store = store
        self._supervisor = supervisor
        self._parts = parts
        self._clock = clock

    async def draft(self, story: Underway) -> Draft | Unchanged:
        """Draft the release from what serves now, which may need a build."""
        story.app = await in_thread(self._store.apps.get_by_id, story.app.id)
        progress = Progress(
            story.output,
            building=lambda: self._advance(story, DeploymentState.BUILDING),
            built=lambda build: self._advance(story, DeploymentState.BUILDING, build=build.id),
        )
        return await story.change.draft(story.app, self._parts, progress)

    async def leave_unchanged(self, story: Underway, unchanged: Unchanged) -> None:
        """End without a release."""
        story.final = True
        await recorded(self._store.deployments.finish_unchanged, story.id, reason=unchanged.reason)
        story.output.step(f"{unchanged.reason[0].upper()}{unchanged.reason[1:]}")

    async def number(self, story: Underway, draft: Draft) -> Release:
        """Make the release: from here its number is taken for good."""
        release = await recorded(
            self._store.releases.create,
            story.app.id,
            kind=draft.kind,
            description=draft.description,
            build=draft.build,
            config=draft.config,
            origin=draft.origin,
            actor=story.deployment.actor,
            deployment=story.id,
        )
        await recorded(self._record_release, release)
        return release

    async def run_release_phase(self, story: Underway, release: Release) -> None:
        """Run the release command, where there is one; the platform's own way back runs none."""
        command = release.manifest.procfile.release_command if release.manifest else None
        if command is None or story.change.kind is DeploymentKind.REVERT:
            return
        await self._advance(story, DeploymentState.RELEASING)
        story.output.step(f"Release phase: {command}")
        await run_release_phase(
            story.app,
            release,
            command=command,
            supervisor=self._supervisor,
            clock=self._clock,
            say=story.output.line,
        )

    async def start_all_types(self, story: Underway, release: Release) -> None:
        """Make the release a candidate: the supervisor starts it beside the one that serves. Without a build there is
        nothing to start."""
        if release.build is None:
            return
        names = await recorded(self._formation, release)
        story.output.step(f"Starting {' '.join(names)}" if names else "Nothing to start: every type is at 0")
        story.began_starting = self._clock.monotonic()
        await self._advance(story, DeploymentState.STARTING)
        self._supervisor.nudge()

    async def become_healthy(self, story: Underway, release: Release) -> None:
        """Wait until every instance of the candidate is healthy."""
        if release.build is None:
            return
        await self._supervisor.healthy(release, say=story.output.line)
        story.healthy_after = self._clock.monotonic() - story.began_starting

    async def switch(self, story: Underway, release: Release) -> None:
        """Make the release the one that serves: one transaction, and too late to cancel."""
        story.final = True
        await recorded(self._store.deployments.succeed, story.id)
        story.switched = True
        self._supervisor.nudge()
        if isinstance(story.change, GoBack) and story.change.unstable:
            await recorded(self._record_revert, story.change, release)

    async def route(self, story: Underway, release: Release) -> None:
        """Wait until the router sends to the new instances; the old ones drain and stop behind it."""
        if release.build is None:
            return
        await self._supervisor.routed(release.app)
        farewell = await in_thread(self._farewell, story)
        story.output.step(f"Healthy in {story.healthy_after:.1f} s{farewell}")

    async def give_up(self, story: Underway, error: PaasError) -> None:
        """Record the failure: the candidate is desired no more, and the supervisor stops it. What fails behind the switch
        fails no deployment."""
        story.final = True
        if story.switched:
            story.output.warning(error.message)
            return
        cancelled = isinstance(error, OperationCancelledError) and not isinstance(
            error, OperationTimedOutError
        )
        state = DeploymentState.CANCELLED if cancelled else DeploymentState.FAILED
        story.output.error(error.message)
        await recorded(self._record_failure, story, state, error)
        self._supervisor.nudge()

    async def _advance(
        self, story: Underway, state: DeploymentState, *, build: BuildId | None = None
    ) -> None:
        await recorded(self._store.deployments.advance, story.id, state, build=build)

    def _formation(self, release: Release) -> list[str]:
        """Give types that never served their first counts; return the names of the instances to start."""
        if release.manifest is None:
            return []
        served = [each.manifest for each in self._store.releases.served(release.app) if each.manifest]
        seen = {name for manifest in served for name in manifest.procfile.long_running}
        if first := initial_counts(release.manifest, seen=seen):
            self._store.formations.set(release.app, first)
        counts = self._store.formations.get(release.app)
        types = release.manifest.procfile.long_running
        return [f"{name}.{index}" for name in types for index in range(1, counts.get(name, 0) + 1)]

    def _record_release(self, release: Release) -> None:
        self._store.events.append(
            EventKind.RELEASE_CREATED,
            app=release.app,
            actor=release.actor,
            cause=release.description,
            details={"version": release.version},
        )

    def _record_failure(self, story: Underway, state: DeploymentState, error: PaasError) -> None:
        fail = self._store.deployments.fail
        try:
            fail(story.id, state=state, code=error.code, reason=error.message)
        except DiskFullError:  # the store has made room for so little
            fail(story.id, state=state, code=error.code, reason=error.message)
        self._store.events.append(
            EventKind.DEPLOYMENT_FAILED,
            app=story.app.id,
            actor=story.deployment.actor,
            cause=error.message,
            details={"deployment": story.id, "code": error.code},
        )

    def _record_revert(self, change: GoBack, release: Release) -> None:
        assert change.unstable is not None  # noqa: S101 - what makes it a revert
        unstable = self._store.releases.get_by_id(change.unstable)
        self._store.events.append(
            EventKind.RELEASE_REVERTED,
            app=release.app,
            actor=PLATFORM,
            cause=change.cause,
            details={"from": unstable.version, "to": release.origin, "release": release.version},
        )

    def _farewell(self, story: Underway) -> str:
        """Return what becomes of the release that served before: `, v41 drained`."""
        old = self._store.releases.get_by_id(story.app.current) if story.app.current else None
        if old is None or old.build is None:
            return ""
        states = {
            seen.state for seen in self._supervisor.instances(old.app) if seen.instance.release == old.id
        }
        return f", {old.name} {'draining' if states & _NOT_YET_DRAINED else 'drained'}"
