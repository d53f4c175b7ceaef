"""The lease: one at a time for an app, in the order of asking."""

import asyncio
from datetime import UTC, datetime

import pytest

from paas.clock import SystemClock
from paas.domain.app import App
from paas.domain.ids import AppId
from paas.domain.names import AppName
from paas.errors import LeaseHeldError
from releases.lease import Leases

pytestmark = pytest.mark.anyio

SHOP = App(AppId("a" * 16), AppName("shop"), datetime(2026, 1, 1, tzinfo=UTC))
BLOG = App(AppId("b" * 16), AppName("blog"), datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def leases() -> Leases:
    return Leases(clock=SystemClock())


async def test_a_free_lease_is_held_at_once(leases: Leases) -> None:
    async with leases.enter(SHOP, who="the push of 3f2c1ab by me", wait=0) as ticket:
        assert ticket.held
        assert leases.holder(SHOP.id) == "the push of 3f2c1ab by me"
    assert leases.holder(SHOP.id) is None


async def test_waiting_ones_get_the_lease_in_the_order_of_asking(leases: Leases) -> None:
    order: list[int] = []

    async def take(number: int, ticket_of: int) -> None:
        async with tickets[ticket_of]:
            order.append(number)
            await asyncio.sleep(0)

    tickets = [leases.enter(SHOP, who=f"push {number}", wait=60) for number in range(4)]
    await asyncio.gather(*(take(number, number) for number in (3, 1, 0, 2)))
    assert order == [0, 1, 2, 3]


async def test_not_to_wait_is_refused_at_once_and_names_the_holder(leases: Leases) -> None:
    leases.enter(SHOP, who="the push of 3f2c1ab by me", wait=60)
    with pytest.raises(LeaseHeldError, match="the push of 3f2c1ab by me holds the lease of shop"):
        leases.enter(SHOP, who="another", wait=0)


async def test_the_wait_has_an_end_and_the_place_is_given_up(leases: Leases) -> None:
    first = leases.enter(SHOP, who="the first", wait=60)
    second = leases.enter(SHOP, who="the second", wait=0.01)
    third = leases.enter(SHOP, who="the third", wait=60)
    with pytest.raises(LeaseHeldError, match="the first holds the lease of shop still"):
        await second.__aenter__()
    first.leave()
    assert third.held


async def test_one_that_is_cancelled_while_it_waits_leaves_the_queue(leases: Leases) -> None:
    first = leases.enter(SHOP, who="the first", wait=60)
    waiting = asyncio.create_task(leases.enter(SHOP, who="the second", wait=60).__aenter__())
    await asyncio.sleep(0)
    third = leases.enter(SHOP, who="the third", wait=60)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    first.leave()
    assert third.held


async def test_apps_have_leases_of_their_own(leases: Leases) -> None:
    leases.enter(SHOP, who="one", wait=0)
    assert leases.enter(BLOG, who="another", wait=0).held
