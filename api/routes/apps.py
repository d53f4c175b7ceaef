"""Apps: create, list, show, rename, destroy."""

from fastapi import APIRouter, Response

from api import schemas, views
from api.services import By, Here, Services, TheApp
from paas.domain.app import App
from paas.supervisor.views import InstanceView
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps", tags=["apps"])


@router.get("")
async def list_apps(here: Here) -> list[schemas.App]:
    """All apps, by name."""
    apps = await in_thread(here.store.apps.list)
    seen = await here.observed(apps)
    return [await in_thread(_document, here, app, seen[app.id]) for app in apps]


@router.post("", status_code=201)
async def create_app(new: schemas.NewApp, here: Here, by: By) -> schemas.App:
    """Create an app; without a name the server makes one up."""
    return await _shown(here, await here.releases.create_app(new.name, actor=by.name))


@router.get("/{app}")
async def show_app(app: TheApp, here: Here) -> schemas.App:
    """One app."""
    return await _shown(here, app)


@router.patch("/{app}")
async def rename_app(app: TheApp, change: schemas.AppRename, here: Here, by: By) -> schemas.App:
    """Give the app another name; its host changes with it."""
    return await _shown(here, await here.releases.rename_app(app, name=change.name, actor=by.name))


@router.delete("/{app}", status_code=204)
async def destroy_app(app: TheApp, here: Here, by: By) -> Response:
    """Destroy the app: returns when nothing of it runs; its secrets are unreadable from then on."""
    await here.releases.destroy_app(app, actor=by.name)
    return Response(status_code=204)


async def _shown(here: Services, app: App) -> schemas.App:
    seen = await here.observed([app])
    return await in_thread(_document, here, app, seen[app.id])


def _document(here: Services, app: App, seen: list[InstanceView]) -> schemas.App:
    release = here.store.releases.get_by_id(app.current) if app.current else None
    counts = here.store.formations.get(app.id)
    states = [view.state for view in seen if not view.instance.one_off]
    return schemas.App(
        id=app.id,
        name=app.name,
        url=views.app_url(app.name, here.routers.address),
        created_at=app.created_at,
        release=release.version if release else None,
        commit=release.commit if release else None,
        domains=[domain.host for domain in here.store.domains.list(app.id)],
        formation=views.formation(counts, release).types,
        instances=views.counted(states, "up"),
        repository=f"mini::{app.name}",
    )
