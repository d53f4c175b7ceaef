"""Formation and instances: scale, list, restart, stop."""

from collections.abc import Mapping

from fastapi import APIRouter

from api import schemas, views
from api.services import By, Here, Services, TheApp
from paas.domain.app import App
from paas.domain.ids import ReleaseId
from paas.domain.instance import ContainerIdentity, ProcessIdentity
from paas.domain.names import ProcessType
from paas.errors import NotFoundError
from paas.supervisor.loop import InstanceView, ShownState
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}", tags=["formation"])


@router.get("/formation")
async def show_formation(app: TheApp, here: Here) -> schemas.Formation:
    """How many instances of each type there should be."""
    return await in_thread(_formation, here, app)


@router.patch("/formation")
async def scale(app: TheApp, change: schemas.FormationPatch, here: Here, by: By) -> schemas.Formation:
    """Apply the scale tokens together or not at all; returns when what was added is up, unless told not to wait."""
    await here.releases.scale(app, change.changes, wait=change.wait, actor=by.name)
    return await in_thread(_formation, here, app)


@router.get("/instances")
async def list_instances(app: TheApp, here: Here) -> list[schemas.Instance]:
    """The app's instances, by type and number."""
    seen = await here.observed([app])
    return await in_thread(_instances, here, seen[app.id])


@router.post("/restarts", status_code=202)
async def restart(app: TheApp, target: schemas.NewRestart, here: Here, by: By) -> schemas.Restart:
    """Restart all instances, those of a type, or one; web instances are replaced before they are stopped."""
    names = await here.releases.restart(app, target.target, wait=target.wait, actor=by.name)
    return schemas.Restart(instances=names)


@router.post("/instances/{name}/stop", status_code=202)
async def stop_instance(app: TheApp, name: str, here: Here, by: By) -> schemas.Instance:
    """Stop one instance and keep it stopped until a restart, a scale or a new release; a one-off ends."""
    if one_off := await here.releases.stop_instance(app, name, actor=by.name):
        return _instance(InstanceView(one_off, ShownState.STOPPING), "")
    shown = await in_thread(_instances, here, here.supervisor.instances(app.id))
    found = next((instance for instance in shown if instance.name == name), None)
    if found is None:
        raise NotFoundError(f"{name} was stopped, and is gone: another change took its place away meanwhile.")
    return found


def _formation(here: Services, app: App) -> schemas.Formation:
    release = here.store.releases.get_by_id(app.current) if app.current else None
    return views.formation(here.store.formations.get(app.id), release)


def _instances(here: Services, found: list[InstanceView]) -> list[schemas.Instance]:
    commands = {release: _commands(here, release) for release in {view.instance.release for view in found}}
    shown = sorted(found, key=lambda view: (view.instance.type, view.instance.index))
    return [
        _instance(view, commands[view.instance.release].get(ProcessType(view.instance.type), ""))
        for view in shown
    ]


def _commands(here: Services, release: ReleaseId) -> Mapping[ProcessType, str]:
    manifest = here.store.releases.get_by_id(release).manifest
    return manifest.procfile.commands if manifest else {}


def _instance(view: InstanceView, command: str) -> schemas.Instance:
    instance = view.instance
    identity = instance.identity
    return schemas.Instance(
        name=instance.name,
        id=instance.id,
        type=instance.type,
        state=view.state.value,
        release=instance.version,
        pid=identity.pid if isinstance(identity, ProcessIdentity) else None,
        container=identity.container if isinstance(identity, ContainerIdentity) else None,
        port=instance.port,
        restarts=instance.restarts,
        exit=str(instance.exit) if instance.exit else None,
        retry_in=view.retry_in,
        cause=instance.cause,
        since=instance.ended_at or instance.up_at or instance.created_at,
        command=command,
        one_off=instance.one_off,
    )
