"""Builds: list, show, output, cancel."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from api import schemas, views
from api.services import Here, TheApp
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}/builds", tags=["builds"])


@router.get("")
async def list_builds(
    app: TheApp, here: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 15
) -> list[schemas.Build]:
    """The app's builds, newest first."""
    return [views.build(build) for build in await in_thread(here.store.builds.list, app.id, limit=limit)]


@router.get("/{build}")
async def show_build(app: TheApp, build: str, here: Here) -> schemas.Build:
    """One build, by its id or a unique prefix of it."""
    return views.build(await in_thread(here.store.builds.get, app.id, build))


@router.get("/{build}/output", response_class=StreamingResponse)
async def build_output(app: TheApp, build: str, here: Here) -> StreamingResponse:
    """What the build printed, and for a running one what it prints from now on, as text."""
    found = await in_thread(here.store.builds.get, app.id, build)
    lines: AsyncIterator[str] = here.builds.follow(found.id)
    return StreamingResponse((line + "\n" async for line in lines), media_type="text/plain; charset=utf-8")


@router.post("/{build}/cancel")
async def cancel_build(app: TheApp, build: str, here: Here) -> schemas.Build:
    """Cancel a running build; one that has ended stays as it is."""
    found = await in_thread(here.store.builds.get, app.id, build)
    await here.builds.cancel(found.id)
    return views.build(await in_thread(here.store.builds.get, app.id, found.id))
