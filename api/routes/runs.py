"""One-offs: detached, or attached to the caller's terminal over a WebSocket (docs/api.md)."""

import asyncio
import json
import struct
from typing import cast

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ValidationError

from api import errors, schemas
from api.services import By, Here, Services, TheApp
from api.stdin import Stdin
from paas.domain.app import App
from paas.domain.instance import ExitStatus
from paas.domain.names import ConfigKey, app_name
from paas.domain.release import Release
from paas.engines.base import Attachment, TerminalSize
from paas.errors import InvalidError, OperationTimedOutError, PaasError
from paas.threads import in_thread
from releases.runs import in_its_users_words

router = APIRouter(prefix="/v1/apps/{app}/runs", tags=["runs"])

EXIT_UNKNOWN = 125

FIRST_MESSAGE_LIMIT = 30.0
"""Longest wait, in seconds, for the message that names the command."""


@router.post("", status_code=201)
async def run_detached(app: TheApp, new: schemas.NewRun, here: Here, by: By) -> schemas.Run:
    """Start a one-off that nobody waits for; its lines go to the app's log."""
    release, command = await in_thread(here.releases.run_command, app, new.command, release=new.release)
    instance = await here.supervisor.detach_run(
        app, release, command=command, environment=new.environment, timeout=new.timeout, actor=by.name
    )
    said = in_its_users_words(command, new.command)
    return schemas.Run(name=instance.name, id=instance.id, release=release.version, command=said)


@router.websocket("/attach")
async def attach(websocket: WebSocket, app: str, here: Here, by: By) -> None:
    """A one-off with its input, output, terminal, signals and exit code passed through."""
    await websocket.accept()
    try:
        found = await in_thread(here.store.apps.get, app_name(app))
        new = await _first_message(websocket)
        await _run(websocket, here, found, new, actor=by.name)
    except WebSocketDisconnect:
        return
    except PaasError as error:
        document = errors.problem(error, request_id=errors.request_id_of(websocket.scope))
        await websocket.send_text(json.dumps({"problem": document.model_dump()}))
    await websocket.close()


async def _first_message(websocket: WebSocket) -> schemas.NewRun:
    try:
        async with asyncio.timeout(FIRST_MESSAGE_LIMIT):
            message = await websocket.receive()
    except TimeoutError:
        raise OperationTimedOutError(
            f"No run was named within {FIRST_MESSAGE_LIMIT:g} s. Send it as the first message."
        ) from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    text = message.get("text")
    if text is None:
        raise InvalidError("The run is not valid: its first message is text, a JSON document.")
    try:
        return schemas.NewRun.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidError(f"The run is not valid: {first['loc']}: {first['msg']}.") from error


async def _run(websocket: WebSocket, here: Services, app: App, new: schemas.NewRun, *, actor: str) -> None:
    release, command = await in_thread(here.releases.run_command, app, new.command, release=new.release)
    size = new.terminal
    terminal = TerminalSize(rows=size.rows, columns=size.columns) if size else None
    environment = await in_thread(_environment, here, release, new)
    opened = await here.supervisor.attach(
        app, release, command=command, environment=environment, terminal=terminal, actor=actor
    )
    async with opened as run:
        said = in_its_users_words(command, new.command)
        started = schemas.Run(name=run.name, id=run.id, release=release.version, command=said)
        await _send(websocket, "started", started)
        status = await _converse(websocket, run.attachment, limit=new.timeout)
    await websocket.send_text(json.dumps({"exit": exit_code(status)}))


def _environment(here: Services, release: Release, new: schemas.NewRun) -> dict[str, str]:
    """Return the run's own variables, with the terminal's TERM where the config has none. Blocks on the store."""
    config = here.store.configs.get(release.config).variables
    if not new.term or ConfigKey("TERM") in config:
        return new.environment
    return {"TERM": new.term, **new.environment}


async def _converse(websocket: WebSocket, attachment: Attachment, *, limit: float | None) -> ExitStatus:
    """Pass input and output until the one-off ends; raises WebSocketDisconnect where the client goes first."""

    async def taken(size: int) -> None:
        await websocket.send_text(json.dumps({"taken": size}))

    stdin = Stdin(attachment, tell=taken)
    hearing = asyncio.create_task(_hear(websocket, attachment, stdin))
    feeding = asyncio.create_task(stdin.pass_on())
    printing = asyncio.create_task(_print(websocket, attachment))
    tasks = (hearing, feeding, printing)
    try:
        done, _ = await asyncio.wait(tasks, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise OperationTimedOutError(f"The command was still running after {limit:g} s and was ended.")
        if printing in done:
            return printing.result()
        for task in done:
            task.result()
        raise WebSocketDisconnect
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _print(websocket: WebSocket, attachment: Attachment) -> ExitStatus:
    async for block in attachment.output():
        await websocket.send_bytes(block)
    return await attachment.wait()


async def _hear(websocket: WebSocket, attachment: Attachment, stdin: Stdin) -> None:
    """Do what the client orders, whether or not the command reads its input; return when the client has gone away."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if (data := message.get("bytes")) is not None:
            await stdin.put(data)
        else:
            await _control(attachment, stdin, message.get("text") or "{}")


async def _control(attachment: Attachment, stdin: Stdin, text: str) -> None:
    try:
        order = cast(dict[str, object], json.loads(text))
        match order:
            case {"resize": {"rows": int(rows), "columns": int(columns)}}:
                await attachment.resize(TerminalSize(rows=rows, columns=columns))
            case {"signal": int(number)}:
                await attachment.signal(number)
            case {"eof": True}:
                stdin.end()
            case _:
                raise _no_order(text)
    except (ValueError, struct.error) as error:
        raise _no_order(text) from error


def _no_order(text: str) -> InvalidError:
    return InvalidError(f"A run takes resize, signal and eof as text; got {text[:80]!r}.")


def exit_code(status: ExitStatus) -> int:
    """Return what a shell would: the code, 128 + the signal's number, or 125 where nobody can know."""
    if status.code is None:
        return EXIT_UNKNOWN
    return 128 - status.code if status.code < 0 else status.code


async def _send(websocket: WebSocket, name: str, document: BaseModel) -> None:
    await websocket.send_text(json.dumps({name: document.model_dump(mode="json")}))
