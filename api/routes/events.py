"""Events: what happened, to which app, by whom and why."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from api import schemas, views
from api.services import Here, Services
from api.streams import stream
from paas.domain.ids import AppId
from paas.domain.names import app_name
from paas.threads import in_thread

router = APIRouter(prefix="/v1/events", tags=["events"])

_POLL = 0.5


@router.get("", response_class=StreamingResponse)
async def read_events(
    here: Here,
    request: Request,
    app: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    after: Annotated[int, Query(ge=0)] = 0,
    follow: bool = False,
) -> StreamingResponse:
    """A stream of Event, oldest first: the last `limit` behind `after`, then with `follow` every new one."""
    found = await in_thread(here.store.apps.get, app_name(app)) if app else None
    return stream(
        request, _events(here, found.id if found else None, limit=limit, after=after, follow=follow)
    )


async def _events(
    here: Services, app: AppId | None, *, limit: int, after: int, follow: bool
) -> AsyncIterator[schemas.Event]:
    cursor = after
    while True:
        events = await in_thread(here.store.events.list, app, limit=limit, after=cursor)
        names = (
            {known.id: str(known.name) for known in await in_thread(here.store.apps.list)} if events else {}
        )
        for event in events:
            cursor = event.id
            yield views.event(event, names={str(key): name for key, name in names.items()})
        if not follow:
            return
        await here.clock.sleep(_POLL)
