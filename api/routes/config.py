"""Config: show it, change it. One change is one release."""

from fastapi import APIRouter, Response

from api import schemas
from api.routes.deployments import shown
from api.services import By, Here, TheApp
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}/config", tags=["config"])


@router.get("")
async def show_config(app: TheApp, here: Here) -> schemas.Config:
    """The variables of the release that serves, with their values."""
    if app.current is None:
        return schemas.Config(release=None, variables={})
    release = await in_thread(here.store.releases.get_by_id, app.current)
    config = await in_thread(here.store.configs.get, release.config)
    variables = {str(key): secret.reveal() for key, secret in sorted(config.variables.items())}
    return schemas.Config(release=release.version, variables=variables)


@router.patch("", status_code=202)
async def change_config(
    app: TheApp, change: schemas.ConfigPatch, here: Here, by: By, response: Response
) -> schemas.Deployment:
    """Set and unset variables, all or nothing; 200 where nothing differs."""
    started = await here.deployer.set_config(
        app, changes=change.changes, wait_lock=change.wait_lock, actor=by.name
    )
    document = await shown(here, app, started)
    if not document.changed:
        response.status_code = 200
    return document
