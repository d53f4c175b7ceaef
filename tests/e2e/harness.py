"""The doors that users use: the `mini` command, git, the API, and HTTP to the router, around a real server."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.e2e.engines import PROCESSES, Engine, Row, Running
from tests.e2e.machine import LocalConnection
from tests.e2e.results import Answer, Result, Snapshot
from tests.eventually import eventually

BIN = Path(sys.executable).parent
COMMAND_LIMIT = 180


@dataclass(slots=True)
class Mini:
    """One server with a home of its own, driven through the `mini` command."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)
    engine: Engine = PROCESSES
    _home_id: str = ""

    def __post_init__(self) -> None:
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MINI_")},
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "MINI_HOME": str(self.home),
            "MINI_LISTEN": "127.0.0.1:0",
            "MINI_HTTP": "127.0.0.1:0",
            "MINI_HTTPS": "off",
            **self.engine.settings,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_AUTHOR_NAME": "tester",
            "GIT_AUTHOR_EMAIL": "tester@example.com",
            "GIT_COMMITTER_NAME": "tester",
            "GIT_COMMITTER_EMAIL": "tester@example.com",
            **self.environ,
        }

    def run(
        self,
        *argv: str,
        cwd: Path | None = None,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        limit: float = COMMAND_LIMIT,
    ) -> Result:
        """Run `mini ARGV…`, which must end within so many seconds, and return how it ended."""
        return self.command(str(BIN / "mini"), *argv, cwd=cwd, stdin=stdin, env=env, limit=limit)

    def command(
        self,
        *argv: str,
        cwd: Path | None = None,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        limit: float = COMMAND_LIMIT,
    ) -> Result:
        """Run any command in the server's environment."""
        done = subprocess.run(
            argv,
            cwd=cwd or self.home.parent,
            env={**self.environ, **(env or {})},
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        return Result(argv, done.returncode, done.stdout, done.stderr)

    def ok(
        self, *argv: str, cwd: Path | None = None, stdin: str | None = None, limit: float = COMMAND_LIMIT
    ) -> str:
        """Run `mini ARGV…`, which must end with 0, and return its stdout."""
        result = self.run(*argv, cwd=cwd, stdin=stdin, limit=limit)
        assert result.code == 0, f"\n{result}"
        return result.out

    def json(self, *argv: str, cwd: Path | None = None) -> Any:
        """Run `mini ARGV… --json` and return the document."""
        return json.loads(self.ok(*argv, "--json", cwd=cwd))

    def started(self, *argv: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Start a command that goes on, in a group of its own; the caller ends it."""
        return subprocess.Popen(
            argv,
            cwd=cwd or self.home.parent,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def api(self, path: str) -> Any:
        """Return the document of a GET on the unix socket, which must answer 200."""
        connection = LocalConnection(str(self.home / "run" / "control.sock"))
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            assert response.status == 200, (path, response.status, body)
            return json.loads(body)
        finally:
            connection.close()

    # -- the server -----------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start the server and wait until it answers."""
        self.ok("server", "start")

    def stop(self) -> Result:
        """Stop the server with all its apps."""
        return self.run("server", "stop")

    def status(self) -> dict[str, Any]:
        """Return the document of `mini server status --json`."""
        document: dict[str, Any] = self.json("server", "status")
        return document

    @property
    def home_id(self) -> str:
        """What marks all that is made for the home, once its server has run."""
        self._home_id = self._home_id or self.status()["home_id"]
        return self._home_id

    def inhabitants(self) -> dict[str, str]:
        """Return all that runs for the home but its planes, each with the id of its instance; builds have none."""
        return self.engine.inhabitants(self.home, self.home_id)

    def artifacts(self) -> set[str]:
        """Return the artifacts that the home has."""
        return self.engine.artifacts(self.home, self.home_id)

    def empty(self) -> None:
        """Destroy every app; nothing of them may be left."""
        names = [app["name"] for app in self.json("apps")]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.ok("destroy", "-a", name, "--confirm", name), names))
        eventually(lambda: self._assert_nothing_remains())

    def _assert_nothing_remains(self) -> bool:
        remains = self.engine.remains(self.home, self.home_id)
        assert not remains, remains
        return True

    @property
    def http(self) -> tuple[str, int]:
        """The router's address."""
        host, _, port = self.api("/v1/server")["http"].rpartition(":")
        return host, int(port)

    # -- instances --------------------------------------------------------------------------------------------
    def ps(self, app: str) -> list[dict[str, Any]]:
        """Return the document of `mini ps --json`."""
        document: list[dict[str, Any]] = self.json("ps", "-a", app)
        return document

    def running(self, app: str) -> dict[str, Running]:
        """Return each instance of the release that serves, if it is up."""
        serving = self.serving(app)
        rows = self.instances(app)
        return self.named([row for row in rows if (row["state"], row["release"]) == ("up", serving)])

    def named(self, rows: Iterable[Row]) -> dict[str, Running]:
        """Return who is meant by each of these rows of `mini ps --json`, by name."""
        return {row["name"]: self.engine.running(row) for row in rows}

    def instances(self, app: str) -> list[dict[str, Any]]:
        """Return the same rows from the API: quicker than a command where they are asked for often."""
        rows: list[dict[str, Any]] = self.api(f"/v1/apps/{app}/instances")
        return rows

    def serving(self, app: str) -> int | None:
        """Return the version of the release that serves."""
        version: int | None = self.api(f"/v1/apps/{app}")["release"]
        return version

    def snapshot(self, app: str) -> Snapshot:
        """Return what there is of an app."""
        releases = self.api(f"/v1/apps/{app}/releases")
        return Snapshot(
            releases=tuple(row["version"] for row in releases),
            current=self.serving(app),
            running=self.running(app),
            formation=self.api(f"/v1/apps/{app}/formation")["types"],
        )

    @contextmanager
    def unchanged(self, app: str) -> Iterator[None]:
        """Assert that the block leaves the app's releases, formation and instances as they are."""
        before = self.snapshot(app)
        yield
        assert self.snapshot(app) == before

    def up(self, app: str, **counts: int) -> dict[str, Running]:
        """Wait until exactly so many instances of each type are up and return all there are."""

        def reached() -> dict[str, Running]:
            rows = self.instances(app)
            for name, count in counts.items():
                states = [row["state"] for row in rows if row["type"] == name]
                assert states == ["up"] * count, rows
            return self.named(rows)

        return eventually(reached, within=30)

    # -- HTTP -------------------------------------------------------------------------------------------------
    def request(
        self,
        app: str,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        address: tuple[str, int] | None = None,
    ) -> Answer:
        """Send one request through the router, with the Host of `app` (or `app` itself where it is a host name)."""
        host, port = address or self.http
        connection = HTTPConnection(host, port, timeout=40)
        try:
            name = app if "." in app else f"{app}.localhost"
            connection.request(method, path, body=body, headers={"Host": name, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, app: str, path: str = "/") -> str:
        """Return the body of a GET, which must answer 200."""
        answer = self.request(app, path)
        assert answer.status == 200, answer
        return answer.text


@dataclass(slots=True)
class Repository:
    """A git repository of an app under test."""

    mini: Mini
    path: Path

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / ".git").exists():
            self.git("init", "-q", "-b", "main")

    def git(self, *argv: str, env: Mapping[str, str] | None = None) -> str:
        """Run git, which must end with 0, and return its stdout."""
        result = self.mini.command("git", *argv, cwd=self.path, env=env)
        assert result.code == 0, f"\n{result}"
        return result.out.strip()

    def write(self, files: Mapping[str, str]) -> "Repository":
        """Write files into the work tree."""
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return self

    def copy(self, source: Path) -> "Repository":
        """Copy a folder into the work tree."""
        shutil.copytree(source, self.path, dirs_exist_ok=True)
        return self

    def commit(self, message: str = "Change") -> str:
        """Commit all that is in the work tree and return the full id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def name(self) -> str:
        """The name of its app."""
        return self.path.name

    def create(self) -> "Repository":
        """Create its app, and commit and push what is in the work tree."""
        self.commit("First version")
        self.mini.ok("create", self.name, cwd=self.path)
        self.push()
        return self

    def push(self, *argv: str) -> str:
        """`mini push`, which must succeed; return its stdout."""
        return self.mini.ok("push", *argv, cwd=self.path)

    def try_push(self, *argv: str) -> Result:
        """`mini push`, however it ends."""
        return self.mini.run("push", *argv, cwd=self.path)


def kill(pid: int) -> None:
    """`kill -9` of one process that the test itself started."""
    os.kill(pid, signal.SIGKILL)
