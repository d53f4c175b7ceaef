"""Which engine a home settles on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.engines import settled_engine
from paas.clock import SystemClock
from paas.errors import EngineMismatchError, EngineUnavailableError, UnsupportedError
from paas.settings import EngineChoice, Settings
from paas.store.database import Store
from tests.dockerd import needs_docker

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(Settings(home=tmp_path / "home"), clock=SystemClock())
    yield store
    store.close()


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")


@needs_docker
async def test_auto_takes_docker_where_a_daemon_answers(store: Store) -> None:
    assert await settled_engine(store, EngineChoice.AUTO) is EngineChoice.DOCKER


async def test_auto_takes_processes_where_none_does(store: Store, no_docker: None) -> None:
    assert await settled_engine(store, EngineChoice.AUTO) is EngineChoice.PROCESS


async def test_docker_that_is_asked_for_and_does_not_answer_settles_nothing(
    store: Store, no_docker: None
) -> None:
    with pytest.raises(EngineUnavailableError):
        await settled_engine(store, EngineChoice.DOCKER)
    assert store.meta.engine() is None


async def test_a_home_keeps_its_engine_for_good(store: Store) -> None:
    await settled_engine(store, EngineChoice.PROCESS)
    assert await settled_engine(store, EngineChoice.AUTO) is EngineChoice.PROCESS
    with pytest.raises(EngineMismatchError):
        await settled_engine(store, EngineChoice.DOCKER)


async def test_there_is_no_swarm_yet(store: Store) -> None:
    with pytest.raises(UnsupportedError):
        await settled_engine(store, EngineChoice.SWARM)
