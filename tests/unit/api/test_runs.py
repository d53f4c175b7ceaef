"""The messages of an attached run that are not what they should be."""

from typing import cast

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.routes import runs
from paas.engines.base import Attachment
from paas.errors import InvalidError, PaasError

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
    untouched = cast(Attachment, object())
    feed = {"type": "websocket.receive", "text": text}
    socket = websocket(feed)
    await socket.accept()
    with pytest.raises(InvalidError, match="resize, signal and eof"):
        await runs._feed(socket, untouched)
