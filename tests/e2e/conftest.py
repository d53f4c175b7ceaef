"""A server for each module of scenarios; a failure leaves its logs in `tests/e2e/artifacts`."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.harness import Mini, Repository

ARTIFACTS = Path(__file__).parent / "artifacts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path) or "/faults/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Mini]:
    """A running server, stopped with all its apps at the end of the module; SETTINGS of the module are its `MINI_*`."""
    server = Mini(tmp_path_factory.mktemp("mini") / "home", getattr(request.module, "SETTINGS", {}))
    server.start()
    failures = request.session.testsfailed
    yield server
    stopped = server.stop()
    if request.session.testsfailed > failures or stopped.code:
        keep(server, request.module.__name__)
    assert stopped.code == 0, f"\n{stopped}"


@pytest.fixture
def repository(mini: Mini, tmp_path: Path) -> Callable[[str], Repository]:
    """Make a repository in a folder of that name, which is the app's name too."""
    return lambda name: Repository(mini, tmp_path / name)


def keep(server: Mini, name: str) -> None:
    """Keep what a failed module left: the planes' own logs and the outputs of builds and deployments."""
    target = ARTIFACTS / name.rpartition(".")[2]
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("server", "outputs"):
        if (server.home / folder).exists():
            shutil.copytree(server.home / folder, target / folder)
