"""Domains of an app, and the routes that follow from them."""

from fastapi import APIRouter, Response

from api import schemas, views
from api.services import By, Here, TheApp
from paas.threads import in_thread

router = APIRouter(prefix="/v1", tags=["routing"])


@router.get("/apps/{app}/domains")
async def list_domains(app: TheApp, here: Here) -> list[schemas.Domain]:
    """The app's own host first, then the added ones."""
    own = schemas.Domain(host=f"{app.name}.localhost", created_at=None)
    return [own, *(views.domain(domain) for domain in await in_thread(here.store.domains.list, app.id))]


@router.post("/apps/{app}/domains", status_code=201)
async def add_domain(app: TheApp, new: schemas.NewDomain, here: Here, by: By) -> schemas.Domain:
    """Route another host to the app; `*.` in front takes all hosts below it."""
    return views.domain(await here.releases.add_domain(app, new.host, actor=by.name))


@router.delete("/apps/{app}/domains/{host}", status_code=204)
async def remove_domain(app: TheApp, host: str, here: Here, by: By) -> Response:
    """Route a host to the app no longer."""
    await here.releases.remove_domain(app, host, actor=by.name)
    return Response(status_code=204)


@router.get("/routes")
async def list_routes(here: Here) -> list[schemas.Route]:
    """Every host the router knows, with the backends behind it now."""
    table = here.supervisor.routing_table()
    return [route for app in table.apps for route in views.routes(app)]
