"""Who is let in: by the socket that a request came over, or by a token."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.access import Access

pytestmark = pytest.mark.anyio

TOKEN = "mini_token"
TCP = ("127.0.0.1", 8600)


async def status(server: tuple[str, int | None] | None, **headers: str) -> int:
    """Return the status that a request gets; 200 where it reaches the application."""
    answers: list[Message] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        answers.append(message)

    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": encoded, "server": server}
    await Access(application, user="me", token=TOKEN)(scope, receive, send)
    code: int = answers[0]["status"]
    return code


async def test_the_unix_socket_needs_no_token() -> None:
    assert await status(("/run/control.sock", None), host="anything") == 200


async def test_a_connection_whose_address_is_not_known_is_not_taken_for_the_unix_socket() -> None:
    assert await status(None, host="localhost") == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"authorization": f"Bearer {TOKEN}"}, 200, id="the token"),
        pytest.param({}, 401, id="no token"),
        pytest.param({"authorization": "Bearer mini_other"}, 401, id="another token"),
        pytest.param({"authorization": f"Basic {TOKEN}"}, 401, id="another scheme"),
        pytest.param({"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}, 403, id="a page"),
        pytest.param({"authorization": f"Bearer {TOKEN}", "host": "evil.example:8600"}, 403, id="rebinding"),
        pytest.param({"authorization": f"Bearer {TOKEN}", "host": "localhost"}, 403, id="no port"),
    ],
)
async def test_tcp_needs_the_token_an_own_host_and_no_foreign_page(
    headers: dict[str, str], expected: int
) -> None:
    assert await status(TCP, **{"host": "localhost:8600", **headers}) == expected
