"""Releases: list, show, compare, roll back."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from api import schemas, views
from api.routes.deployments import output_lines, shown
from api.services import By, Here, Services, TheApp
from api.streams import stream
from paas.domain.app import App
from paas.domain.ids import ReleaseId
from paas.domain.release import Deployment, Release
from paas.threads import in_thread
from releases.reference import resolve

router = APIRouter(prefix="/v1/apps/{app}", tags=["releases"])


@router.get("/releases")
async def list_releases(
    app: TheApp, here: Here, limit: Annotated[int, Query(ge=1, le=10_000)] = 15
) -> list[schemas.Release]:
    """The app's releases, newest first."""
    return await in_thread(_listed, here, app, limit)


@router.get("/releases/{release}")
async def show_release(app: TheApp, release: str, here: Here) -> schemas.Release:
    """One release."""
    return await in_thread(lambda: _documents(here, app, [_with_deployment(here, app, release)])[0])


@router.get("/releases/{release}/output", response_class=StreamingResponse)
async def release_output(app: TheApp, release: str, here: Here, request: Request) -> StreamingResponse:
    """The output of the deployment that made the release, its release phase included."""
    _, made_by = await in_thread(_with_deployment, here, app, release)
    return stream(request, output_lines(here, made_by.id))


@router.get("/diff")
async def diff(
    app: TheApp,
    here: Here,
    a: str | None = None,
    b: str | None = None,
    reveal: bool = False,
) -> schemas.ReleaseDiff:
    """What differs between two releases; values stay hidden unless they are asked for."""
    return views.diff(await here.releases.diff(app, a=a, b=b), reveal=reveal)


@router.post("/rollbacks", status_code=202, response_model=schemas.Deployment | schemas.RollbackPreview)
async def roll_back(
    app: TheApp, order: schemas.NewRollback, here: Here, by: By, response: Response
) -> schemas.Deployment | schemas.RollbackPreview:
    """Make a new release of an old one's build and config; with `dry_run` only tell what would change."""
    if order.dry_run:
        response.status_code = 200
        return views.rollback_preview(await here.releases.rollback_preview(app, order.release))
    started = await here.deployer.rollback(app, to=order.release, wait_lock=order.wait_lock, actor=by.name)
    return await shown(here, app, started)


def _with_deployment(here: Services, app: App, reference: str) -> tuple[Release, Deployment]:
    release = resolve(here.store, app, reference)
    return release, here.store.deployments.for_release(release.id)


def _listed(here: Services, app: App, limit: int) -> list[schemas.Release]:
    return _documents(here, app, here.store.releases.list(app.id, limit=limit))


def _documents(
    here: Services, app: App, found: Sequence[tuple[Release, Deployment]]
) -> list[schemas.Release]:
    keys = here.store.configs.keys([release.config for release, _ in found])
    targets: set[ReleaseId] = here.releases.rollback_targets(app)
    hosts = {host for entry in here.supervisor.routing_table().apps for host in entry.hosts}
    return [
        views.release(
            release,
            made_by,
            current=release.id == app.current,
            config_keys=keys[release.config],
            rollback_target=release.id in targets,
            url=views.release_url(app.name, release.version, here.doors, hosts=hosts),
        )
        for release, made_by in found
    ]
