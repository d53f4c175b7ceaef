"""The steps of a deployment, one method each: act, record, say so. Their order is told in `releases.deploy`."""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from paas.clock import Clock
from paas.domain.app import App
from paas.domain.event import EventKind
from paas.domain.ids import ConfigId
from paas.domain.release import DeploymentKind, DeploymentState, Release
from paas.errors import OperationCancelledError, OperationTimedOutError, PaasError
from paas.store.database import Store
from paas.store.errors import PASSING
from paas.store.persistence import persist
from paas.threads import in_thread
from releases.changes import Draft, GoBack, Parts, Progress, Unchanged, serving
from releases.phase import run_release_phase
from releases.ports import SupervisorPart
from releases.records import recorded
from releases.revert import PLATFORM
from releases.scale import initial_counts
from releases.underway import Underway

log = logging.getLogger(__name__)

_NOT_YET_DRAINED = {"starting", "up", "draining"}


class Steps:
    """What deployments are made of."""

    def __init__(
        self,
        *,
        store: Store,
        supervisor: SupervisorPart,
        parts: Parts,
        clock: Clock,
        is_closing: Callable[[], bool],
    ) -> None:
        self._store = store
        self._supervisor = supervisor
        self._parts = parts
        self._clock = clock
        self._is_closing = is_closing

    async def draft(self, story: Underway) -> Draft | Unchanged:
        """Draft the release from what serves now, which may need a build."""
        if story.has_waited:
            story.app = await in_thread(self._store.apps.get_by_id, story.app.id)
            story.unchanged = await story.change.check(story.app, self._parts)
        if story.unchanged:
            return story.unchanged
        progress = Progress(story.output, lambda: self._advance(story, DeploymentState.BUILDING))
        return await story.change.draft(story.app, self._parts, progress)

    async def leave_unchanged(self, story: Underway, unchanged: Unchanged) -> None:
        """End without a release."""
        story.final = True
        await recorded(self._store.deployments.finish_unchanged, story.id, reason=unchanged.reason)
        story.output.step(unchanged.reason)

    async def number(self, story: Underway, draft: Draft) -> Release:
        """Make the release: from here its number is taken for good. Where no release phase comes between, it is a
        candidate in the same moment."""
        return await recorded(self._create, story, draft)

    async def run_release_phase(self, story: Underway, release: Release) -> None:
        """Run the release command, where there is one; the platform's own way back runs none."""
        command = _release_command(story, release)
        if command is None:
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
        story.began_starting = self._clock.monotonic()
        if story.deployment.state is not DeploymentState.STARTING:
            await recorded(self._make_candidate, story, release)
        self._supervisor.nudge()
        names = " ".join(story.starts)
        story.output.step(f"Starting {names}" if names else "Nothing to start: every type is at 0")

    async def become_healthy(self, story: Underway, release: Release) -> None:
        """Wait until every instance of the candidate is healthy."""
        if release.build is None:
            return
        await self._supervisor.healthy(release, say=story.output.line)
        story.healthy_after = self._clock.monotonic() - story.began_starting

    async def switch(self, story: Underway, release: Release) -> None:
        """Make the release the one that serves: one transaction, and too late to cancel."""
        story.final = True
        await recorded(self._switch, story, release)
        story.switched = True
        self._supervisor.nudge()

    async def route(self, story: Underway, release: Release) -> None:
        """Wait until the router sends to the new instances; the old ones drain and stop behind it."""
        if release.build is None:
            return
        await self._supervisor.routed(release.app)
        story.output.step(f"Healthy in {story.healthy_after:.1f} s{self._farewell(story)}")

    async def give_up(self, story: Underway, error: PaasError) -> None:
        """Record the failure: the candidate is desired no more, and the supervisor stops it. What fails behind the switch
        fails no deployment.

        Until it is recorded the candidate runs, so this returns no sooner, unless the server stops: the next start
        records it then.
        """
        story.final = True
        if story.switched:
            story.output.warning(error.message)
            return
        cancelled = isinstance(error, OperationCancelledError) and not isinstance(
            error, OperationTimedOutError
        )
        state = DeploymentState.CANCELLED if cancelled else DeploymentState.FAILED
        story.output.error(error.message)
        try:
            fail = partial(self._fail, story, state, error)
            await persist(fail, clock=self._clock, until=self._is_closing)
        except PASSING as problem:
            log.warning(
                "an end is left to the next start", extra={"deployment": story.id, "reason": problem.message}
            )
        self._supervisor.nudge()

    async def _advance(self, story: Underway, state: DeploymentState) -> None:
        if story.deployment.state is not state:
            story.deployment = await recorded(self._store.deployments.advance, story.id, state)

    def _create(self, story: Underway, draft: Draft) -> Release:
        with self._store.transaction():
            release = self._store.releases.create(
                story.app.id,
                kind=draft.kind,
                description=draft.description,
                build=draft.build,
                config=draft.config or self._config_that_serves(story.app),
                origin=draft.origin,
                actor=story.deployment.actor,
                deployment=story.id,
            )
            self._record_release(release)
            if release.build is not None and _release_command(story, release) is None:
                self._make_candidate(story, release)
        return release

    def _config_that_serves(self, app: App) -> ConfigId:
        serves = serving(self._store, app)
        return serves.config if serves else self._store.configs.save(app.id, {})

    def _make_candidate(self, story: Underway, release: Release) -> None:
        """Let the supervisor start it, which looks once it is nudged."""
        with self._store.transaction():
            served = self._store.releases.served(release.app)
            names = self._formation(release, served)
            story.deployment = self._store.deployments.advance(story.id, DeploymentState.STARTING)
        story.replaces = next((each for each in served if each.id == story.app.current), None)
        story.starts = tuple(names)

    def _formation(self, release: Release, served: Sequence[Release]) -> list[str]:
        """Give types that never served their first counts; return the names of the instances to start."""
        if release.manifest is None:
            return []
        manifests = [each.manifest for each in served if each.manifest]
        seen = {name for manifest in manifests for name in manifest.procfile.long_running}
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

    def _switch(self, story: Underway, release: Release) -> None:
        with self._store.transaction():
            self._store.deployments.succeed(story.id)
            if isinstance(story.change, GoBack) and story.change.unstable:
                self._record_revert(story.change, release)

    def _fail(self, story: Underway, state: DeploymentState, error: PaasError) -> None:
        with self._store.transaction():
            self._store.deployments.fail(story.id, state=state, code=error.code, reason=error.message)
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
        old = story.replaces
        if old is None or old.build is None:
            return ""
        states = {
            seen.state for seen in self._supervisor.instances(old.app) if seen.instance.release == old.id
        }
        return f", {old.name} {'draining' if states & _NOT_YET_DRAINED else 'drained'}"


def _release_command(story: Underway, release: Release) -> str | None:
    """Return what its release phase runs; the platform's own way back has none."""
    if release.manifest is None or story.change.kind is DeploymentKind.REVERT:
        return None
    return release.manifest.procfile.release_command
