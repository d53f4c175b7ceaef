"""Apps that nobody here wrote, as their frameworks' own starters and first examples make them, through their lives."""

import os
import subprocess
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.dockerd import REDIS, docker
from tests.e2e.engines import Engine
from tests.e2e.harness import Mini, Repository
from tests.e2e.machine import free_port, listens
from tests.e2e.starters import EXPRESS, FASTAPI, FLASK
from tests.eventually import eventually
from tests.needs import need_program

pytestmark = [pytest.mark.needs_network, pytest.mark.timeout(600)]

Make = Callable[[str], Repository]

RQ_WEB = """
import os

from flask import Flask, request
from redis import Redis
from rq import Queue

import jobs

app = Flask(__name__)
redis = Redis.from_url(os.environ["REDIS_URL"])


@app.post("/jobs")
def add():
    return Queue(connection=redis).enqueue(jobs.count_words, request.get_data(as_text=True)).id


@app.get("/")
def results():
    return b" ".join(redis.lrange("results", 0, -1))
"""

REDIS_COMMAND = ("redis-server", "--protected-mode", "no", "--save", "")

RQ_JOBS = """
import os

from redis import Redis


def count_words(text):
    Redis.from_url(os.environ["REDIS_URL"]).rpush("results", len(text.split()))
"""


def live(mini: Mini, app: Repository, path: str, expected: str) -> None:
    """Take a pushed app through scale, config change and rollback; it answers the same after each."""
    name = app.name

    def answers() -> None:
        assert expected in mini.get(name, path)

    answers()
    first = mini.up(name, web=1)
    mini.ok("scale", "web=3", "-a", name)
    assert mini.up(name, web=3)["web.1"] == first["web.1"]
    answers()
    mini.ok("config", "set", "COLOUR=green", "-a", name)
    assert mini.serving(name) is not None
    assert mini.ok("run", "-a", name, "--", "printenv", "COLOUR") == "green\n"
    answers()
    mini.ok("rollback", "-a", name)
    assert mini.run("run", "-a", name, "--", "printenv", "COLOUR").code == 1
    mini.up(name, web=3)
    answers()


def test_a_django_app_made_by_startproject(mini: Mini, repository: Make, tmp_path: Path) -> None:
    app = repository("mysite")
    tools = tmp_path / "tools"
    venv.create(tools)
    run(find_uv_bin(), "pip", "install", "--quiet", "--python", str(tools), "django", "gunicorn")
    run(str(tools / "bin" / "django-admin"), "startproject", "mysite", str(app.path))
    frozen = run(find_uv_bin(), "pip", "freeze", "--quiet", "--python", str(tools))
    app.write(
        {
            "requirements.txt": frozen,
            "Procfile": "web: gunicorn mysite.wsgi --bind $HOST:$PORT\nrelease: python manage.py migrate\n",
            ".gitignore": "*.sqlite3\n__pycache__/\n",
        }
    ).commit()
    result = app.try_push()
    assert result.code == 0, result
    assert "Release phase: python manage.py migrate" in result.err
    live(mini, app, "/", "The install worked successfully!")
    assert mini.ok("run", "-a", app.name, "--", "python", "manage.py", "check").startswith("System check")


def test_a_flask_app_after_its_quickstart(mini: Mini, repository: Make) -> None:
    app = repository("flask-quickstart").write(
        {
            "hello.py": FLASK,
            "requirements.txt": "flask\n",
            "Procfile": "web: flask --app hello run --host $HOST --port $PORT\n",
        }
    )
    live(mini, app.create(), "/", "<p>Hello, World!</p>")


def test_a_fastapi_app_after_its_first_example(mini: Mini, repository: Make) -> None:
    app = repository("fastapi-example").write(
        {
            "main.py": FASTAPI,
            "pyproject.toml": '[project]\nname = "example"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
            'dependencies = ["fastapi", "uvicorn"]\n',
            "Procfile": "web: uvicorn main:app --host $HOST --port $PORT\n",
        }
    )
    live(mini, app.create(), "/items/5?q=some", '{"item_id":5,"q":"some"}')


def test_an_express_app_made_by_its_generator(mini: Mini, repository: Make) -> None:
    need_program("node")
    need_program("npm")
    app = repository("express-generated")
    run("npx", "--yes", "express-generator", "--no-view", "--git", "--force", ".", folder=app.path)
    app.commit()
    result = app.try_push()
    assert result.code == 0, result
    live(mini, app, "/", "Welcome to Express")


def test_an_express_app_after_its_hello_world(mini: Mini, repository: Make) -> None:
    need_program("node")
    need_program("npm")
    app = repository("express-hello").write({"app.js": EXPRESS})
    run("npm", "init", "--yes", folder=app.path)
    run("npm", "install", "--no-audit", "--no-fund", "express", folder=app.path)
    app.write({"Procfile": "web: node app.js\n", ".gitignore": "node_modules/\n"})
    live(mini, app.create(), "/", "Hello World!")


@pytest.fixture
def redis(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis of our own: a program of this machine for processes, a container for containers."""
    start = redis_container if engine.name == "docker" else redis_program
    with start(engine.host, tmp_path) as port:
        eventually(lambda: listens(port, host=engine.host))
        yield f"redis://{engine.host}:{port}/0"


@contextmanager
def redis_program(host: str, folder: Path) -> Iterator[int]:
    need_program("redis-server")
    port = free_port()
    argv = ["redis-server", "--bind", host, "--port", str(port), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        yield port
        server.terminate()


@contextmanager
def redis_container(host: str, folder: Path) -> Iterator[int]:
    container = docker("run", "--detach", "--rm", "--publish", f"{host}::6379", REDIS, *REDIS_COMMAND)
    try:
        yield int(docker("port", container, "6379").rpartition(":")[2])
    finally:
        docker("rm", "--force", container)


def test_a_background_worker_on_redis(mini: Mini, repository: Make, redis: str) -> None:
    app = repository("words").write(
        {
            "web.py": RQ_WEB,
            "jobs.py": RQ_JOBS,
            "requirements.txt": "flask\ngunicorn\nredis\nrq\n",
            "Procfile": "web: gunicorn web:app --bind $HOST:$PORT\nworker: rq worker --url $REDIS_URL\n",
        }
    )
    app.commit()
    mini.ok("create", app.name, cwd=app.path)
    mini.ok("config", "set", f"REDIS_URL={redis}", "-a", app.name)
    app.push()
    mini.ok("scale", "worker=1", "-a", app.name)

    def work(text: str) -> None:
        assert mini.request(app.name, "/jobs", method="POST", body=text.encode()).status == 200

    work("two words")
    eventually(lambda: mini.get(app.name) == "2", within=30)
    live(mini, app, "/", "2")
    mini.up(app.name, worker=1)
    work("and now five words more")
    eventually(lambda: mini.get(app.name) == "2 5", within=30)
    assert "app[worker.1]" in mini.ok("logs", "-p", "worker", "-a", app.name)


def run(*argv: str, folder: Path | None = None) -> str:
    """Run a starter's own command, which must succeed, and return what it prints."""
    environ = {"UV_SYSTEM_CERTS": "1", **os.environ}
    done = subprocess.run(
        argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout
