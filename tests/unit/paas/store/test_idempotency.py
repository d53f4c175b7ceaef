"""Idempotency: one key, one request, one answer."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.errors import ConflictError
from paas.settings import Settings
from paas.store.database import Store
from paas.store.idempotency import StoredResponse
from tests.stores import open_store


def test_the_same_request_again_gets_the_first_answer_again(store: Store) -> None:
    assert store.idempotency.reserve("key", "request") is None
    store.idempotency.complete("key", status=201, body=b"made")
    assert store.idempotency.reserve("key", "request") == StoredResponse(201, b"made")
    assert store.idempotency.reserve("key", "request") == StoredResponse(201, b"made")


def test_another_request_with_the_same_key_is_refused(store: Store) -> None:
    store.idempotency.reserve("key", "request")
    store.idempotency.complete("key", status=201, body=b"made")
    with pytest.raises(ConflictError, match="another request"):
        store.idempotency.reserve("key", "another")


def test_a_key_whose_request_is_under_way_is_refused(store: Store) -> None:
    store.idempotency.reserve("key", "request")
    with pytest.raises(ConflictError, match="still under way"):
        store.idempotency.reserve("key", "request")


def test_a_released_key_is_free_again(store: Store) -> None:
    store.idempotency.reserve("key", "request")
    store.idempotency.release("key")
    assert store.idempotency.reserve("key", "another") is None


def test_a_key_whose_request_died_with_its_control_plane_is_free_again(
    store: Store, tmp_path: Path, settings: Settings
) -> None:
    store.idempotency.reserve("key", "request")
    store.close()
    next_life = open_store(tmp_path, settings=settings)
    assert next_life.idempotency.reserve("key", "request") is None
    next_life.close()


def test_an_answer_is_forgotten_after_a_day(tmp_path: Path) -> None:
    clock = MovableClock()
    store = open_store(tmp_path, clock=clock)
    store.idempotency.reserve("key", "request")
    store.idempotency.complete("key", status=201, body=b"made")
    clock.moment += timedelta(hours=24, seconds=1)
    assert store.idempotency.reserve("key", "another") is None
    store.close()


class MovableClock(SystemClock):
    """A wall clock that the test sets."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment
