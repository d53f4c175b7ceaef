"""Domains of an app with their certificates, and the routes that follow from them."""

from fastapi import APIRouter, Response

from api import schemas, views
from api.services import By, Here, Services, TheApp
from paas.domain.app import App
from paas.domain.certificate import KeyPair
from paas.errors import InvalidError
from paas.threads import in_thread

router = APIRouter(prefix="/v1", tags=["routing"])


@router.get("/apps/{app}/domains")
async def list_domains(app: TheApp, here: Here) -> list[schemas.Domain]:
    """The app's own host first, then the added ones."""
    return await in_thread(_documents, here, app)


@router.post("/apps/{app}/domains", status_code=201)
async def add_domain(app: TheApp, new: schemas.NewDomain, here: Here, by: By) -> schemas.Domain:
    """Route another host to the app, with `tls` over HTTPS too; `*.` in front takes all hosts below it."""
    if new.tls is None:
        host = (await here.traffic.add_domain(app, new.host, actor=by.name)).host
    else:
        host = (await here.traffic.secure_domain(app, new.host, pair=_pair(new.tls), actor=by.name)).host
    return next(each for each in await in_thread(_documents, here, app) if each.host == host)


@router.delete("/apps/{app}/domains/{host}", status_code=204)
async def remove_domain(app: TheApp, host: str, here: Here, by: By) -> Response:
    """Route a host to the app no longer; its certificate goes with it."""
    await here.traffic.remove_domain(app, host, actor=by.name)
    return Response(status_code=204)


@router.get("/authority")
async def show_authority(here: Here) -> schemas.Authority:
    """The local authority's certificate: a client that trusts it trusts every certificate that it issued."""
    return schemas.Authority(certificate=await here.traffic.authority_certificate())


@router.get("/routes")
async def list_routes(here: Here) -> list[schemas.Route]:
    """Every host the router knows, with the backends behind it now."""
    table = here.supervisor.routing_table()
    return [route for app in table.apps for route in views.routes(app)]


def _pair(new: schemas.NewCertificate) -> KeyPair | None:
    if (new.chain is None) != (new.key is None):
        raise InvalidError("A certificate needs its private key, and a private key its certificate.")
    return None if new.chain is None or new.key is None else KeyPair(new.chain, new.key)


def _documents(here: Services, app: App) -> list[schemas.Domain]:
    certificates = {each.host: each for each in here.store.certificates.list(app.id)}
    own = views.domain(f"{app.name}.localhost", created_at=None, certificate=None, doors=here.doors)
    return [
        own,
        *(
            views.domain(
                each.host,
                created_at=each.created_at,
                certificate=certificates.get(each.host),
                doors=here.doors,
            )
            for each in here.store.domains.list(app.id)
        ),
    ]
