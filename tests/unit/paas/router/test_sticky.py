"""Sticky sessions: the cookie, and where a browser that has one gets to."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from paas.router.sticky import COOKIE, cookie_line, ticket_of
from tests.unit.paas.router.harness import (
    LOCALHOST,
    Running,
    a_backend,
    a_router,
    answering,
    body_of,
    fields_of,
    status_of,
    ticket,
)

pytestmark = pytest.mark.anyio

TICKET = "0123456789abcdef" * 2
OTHER = "f" * 32


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param("", None, id="no fields"),
        pytest.param("\r\nAccept: */*", None, id="no cookie"),
        pytest.param("\r\nCookie: a=b", None, id="another cookie"),
        pytest.param(f"\r\nCookie: mini_backend={TICKET}", TICKET, id="alone"),
        pytest.param(f"\r\ncookie:mini_backend={TICKET}", TICKET, id="lower case, no blank"),
        pytest.param(f"\r\nCookie: a=b; mini_backend={TICKET}; c=d", TICKET, id="among others"),
        pytest.param(f"\r\nA: b\r\nCookie: a=b\r\nCookie: mini_backend={TICKET}", TICKET, id="second field"),
        pytest.param(
            f"\r\nCookie: mini_backend={TICKET}; mini_backend={OTHER}", TICKET, id="the first counts"
        ),
        pytest.param(f"\r\nCookie: my_mini_backend={TICKET}", None, id="a longer name"),
        pytest.param(f"\r\nCookie: a=mini_backend={TICKET}", None, id="within a value"),
        pytest.param(f"\r\nX-Cookie: mini_backend={TICKET}", None, id="another field"),
        pytest.param(f"\r\nCookie: mini_backend={TICKET}0", None, id="too long"),
        pytest.param(f"\r\nCookie: mini_backend={TICKET.upper()}", None, id="upper case"),
        pytest.param("\r\nCookie: mini_backend=web.1", None, id="no ticket"),
        pytest.param(f'\r\nCookie: mini_backend="{TICKET}"', None, id="quoted"),
        pytest.param(f"\r\nCookie: mini_backend=x; mini_backend={TICKET}", TICKET, id="after a bad one"),
    ],
)
def test_a_ticket_is_read_from_the_cookies_of_a_request(kept: str, expected: str | None) -> None:
    assert ticket_of(kept.encode()) == expected


def test_a_cookie_can_neither_be_read_by_a_script_nor_sent_by_another_site() -> None:
    line = cookie_line(TICKET, secure=False)
    assert line == f"\r\nSet-Cookie: mini_backend={TICKET}; Path=/; HttpOnly; SameSite=Lax".encode()


def test_over_https_a_cookie_never_goes_back_over_http() -> None:
    assert cookie_line(TICKET, secure=True).endswith(b"; SameSite=Lax; Secure")


@asynccontextmanager
async def a_street(*names: str) -> AsyncIterator[tuple[Running, dict[str, str]]]:
    """Open a router and backends that answer with their names; gives their addresses by name."""
    async with AsyncExitStack() as stack:
        router = await stack.enter_async_context(a_router())
        addresses = {
            name: await stack.enter_async_context(a_backend(answering(name.encode()))) for name in names
        }
        yield router, addresses


def bringing(address: str) -> bytes:
    return b"Cookie: a=b; %b=%b\r\n" % (COOKIE, ticket(address).encode())


async def test_a_browser_stays_with_the_backend_that_answered_it_first() -> None:
    async with a_street("one", "two", "three") as (router, addresses):
        router.route(*addresses.values(), sticky=True)
        first = await router.get()
        cookie = fields_of(first)["set-cookie"]
        assert cookie.startswith(
            f"mini_backend={ticket(addresses[body_of(first).decode()])}; Path=/; HttpOnly"
        )
        for _ in range(12):
            answer = await router.get(lines=b"Cookie: %b\r\n" % cookie.partition(";")[0].encode())
            assert body_of(answer) == body_of(first)
            assert "set-cookie" not in fields_of(answer)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_ticket_counts_for_every_method(method: bytes) -> None:
    async with a_street("one", "two") as (router, addresses):
        router.route(*addresses.values(), sticky=True)
        for _ in range(6):
            answer = await router.ask(
                b"%b / HTTP/1.1\r\nHost: shop.localhost\r\n%bConnection: close\r\n\r\n"
                % (method, bringing(addresses["two"]))
            )
            assert body_of(answer) == b"two"


async def test_a_browser_whose_backend_has_gone_gets_another_one() -> None:
    async with a_street("one", "two") as (router, addresses):
        router.route(addresses["two"], sticky=True)
        answer = await router.get(lines=bringing(addresses["one"]))
        assert body_of(answer) == b"two"
        assert ticket(addresses["two"]) in fields_of(answer)["set-cookie"]


async def test_a_browser_whose_backend_refuses_gets_another_one(unused_address: str) -> None:
    async with a_street("one") as (router, addresses):
        router.route(unused_address, addresses["one"], sticky=True)
        answer = await router.get(lines=bringing(unused_address))
        assert (status_of(answer), body_of(answer)) == (200, b"one")
        assert ticket(addresses["one"]) in fields_of(answer)["set-cookie"]


async def test_without_sticky_sessions_there_is_no_cookie_and_a_ticket_means_nothing() -> None:
    async with a_street("one", "two") as (router, addresses):
        router.route(*addresses.values())
        answers = [await router.get(lines=bringing(addresses["one"])) for _ in range(40)]
        assert {body_of(answer) for answer in answers} == {b"one", b"two"}
        assert all("set-cookie" not in fields_of(answer) for answer in answers)


@pytest.fixture
def unused_address() -> str:
    with socket.create_server((LOCALHOST, 0)) as listener:
        return f"{LOCALHOST}:{listener.getsockname()[1]}"
