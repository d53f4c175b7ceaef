"""Logs of an app: the last lines, and those that come."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from api import schemas, views
from api.services import Here, Services, TheApp
from api.streams import stream
from paas.domain.app import App
from paas.domain.log import LogFilter
from paas.errors import InvalidError
from paas.threads import in_thread
from releases.reference import resolve

router = APIRouter(prefix="/v1/apps/{app}/logs", tags=["logs"])

_FIRST_YEAR, _LAST_YEAR = 1970, 9000


@router.get("", response_class=StreamingResponse)
async def read_logs(
    app: TheApp,
    here: Here,
    request: Request,
    lines: Annotated[int, Query(ge=0, le=100_000)] = 100,
    follow: bool = False,
    after: Annotated[int | None, Query(ge=0)] = None,
    source: Annotated[str | None, Query(pattern="^(app|mini)$")] = None,
    instance: str | None = None,
    release: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    grep: Annotated[str | None, Query(max_length=1000)] = None,
) -> StreamingResponse:
    """A stream of LogLine: the last `lines` that match, then with `follow` every one that comes.

    `after` resumes a stream behind the line with that sequence; `lines` counts for nothing then.
    """
    wanted = LogFilter(
        source=source,
        instance=instance,
        version=(await in_thread(resolve, here.store, app, release)).version if release else None,
        since=_aware(since),
        until=_aware(until),
        pattern=_pattern(grep),
    )
    return stream(request, _lines(here, app, wanted, last=lines, after=after, follow=follow))


async def _lines(
    here: Services, app: App, wanted: LogFilter, *, last: int, after: int | None, follow: bool
) -> AsyncIterator[schemas.LogLine]:
    cursor = after
    if cursor is None:
        cursor = await here.logs.latest(app.id) if follow and not last else 0
        for line in await here.logs.tail(app.id, filter=wanted, last=last) if last else []:
            cursor = line.sequence
            yield views.log_line(line)
    if follow:
        async for line in here.logs.follow(app.id, filter=wanted, after=cursor):
            yield views.log_line(line)


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text is not None else None
    except re.error as error:
        raise InvalidError(f"{text!r} is no regular expression: {error}.") from error


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidError(f"{moment.isoformat()} says no time zone: end it with Z or +00:00.")
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidError(
            f"{moment.isoformat()} is no time of a log: its year must be from {_FIRST_YEAR} to {_LAST_YEAR}."
        )
    return moment
