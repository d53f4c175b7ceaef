"""The messages of an attached run: those that are not what they should be, and those of a client whose input waits."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import cast

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.routes import runs
from api.stdin import WINDOW
from paas.domain.instance import ExitStatus
from paas.engines.base import Attachment
from paas.errors import InvalidError, PaasError
from tests.eventually import eventually_async

pytestmark = pytest.mark.anyio


def websocket(*messages: Message) -> WebSocket:
    coming = iter(({"type": "websocket.connect"}, *messages))

    async def receive() -> Message:
        return next(coming)

    async def send(_message: Message) -> None:
        """Nobody reads it."""

    return WebSocket({"type": "websocket"}, receive, send)


async def refused(*messages: Message) -> PaasError:
    socket = websocket(*messages)
    await socket.accept()
    with pytest.raises(PaasError) as caught:
        await runs._first_message(socket)
    return caught.value


async def test_bytes_as_the_first_message_are_refused() -> None:
    assert isinstance(await refused({"type": "websocket.receive", "bytes": b"{}"}), InvalidError)


async def test_a_client_that_goes_before_it_names_a_command_is_a_disconnect() -> None:
    socket = websocket({"type": "websocket.disconnect", "code": 1000})
    await socket.accept()
    with pytest.raises(WebSocketDisconnect):
        await runs._first_message(socket)


@pytest.mark.parametrize("text", ["no json", "[]", '{"resize": {"rows": "x"}}', '{"unknown": 1}'])
async def test_a_control_message_that_says_nothing_is_answered_with_the_problem(text: str) -> None:
    client = Client({"text": text})
    with pytest.raises(InvalidError, match="resize, signal and eof"):
        await talk(client, Command())


class Command:
    """An attachment to a command that reads its input once it `reads`, and ends by a signal."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.got: list[bytes | None] = []
        self._ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()

    async def output(self) -> AsyncIterator[bytes]:
        await asyncio.wait([self._ended])
        yield b"over"

    async def write(self, data: bytes) -> None:
        await self.reads.wait()
        self.got.append(data)

    async def close_input(self) -> None:
        self.got.append(None)

    async def signal(self, number: int) -> None:
        self._ended.set_result(ExitStatus(-number))

    async def wait(self) -> ExitStatus:
        return await self._ended


class Client:
    """A WebSocket on which its messages come, and then no more; it keeps what it is told."""

    def __init__(self, *messages: Message) -> None:
        self.coming = asyncio.Queue[Message]()
        self.taken: list[int] = []
        for message in messages:
            self.coming.put_nowait({"type": "websocket.receive", **message})

    async def receive(self) -> Message:
        return await self.coming.get()

    async def send_bytes(self, data: bytes) -> None: ...

    async def send_text(self, text: str) -> None:
        self.taken.append(json.loads(text)["taken"])


async def talk(client: Client, command: Command) -> ExitStatus:
    async with asyncio.timeout(10):
        return await runs._converse(cast(WebSocket, client), cast(Attachment, command), limit=None)


async def test_a_signal_ends_a_command_that_reads_nothing_of_a_window_of_input() -> None:
    block = {"bytes": bytes(WINDOW // 4)}
    client = Client(block, block, block, block, {"text": '{"eof": true}'}, {"text": '{"signal": 2}'})
    command = Command()
    assert await talk(client, command) == ExitStatus(-2)
    assert (command.got, client.taken) == ([], [])


async def test_a_client_that_goes_is_seen_though_the_command_reads_nothing() -> None:
    client = Client({"bytes": bytes(WINDOW)}, {"type": "websocket.disconnect"})
    with pytest.raises(WebSocketDisconnect):
        await talk(client, Command())


async def test_input_is_written_in_order_with_its_end_last_and_told_by_halves_of_the_window() -> None:
    half = WINDOW // 2
    sent = [b"a" * (half - 1), b"b", b"c" * half, b"d", None]
    client = Client(*({"bytes": block} if block else {"text": '{"eof": true}'} for block in sent))
    command = Command()
    talking = asyncio.create_task(talk(client, command))
    command.reads.set()

    async def all_written() -> bool:
        return command.got == sent

    await eventually_async(all_written)
    client.coming.put_nowait({"type": "websocket.receive", "text": '{"signal": 15}'})
    assert await talking == ExitStatus(-15)
    assert client.taken == [half, half]


async def test_a_client_that_sends_more_than_the_window_is_heard_again_once_there_is_room() -> None:
    command = Command()
    client = Client({"bytes": bytes(WINDOW)}, {"bytes": b"more"}, {"text": '{"signal": 2}'})
    talking = asyncio.create_task(talk(client, command))

    async def one_is_left() -> bool:
        return client.coming.qsize() == 1

    await eventually_async(one_is_left)
    command.reads.set()
    assert await talking == ExitStatus(-2)
