"""Real stores for tests: a database that was migrated once is copied for each."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from paas.clock import Clock, SystemClock
from paas.domain.app import App
from paas.domain.build import Build, Slug
from paas.domain.config import checked
from paas.domain.ids import Commit
from paas.domain.names import process_type
from paas.domain.process import Manifest, Procfile
from paas.domain.release import DeploymentKind, DeploymentState, Release, ReleaseKind
from paas.settings import Settings
from paas.store.database import Store
from paas.store.migrate import migrate

WEB_ONLY = {"web": "serve"}


def open_store(tmp_path: Path, *, settings: Settings | None = None, clock: Clock | None = None) -> Store:
    """Return a new store in `tmp_path / "home"`, or where `settings` says; one that is there is opened again."""
    settings = settings or Settings(home=tmp_path / "home")
    if not settings.database.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        settings.database.write_bytes(_template())
    return Store.open(settings, clock=clock or SystemClock())


def add_build(store: Store, app: App, *, commit: str = "a", commands: Mapping[str, str] = WEB_ONLY) -> Build:
    """Return a succeeded build of the commit whose id is 40 times `commit`, with those process types."""
    begun = store.builds.begin(
        app.id, commit=Commit(commit * 40), ref="main", builder="slug-1", actor="tester"
    )
    procfile = Procfile({process_type(name): command for name, command in commands.items()})
    return store.builds.succeed(begun.id, artifact=Slug(key=f"slug-{begun.id}"), manifest=Manifest(procfile))


def add_release(
    store: Store, app: App, *, build: Build | None = None, variables: Mapping[str, str] | None = None
) -> Release:
    """Return a new release of the app whose deployment is STARTING: a candidate."""
    deployment = store.deployments.begin(app.id, kind=DeploymentKind.PUSH, actor="tester")
    store.deployments.advance(deployment.id, DeploymentState.STARTING)
    return store.releases.create(
        app.id,
        kind=ReleaseKind.DEPLOY,
        description="Deploy aaaaaaa",
        build=build,
        config=store.configs.save(app.id, checked(variables or {})),
        origin=None,
        actor="tester",
        deployment=deployment.id,
    )


def serve_release(
    store: Store, app: App, *, build: Build | None = None, variables: Mapping[str, str] | None = None
) -> Release:
    """Return a new release of the app that serves."""
    release = add_release(store, app, build=build, variables=variables)
    store.deployments.succeed(store.deployments.for_release(release.id).id)
    return release


@cache
def _template() -> bytes:
    with TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        migrate(settings, clock=SystemClock())
        return settings.database.read_bytes()
