"""A push through `git-remote-mini` itself: real git, a real socket, and a server that runs the real receive-pack."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, unix_serve

from builds.hook import Decide, Push, Say
from cli.git import resolve, upload
from cli.target import LocalTarget
from paas.errors import InvalidError, UnreachableError
from tests.unit.builds.repos import SHOP, Server, WorkTree, git, take

_HELPER = Path(sys.executable).parent / "git-remote-mini"


class Tunnel:
    """The server's end: what `docs/api.md` says of `git/receive-pack`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.paths: list[str] = []
        self.problem: dict[str, str] | None = None
        self.hang_up = False
        self.decide: Decide = take

    def __call__(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        self.paths.append(websocket.request.path)
        if self.hang_up:
            return
        if self.problem:
            websocket.send(json.dumps({"problem": self.problem}))
            return
        self._serve(websocket)

    def _serve(self, websocket: ServerConnection) -> None:
        repositories = self.server.repositories
        with (
            self.server.answering(self.decide) as hook,
            subprocess.Popen(
                repositories.receive_pack_argv(SHOP.id),
                env=repositories.receive_pack_environment(actor="me") | hook.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=hook.descriptors,
            ) as process,
        ):
            feeding = threading.Thread(target=self._feed, args=[websocket, process])
            feeding.start()
            assert process.stdout is not None
            while block := os.read(process.stdout.fileno(), 65536):
                websocket.send(block)
            websocket.send(json.dumps({"exit": process.wait()}))
            websocket.close()
            feeding.join()

    def _feed(self, websocket: ServerConnection, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        try:
            for message in websocket:
                if isinstance(message, str):
                    process.stdin.close()
                else:
                    process.stdin.write(message)
                    process.stdin.flush()
        except (ConnectionClosed, BrokenPipeError):
            pass
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()


@contextmanager
def listening(tunnel: Tunnel) -> Iterator[Tunnel]:
    socket = tunnel.server.settings.control_socket
    socket.parent.mkdir(exist_ok=True)
    with unix_serve(tunnel, str(socket)) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield tunnel
        finally:
            serving.shutdown()
            thread.join()


@pytest.fixture
def tunnel(server: Server) -> Iterator[Tunnel]:
    with listening(Tunnel(server)) as tunnel:
        yield tunnel


def run_git(
    server: Server, work: WorkTree, *arguments: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": f"{_HELPER.parent}:{os.environ['PATH']}",
        "HOME": str(server.settings.home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "MINI_HOME": str(server.settings.home),
        "MINI_NO_START": "1",
        **environ,
    }
    return subprocess.run(
        ["git", *arguments],
        cwd=work.path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_git_push_goes_through_the_tunnel(tunnel: Tunnel, server: Server, work: WorkTree) -> None:
    work.commit({"a": "1" * 300_000})
    git("remote", "add", "mini", "mini::shop", at=work.path)
    pushed = run_git(server, work, "push", "mini", "main")
    assert pushed.returncode == 0, pushed.stderr
    assert tunnel.paths == ["/v1/apps/shop/git/receive-pack?deploy=true"]
    assert server.refs() == ["refs/heads/main"]
    again = run_git(server, work, "push", "mini", "main")
    assert "Everything up-to-date" in again.stderr


def test_a_push_that_is_only_to_be_stored_says_so_to_the_server(
    tunnel: Tunnel, server: Server, work: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = work.commit({"noise": os.urandom(2 * 1024 * 1024)})
    monkeypatch.chdir(work.path)
    pushed = upload(LocalTarget(server.settings), "shop", lambda: resolve(commit))
    assert pushed.commit == commit
    git("cat-file", "-e", f"{commit}:noise", at=server.bare)
    assert tunnel.paths == ["/v1/apps/shop/git/receive-pack?deploy=false"]


def test_a_commit_that_another_push_stores_meanwhile_is_stored(
    tunnel: Tunnel, server: Server, work: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = work.commit({"a": "1"})
    monkeypatch.chdir(work.path)

    async def be_overtaken(_push: Push, _say: Say) -> bool:
        assert work.push(server, f"{commit}:refs/mini/commits/{commit}").startswith("0 ")
        return True

    tunnel.decide = be_overtaken
    assert upload(LocalTarget(server.settings), "shop", lambda: resolve("HEAD")).commit == commit
    assert server.refs() == [f"refs/mini/commits/{commit}"]
    assert len(tunnel.paths) == 2


def test_what_the_hook_refuses_is_not_sent_again(
    tunnel: Tunnel, server: Server, work: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work.path)
    work.commit({"a": "1"})

    async def refuse(_push: Push, say: Say) -> bool:
        await say(" !     It is too large.")
        return False

    tunnel.decide = refuse
    with pytest.raises(InvalidError, match=r"not taken: It is too large\."):
        upload(LocalTarget(server.settings), "shop", lambda: resolve("HEAD"))
    assert len(tunnel.paths) == 1


def test_a_server_that_goes_away_while_a_commit_is_stored_is_said_to_be_gone(
    tunnel: Tunnel, server: Server, work: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel.hang_up = True
    monkeypatch.chdir(work.path)
    work.commit({"a": "1"})
    with pytest.raises(UnreachableError, match="went away during the push"):
        upload(LocalTarget(server.settings), "shop", lambda: resolve("HEAD"))


def test_what_cannot_be_pushed_is_said_though_the_way_there_is_open(
    tunnel: Tunnel, server: Server, work: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work.path)
    work.commit({"a": "1"})
    with pytest.raises(InvalidError, match="'nowhere' names no commit"):
        upload(LocalTarget(server.settings), "shop", lambda: resolve("nowhere"))
    assert server.refs() == []


def test_a_large_push_arrives_whole(tunnel: Tunnel, server: Server, work: WorkTree) -> None:
    commit = work.commit({"noise": os.urandom(2 * 1024 * 1024)})
    assert run_git(server, work, "push", "mini::shop", "main").returncode == 0
    git("cat-file", "-e", f"{commit}:noise", at=server.bare)


def test_what_the_hook_refuses_is_refused_through_the_tunnel(
    tunnel: Tunnel, server: Server, work: WorkTree
) -> None:
    work.commit({"a": "1"})
    git("tag", "v1", at=work.path)
    pushed = run_git(server, work, "push", "mini::shop", "v1")
    assert pushed.returncode != 0
    assert "mini takes branches alone" in pushed.stderr


def test_a_problem_of_the_server_is_shown_in_its_words(
    tunnel: Tunnel, server: Server, work: WorkTree
) -> None:
    work.commit({"a": "1"})
    tunnel.problem = {"detail": "There is no app 'shop'; there are: blog.", "code": "not_found"}
    pushed = run_git(server, work, "push", "mini::shop", "main")
    assert pushed.returncode != 0
    assert "mini: There is no app 'shop'; there are: blog." in pushed.stderr
    assert "Traceback" not in pushed.stderr


def test_a_server_that_goes_away_never_leaves_git_hanging(
    tunnel: Tunnel, server: Server, work: WorkTree
) -> None:
    work.commit({"a": "1"})
    tunnel.hang_up = True
    pushed = run_git(server, work, "push", "mini::shop", "main")
    assert pushed.returncode != 0
    assert "mini: The server went away during the push" in pushed.stderr
    assert "Traceback" not in pushed.stderr


def test_without_a_server_the_push_says_how_to_start_one(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    pushed = run_git(server, work, "push", "mini::shop", "main")
    assert pushed.returncode != 0
    assert "mini server start" in pushed.stderr
    assert "Traceback" not in pushed.stderr


def test_fetching_is_refused_with_what_to_do_instead(tunnel: Tunnel, server: Server, work: WorkTree) -> None:
    fetched = run_git(server, work, "fetch", "mini::shop")
    assert fetched.returncode != 0
    assert "mini takes pushes alone" in fetched.stderr


@pytest.mark.parametrize("name", ["Shop", "--upload-pack=x", "a/b", "x"])
def test_a_remote_that_is_no_apps_name_is_refused(
    tunnel: Tunnel, server: Server, work: WorkTree, name: str
) -> None:
    work.commit({"a": "1"})
    pushed = run_git(server, work, "push", f"mini::{name}", "main")
    assert pushed.returncode != 0
    assert "is no app name" in pushed.stderr
    assert tunnel.paths == []


def test_the_helper_alone_says_who_starts_it(server: Server, work: WorkTree) -> None:
    done = subprocess.run([_HELPER], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is started by git" in done.stderr
