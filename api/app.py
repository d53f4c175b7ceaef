"""The FastAPI application: routes and middleware put together, nothing decided."""

from fastapi import FastAPI

from api import errors
from api.access import Access, BodyLimit
from api.idempotency import IdempotencyKeys
from api.routes import (
    apps,
    builds,
    checks,
    config,
    deployments,
    domains,
    events,
    formation,
    git,
    logs,
    releases,
    runs,
    server,
    traffic,
)
from api.services import Services
from paas import __version__

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request body: several times the largest config in the most wasteful JSON spelling."""

ROUTES = (
    server,
    apps,
    builds,
    deployments,
    releases,
    config,
    formation,
    runs,
    git,
    logs,
    domains,
    traffic,
    checks,
    events,
)


def create_app(services: Services, *, user: str, token: str) -> FastAPI:
    """Return the application for `services`; `user` names the caller on the unix socket, `token` opens TCP."""
    app = describe()
    app.state.services = services
    # The last one added is the first to see a request.
    app.add_middleware(IdempotencyKeys, answers=services.store.idempotency)
    app.add_middleware(BodyLimit, limit=BODY_LIMIT)
    app.add_middleware(Access, user=user, token=token)
    return app


def describe() -> FastAPI:
    """Return the application without its services: enough for its OpenAPI document."""
    app = FastAPI(
        title="mini",
        version=__version__,
        description="A local mini-PaaS that runs Procfile apps. Streams and WebSockets are described in docs/api.md.",
        separate_input_output_schemas=False,
    )
    errors.install(app)
    for module in ROUTES:
        app.include_router(module.router)
    return app
