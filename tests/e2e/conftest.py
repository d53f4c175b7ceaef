"""A server for each module of scenarios and each engine; a failure leaves its logs in `tests/e2e/artifacts`."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dockerd import needs_docker
from tests.e2e.backing import Backing
from tests.e2e.engines import ENGINES, Engine
from tests.e2e.harness import Mini, Repository

ARTIFACTS = Path(__file__).parent / "artifacts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/e2e/" in str(item.path) or "/faults/" in str(item.path):
            item.add_marker(pytest.mark.e2e)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each scenario on every engine, or on the one that it is marked for: `only("process", why="…")`."""
    if "engine" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("only")
        names = [name for name in ENGINES if marker is None or name in marker.args]
        assert marker is None or (names and marker.kwargs["why"]), metafunc.definition.nodeid
        rows = [pytest.param(name, marks=[needs_docker] if name == "docker" else []) for name in names]
        metafunc.parametrize("engine", rows, indirect=True, scope="module")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    """The engine that the scenario runs on."""
    return ENGINES[request.param]()


@pytest.fixture(scope="module")
def mini(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Mini]:
    """A running server; SETTINGS of the module are its `MINI_*`. At the end of the module its apps are destroyed, it is
    stopped, and nothing of it may be left on the machine."""
    settings = getattr(request.module, "SETTINGS", {})
    server = Mini(tmp_path_factory.mktemp("mini") / "home", settings, engine)
    server.start()
    failures = request.session.testsfailed
    yield server
    is_well = request.session.testsfailed == failures
    try:
        server.empty()
        stopped = server.stop()
        assert stopped.code == 0, f"\n{stopped}"
        assert engine.remains(server.home, server.home_id) == []
    except BaseException:
        is_well = False
        raise
    finally:
        if not is_well:
            server.stop()
            keep(server, request.module.__name__)


@pytest.fixture
def repository(mini: Mini, tmp_path: Path) -> Callable[[str], Repository]:
    """Make a repository in a folder of that name, which is the app's name too."""
    return lambda name: Repository(mini, tmp_path / name)


@pytest.fixture
def backing(engine: Engine) -> Iterator[Backing]:
    """A backing service that instances of the engine reach."""
    with Backing(engine.host) as service:
        yield service


def keep(server: Mini, name: str) -> None:
    """Keep what a failed module left: the planes' own logs and the outputs of builds and deployments."""
    target = ARTIFACTS / f"{name.rpartition('.')[2]}-{server.engine.name}"
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("server", "outputs"):
        if (server.home / folder).exists():
            shutil.copytree(server.home / folder, target / folder)
