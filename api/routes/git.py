"""Git's own protocol for a push, tunnelled over a WebSocket (docs/api.md). It decides nothing: git and its hook do."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack, suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from api import errors, pushes
from api.services import By, Here, Services
from builds.hook import Hook
from paas.domain.app import App
from paas.domain.names import app_name
from paas.errors import PaasError
from paas.threads import in_thread

router = APIRouter(prefix="/v1/apps/{app}/git", tags=["git"])

_BLOCK = 64 * 1024
_END_WITHIN = 5.0


@router.websocket("/receive-pack")
async def receive_pack(websocket: WebSocket, app: str, here: Here, by: By, deploy: bool = True) -> None:
    """`git receive-pack` in the app's repository; `deploy=false` stores what is pushed and no more."""
    await websocket.accept()
    try:
        found = await in_thread(here.store.apps.get, app_name(app))
        code = await _serve(websocket, here, found, deploy=deploy, actor=by.name)
        await websocket.send_text(json.dumps({"exit": code}))
    except WebSocketDisconnect:
        return
    except PaasError as error:
        document = errors.problem(error, request_id=errors.request_id_of(websocket.scope))
        await websocket.send_text(json.dumps({"problem": document.model_dump()}))
    await websocket.close()


async def _serve(websocket: WebSocket, here: Services, app: App, *, deploy: bool, actor: str) -> int:
    repositories = here.repositories
    await repositories.ensure(app.id)
    async with AsyncExitStack() as until_git_ended, Hook() as hook:
        decide = (
            pushes.deploy(here, app, actor=actor, until_git_ended=until_git_ended) if deploy else pushes.store
        )
        process = await asyncio.create_subprocess_exec(
            *repositories.receive_pack_argv(app.id),
            env=repositories.receive_pack_environment(actor=actor) | hook.environment,
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=hook.descriptors,
            start_new_session=True,
        )
        hook.handed_over()
        answering = asyncio.create_task(hook.answer(repositories.path(app.id), decide))
        try:
            code = await _carry(websocket, process)
            if answering.done():
                answering.result()  # which raises what was no answer
            return code
        finally:
            # Before git, whose end takes the quarantine away from a build.
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)
            await _end(process)


async def _carry(websocket: WebSocket, process: Process) -> int:
    """Pass what client and git say to each other, and return git's exit code."""
    feeding = asyncio.create_task(_feed(websocket, process))
    sending = asyncio.create_task(_send(websocket, process))
    try:
        await asyncio.wait({feeding, sending}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done() and not feeding.result() and not sending.done():
            raise WebSocketDisconnect
        await sending
        return await process.wait()
    finally:
        feeding.cancel()
        sending.cancel()
        await asyncio.gather(feeding, sending, return_exceptions=True)


async def _feed(websocket: WebSocket, process: Process) -> bool:
    """Pass what the client sends; return True when it has sent all, False when it went away."""
    stdin = process.stdin
    assert stdin is not None  # noqa: S101 - asked for above
    ended = False
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return ended and process.returncode is not None
        if (data := message.get("bytes")) is None:
            ended = True
            stdin.close()
            continue
        with suppress(ConnectionError):  # git has read enough to refuse: its reason is on its way
            stdin.write(data)
            await stdin.drain()


async def _send(websocket: WebSocket, process: Process) -> None:
    stdout = process.stdout
    assert stdout is not None  # noqa: S101 - asked for above
    while block := await stdout.read(_BLOCK):
        await websocket.send_bytes(block)


async def _end(process: Process) -> None:
    """End git by the end of what it reads: then it refuses the push, takes the quarantine away and waits for its hook. A
    signal leaves both behind."""
    for signal in (None, process.terminate, process.kill):
        if process.returncode is not None:
            return
        if signal:
            signal()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_WITHIN):
                await process.communicate(b"")
