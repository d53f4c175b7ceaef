"""What is asked of an app's traffic: maintenance, sticky sessions."""

from fastapi import APIRouter

from api import schemas
from api.services import By, Here, TheApp
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}", tags=["routing"])


@router.get("/maintenance")
async def show_maintenance(app: TheApp, here: Here) -> schemas.Maintenance:
    """Whether the app is in maintenance."""
    rule = await in_thread(here.store.traffic.get, app.id)
    return schemas.Maintenance(maintenance=rule.maintenance)


@router.put("/maintenance")
async def set_maintenance(
    app: TheApp, wanted: schemas.Maintenance, here: Here, by: By
) -> schemas.Maintenance:
    """Answer every request with the maintenance page, or no longer; instances run on. Returns once it is so."""
    rule = await here.traffic.set_maintenance(app, on=wanted.maintenance, actor=by.name)
    return schemas.Maintenance(maintenance=rule.maintenance)


@router.get("/stickiness")
async def show_stickiness(app: TheApp, here: Here) -> schemas.Stickiness:
    """Whether the app's sessions are sticky."""
    rule = await in_thread(here.store.traffic.get, app.id)
    return schemas.Stickiness(sticky=rule.sticky)


@router.put("/stickiness")
async def set_stickiness(app: TheApp, wanted: schemas.Stickiness, here: Here, by: By) -> schemas.Stickiness:
    """Keep each browser with the backend that answered it first, by a cookie, or balance every request."""
    rule = await here.traffic.set_sticky(app, on=wanted.sticky, actor=by.name)
    return schemas.Stickiness(sticky=rule.sticky)
