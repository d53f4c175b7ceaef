"""Which release a rollback goes to, and whether it can. It makes nothing."""

from collections.abc import Sequence

from paas.domain.app import App
from paas.domain.build import Build
from paas.domain.ids import ReleaseId
from paas.domain.release import DeploymentState, Release
from paas.errors import ArtifactGoneError, EngineUnavailableError, InvalidError
from paas.store.database import Store
from paas.threads import in_thread
from releases.ports import Artifacts
from releases.reference import resolve


async def target(
    app: App, wanted: str | None, *, store: Store, artifacts: Artifacts
) -> tuple[Release, Build]:
    """Return the release to go back to and its build, whose artifact is there.

    Without `wanted` it is the newest that served before the current one's origin. Raises NotFoundError for an unknown
    one, InvalidError for one that cannot be a target, ArtifactGoneError.
    """
    release, build = await in_thread(_target, store, app, wanted)
    await verify(artifacts, build, release)
    return release, build


def _target(store: Store, app: App, wanted: str | None) -> tuple[Release, Build]:
    served = store.releases.served(app.id)
    if not served:
        raise InvalidError(f"No release of {app.name} serves yet: there is nothing to roll back. Push first.")
    current = served[0]
    chosen = resolve(store, app, wanted) if wanted is not None else earlier(served, current)
    if chosen is None:
        raise InvalidError(f"{app.name} has no earlier release than v{current.origin} to roll back to.")
    if chosen.id == current.id:
        raise InvalidError(
            f"{chosen.name} is the release of {app.name} that serves now: nothing to roll back."
        )
    if chosen.build is None:
        raise InvalidError(f"{chosen.name} was made before the first build: it runs nothing to go back to.")
    _check_it_served(store, chosen)
    # By its id: what is released again must still be what it was when it was sealed.
    sealed = store.releases.get_by_id(chosen.id)
    return sealed, store.builds.get_by_id(chosen.build)


def earlier(served: Sequence[Release], current: Release) -> Release | None:
    """Return the newest release that served before the current one's origin: repeating it never goes forward."""
    before = (release for release in served if release.version < current.origin and release.build is not None)
    return max(before, key=lambda release: release.version, default=None)


def targets(store: Store, app: App) -> set[ReleaseId]:
    """Return the releases that could be rolled back to: they served, and their artifact was not pruned."""
    kept = {build for _, build, _ in store.builds.artifacts()}
    return {
        release.id
        for release in store.releases.served(app.id)
        if release.build in kept and release.id != app.current
    }


async def verify(artifacts: Artifacts, build: Build, release: Release) -> None:
    """Raise ArtifactGoneError where what the release would run is not there any more."""
    if build.artifact is not None and await artifacts.has(build.artifact):
        return
    what = f"The artifact of {release.name}"
    # What once served was built: without an artifact it can only have been pruned.
    how = "was pruned, as it was no longer among those that are kept" if build.artifact is None else "is gone"
    raise ArtifactGoneError(
        f"{what} {how}; nothing was changed. Push commit {build.commit[:7]} again instead: "
        "it is built anew, and runs with the config of now."
    )


async def loss(artifacts: Artifacts, build: Build, release: Release) -> ArtifactGoneError | None:
    """Return what `verify` raises, None where nothing is lost; an engine that does not answer knows of no loss."""
    try:
        await verify(artifacts, build, release)
    except ArtifactGoneError as error:
        return error
    except EngineUnavailableError:
        pass
    return None


def _check_it_served(store: Store, release: Release) -> None:
    deployment = store.deployments.for_release(release.id)
    if not deployment.state.ended:
        raise InvalidError(f"{release.name} is still being deployed: it is no target for a rollback.")
    if deployment.state is not DeploymentState.SUCCEEDED:
        raise InvalidError(
            f"{release.name} never served ({deployment.reason.rstrip('.')}): it is no target for a rollback. "
            "`mini releases` shows those that served."
        )
