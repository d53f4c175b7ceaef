"""The server itself: health, status, stop, its own logs, doctor, garbage collection, metrics."""

import os
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from api import metrics, schemas, views
from api.doctor import findings
from api.services import Here, Services
from paas import __version__
from paas.threads import in_thread

router = APIRouter(tags=["server"])

_PLANES = ("control", "router", "logs")
_POLL = 0.5


@router.get("/healthz")
async def health(here: Here) -> schemas.Health:
    """Whether the control plane is well: it answers, and its database does."""
    await in_thread(here.store.meta.home_id)
    return schemas.Health(status="ok", version=__version__)


@router.get("/metrics", response_class=Response)
async def show_metrics(here: Here) -> Response:
    """What Prometheus scrapes."""
    registry = await metrics.collected(here)
    return Response(await in_thread(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/server")
async def status(here: Here) -> schemas.Server:
    """The server's version, addresses as bound, and processes."""
    apps = await in_thread(here.store.apps.list)
    seen = await here.observed(apps)
    states = [view.state for found in seen.values() for view in found if not view.instance.one_off]
    return schemas.Server(
        version=__version__,
        home=str(here.settings.home),
        home_id=await in_thread(here.store.meta.home_id),
        engine=here.engine.value,
        socket=str(here.settings.control_socket),
        api=here.api_address,
        http=str(here.routers.address),
        https=str(here.routers.https) if here.routers.https else None,
        pids=schemas.Pids(control=os.getpid(), router=here.routers.pids, logs=here.logs.pid),
        started_at=here.started_at,
        apps=len(apps),
        instances=views.counted(states, "starting", "up"),
    )


@router.post("/v1/server/stop", status_code=202)
async def stop(order: schemas.ServerStop, here: Here) -> schemas.ServerStop:
    """Stop the planes in order, and the apps too unless they are to be kept."""
    here.stop(order.keep_apps)
    return order


@router.get("/v1/server/logs", response_class=StreamingResponse)
async def server_logs(
    here: Here, lines: Annotated[int, Query(ge=0, le=10_000)] = 100, *, follow: bool = False
) -> Response:
    """What the planes themselves printed, as text: `control: …`, `router: …`, `logs: …`."""
    files = {plane: here.settings.server_logs / f"{plane}.log" for plane in _PLANES}
    last = await in_thread(_last_lines, files, lines)
    if not follow:
        return PlainTextResponse("".join(last))
    return StreamingResponse(_follow(here, files, last), media_type="text/plain; charset=utf-8")


@router.get("/v1/doctor")
async def doctor(here: Here) -> list[schemas.Finding]:
    """What of the machine and of this home is well, and what is not."""
    return await findings(here)


@router.post("/v1/gc")
async def collect_garbage(order: schemas.GarbageCollection, here: Here) -> list[schemas.Collected]:
    """Remove artifacts, outputs and caches that nothing can need any more; with `dry_run` only tell."""
    collected = await here.releases.collect_garbage(dry_run=order.dry_run, keep=order.keep)
    return [
        schemas.Collected(kind=item.kind, name=item.name, bytes=item.bytes, origin=item.origin)
        for item in collected
    ]


def _last_lines(files: dict[str, Path], count: int) -> list[str]:
    found: list[str] = []
    for plane, path in files.items():
        if path.exists():
            with path.open(errors="replace") as lines:
                found += [f"{plane}: {line.rstrip()}\n" for line in deque(lines, maxlen=count)]
    return found


async def _follow(here: Services, files: dict[str, Path], last: list[str]) -> AsyncIterator[str]:
    positions = {plane: path.stat().st_size if path.exists() else 0 for plane, path in files.items()}
    for line in last:
        yield line
    while True:
        for plane, path in files.items():
            text, positions[plane] = await in_thread(_grown, path, positions[plane])
            for line in text.splitlines():
                yield f"{plane}: {line}\n"
        await here.clock.sleep(_POLL)


def _grown(path: Path, position: int) -> tuple[str, int]:
    if not path.exists():
        return "", 0
    with path.open("rb") as file:
        file.seek(position if position <= path.stat().st_size else 0)
        block = file.read()
        complete = block[: block.rfind(b"\n") + 1]
        return complete.decode(errors="replace"), file.tell() - len(block) + len(complete)
