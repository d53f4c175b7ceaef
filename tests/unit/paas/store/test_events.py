"""Events: in order, by cursor."""

import pytest

from paas.domain.app import App
from paas.domain.event import Event, EventKind
from paas.errors import InvalidError
from paas.store.database import Store


def test_an_event_comes_back_as_it_was_told(store: Store, shop: App) -> None:
    event = append(store, shop)
    assert store.events.list(None, limit=5) == [event]
    assert event.details == {"from": 1, "text": "ü\udcff"}


def test_without_a_cursor_the_newest_events_come_oldest_first(store: Store, shop: App) -> None:
    events = [append(store, shop) for _ in range(5)]
    assert store.events.list(shop.id, limit=2) == events[3:]


def test_a_number_that_no_database_takes_is_refused(store: Store) -> None:
    with pytest.raises(InvalidError, match="smaller number"):
        store.events.list(None, limit=1, after=10**30)


def test_a_cursor_gives_what_came_after_it(store: Store, shop: App) -> None:
    events = [append(store, shop) for _ in range(5)]
    assert store.events.list(shop.id, limit=2, after=events[1].id) == events[2:4]
    assert store.events.list(None, limit=9, after=events[4].id) == []


def test_events_of_the_server_belong_to_no_app(store: Store, shop: App) -> None:
    started = append(store, None)
    assert store.events.list(shop.id, limit=5) == []
    assert store.events.list(None, limit=5) == [started]


def append(store: Store, app: App | None) -> Event:
    return store.events.append(
        EventKind.FORMATION_SCALED,
        app=app.id if app else None,
        actor="me",
        cause="scale 1->2",
        details={"from": 1, "text": "ü\udcff"},
    )
