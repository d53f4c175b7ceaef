"""The tunnel of a push, where git ends before the client has sent all."""

import asyncio
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from fastapi import WebSocket

from api.access import Caller
from api.routes.git import receive_pack
from api.services import Services
from paas.domain.names import AppName
from tests.stores import open_store

pytestmark = pytest.mark.anyio


class Client:
    """A client that sends and sends until it is told the end."""

    def __init__(self) -> None:
        self.got = b""
        self.said: list[str] = []
        self.told = asyncio.Event()

    async def accept(self) -> None: ...

    async def close(self) -> None: ...

    async def receive(self) -> dict[str, object]:
        await asyncio.sleep(0)
        return {"type": "websocket.receive", "bytes": b"x" * 65536}

    async def send_bytes(self, data: bytes) -> None:
        self.got += data

    async def send_text(self, text: str) -> None:
        self.said.append(text)


class Repositories:
    """Where receive-pack reads nothing, and says why only a little later."""

    script = "exec <&-; sleep 0.3; echo refused; exit 3"

    async def ensure(self, app: str) -> None: ...

    def receive_pack_argv(self, app: str) -> list[str]:
        return ["sh", "-c", self.script]

    def receive_pack_environment(self, *, actor: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin"}

    def path(self, app: str) -> Path:
        return Path("/")


async def test_what_git_says_and_its_exit_arrive_though_it_reads_no_more(tmp_path: Path) -> None:
    with closing(open_store(tmp_path)) as store:
        store.apps.create(AppName("shop"))
        here = cast(Services, SimpleNamespace(store=store, repositories=Repositories()))
        client = Client()
        async with asyncio.timeout(10):
            await receive_pack(cast(WebSocket, client), "shop", here, Caller("me"))
    assert (client.got, client.said) == (b"refused\n", ['{"exit": 3}'])


class GoneClient(Client):
    """A client that goes away in the middle of what it sends."""

    def __init__(self) -> None:
        super().__init__()
        self._coming: list[dict[str, object]] = [
            {"type": "websocket.receive", "bytes": b"x"},
            {"type": "websocket.disconnect"},
        ]

    async def receive(self) -> dict[str, object]:
        return self._coming.pop(0)


async def test_git_may_tidy_up_behind_a_client_that_goes_away(tmp_path: Path) -> None:
    tidied = tmp_path / "tidied"

    class Uploading(Repositories):
        """Where receive-pack, as git's own does, tidies up at the end of its input and not for a signal."""

        script = f"cat >/dev/null; : >{tidied}"

    with closing(open_store(tmp_path)) as store:
        store.apps.create(AppName("shop"))
        here = cast(Services, SimpleNamespace(store=store, repositories=Uploading()))
        async with asyncio.timeout(20):
            await receive_pack(cast(WebSocket, GoneClient()), "shop", here, Caller("me"))
    assert tidied.exists()
