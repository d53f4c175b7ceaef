"""The examples: each folder is deployed as it is and answers, and the demo tells its story to the end."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dockerd import PYTHON
from tests.e2e.engines import Engine
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.needs import need_program

pytestmark = [pytest.mark.needs_network, pytest.mark.timeout(600)]

Make = Callable[[str], Repository]
EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def deployed(repository: Make, folder: str) -> Repository:
    """Return an app of the folder as it is, pushed."""
    return repository(folder).copy(EXAMPLES / folder).create()


def test_every_example_is_deployed_here() -> None:
    assert FOLDERS == ["dockerfile-app", "hello-python", "node-hello", "web-worker"]


def test_hello_python_greets(mini: Mini, repository: Make) -> None:
    deployed(repository, "hello-python")
    assert "from web.1, release v1" in mini.get("hello-python")


def test_node_hello_runs_the_start_script_of_its_package(mini: Mini, repository: Make) -> None:
    need_program("node")
    need_program("npm")
    app = deployed(repository, "node-hello")
    assert mini.get("node-hello") == "Hello from web.1, release v1\n"
    assert "the start script of package.json" in mini.ok("releases", "output", "v1", "-a", app.name)


@pytest.mark.only("docker", why="the process engine builds no Dockerfile")
def test_dockerfile_app_runs_its_own_cmd_on_the_port_it_exposes(mini: Mini, repository: Make) -> None:
    app = repository("dockerfile-app").copy(EXAMPLES / "dockerfile-app")
    dockerfile = (app.path / "Dockerfile").read_text()
    app.write({"Dockerfile": dockerfile.replace("python:3.12-slim", PYTHON)}).create()
    assert "web.1" in mini.get(app.name)
    assert [row["port"] for row in mini.ps(app.name)] == [5000]


@pytest.fixture
def database(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """The URL of a database server of the examples' own."""
    argv = [
        sys.executable,
        str(EXAMPLES / "database_server.py"),
        f"{engine.host}:0",
        str(tmp_path / "jobs.db"),
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


def test_web_worker_does_its_jobs(mini: Mini, repository: Make, database: str) -> None:
    app = repository("web-worker").copy(EXAMPLES / "web-worker")
    app.commit()
    mini.ok("create", app.name, cwd=app.path)
    mini.ok("config", "set", f"DATABASE_URL={database}", "-a", app.name)
    app.push()
    mini.up(app.name, web=1, worker=1)
    assert mini.request(app.name, "/jobs", method="POST", body=b"hello").status == 202
    eventually(lambda: '"result":"HELLO"' in mini.get(app.name))
    assert "the schema is up to date" in mini.ok("run", "-a", app.name, "migrate")


def test_the_demo_tells_the_whole_story_on_the_engine_that_is_asked_for(mini: Mini, engine: Engine) -> None:
    demo = ("sh", str(EXAMPLES / "demo.sh"), "--engine", engine.name)
    told = mini.command(*demo, env={"MINI_ENGINE": "the flag counts"})
    assert told.code == 0, told
    assert "Traceback" not in told.out + told.err
    assert "$ mini rollback" in told.out
