import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from builds.git import Git, Quarantine
from builds.hook import parse_updates, to_deploy
from builds.tree import read_tree
from paas.errors import InvalidError
from tests.unit.builds.repos import SHOP, Server, WorkTree, git
from tests.unit.builds.test_tree import bomb

NONE, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param(f"{NONE} {ONE} refs/tags/v1", "branches alone", id="tag"),
        pytest.param(f"{NONE} {ONE} refs/heads/-x", "branches alone", id="an option"),
        pytest.param(f"{NONE} {ONE} refs/heads/a;b", "branches alone", id="a shell's"),
        pytest.param(f"{NONE} {ONE} refs/mini/other", "branches alone", id="our own folder"),
        pytest.param(f"{NONE} {ONE} refs/mini/commits/{TWO}", "must hold the commit", id="another's name"),
        pytest.param(f"{ONE} {NONE} refs/heads/main", "cannot be deleted", id="delete main"),
        pytest.param(f"{NONE} xyz refs/heads/main", "cannot be read", id="no id"),
    ],
)
def test_a_ref_that_is_not_taken_says_why(line: str, complaint: str) -> None:
    with pytest.raises(InvalidError, match=complaint):
        parse_updates(line)


def test_of_several_branches_only_main_is_deployed() -> None:
    updates = parse_updates(f"{NONE} {ONE} refs/heads/feature\n{NONE} {TWO} refs/heads/main\n")
    deployed = to_deploy(updates)
    assert deployed is not None
    assert deployed.new == TWO


def test_main_and_master_at_once_is_refused() -> None:
    with pytest.raises(InvalidError, match="Push one"):
        to_deploy(parse_updates(f"{NONE} {ONE} refs/heads/master\n{NONE} {TWO} refs/heads/main\n"))


class Plane(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A control plane that answers what a push asks for."""

    daemon_threads = True

    def __init__(self, server: Server, *, state: str = "succeeded", refuse: str = "") -> None:
        server.settings.control_socket.parent.mkdir(exist_ok=True)
        self.bare = server.bare
        self.state = state
        self.refuse = refuse
        self.asked: list[dict[str, object]] = []
        self.seen_in_quarantine = 0
        super().__init__(str(server.settings.control_socket), _Answers)


class _Answers(BaseHTTPRequestHandler):
    server: Plane

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, **body})
        if self.server.refuse:
            return self._answer(423, {"detail": self.server.refuse, "code": "lease_held"})
        git = Git(self.server.bare, Quarantine(**body["quarantine"]))
        self.server.seen_in_quarantine = len(read_tree(git, body["commit"]).sizes)
        return self._answer(202, {"id": "d1"})

    def do_GET(self) -> None:
        if not self.path.endswith("/output"):
            reason = "" if self.server.state == "succeeded" else "requirements.txt cannot be resolved: nosuch"
            answer = {
                "state": self.server.state,
                "release": 7,
                "url": "http://shop.localhost",
                "reason": reason,
            }
            return self._answer(200, answer)
        lines = [("step", "Building 1234567 (main)"), ("output", "hello"), ("warning", "careful")]
        text = "".join(json.dumps({"sequence": 1, "at": "", "kind": k, "text": t}) + "\n" for k, t in lines)
        return self._send(200, text.encode())

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name of the method that it replaces

    def _answer(self, status: int, document: dict[str, object]) -> None:
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running(plane: Plane) -> Iterator[Plane]:
    thread = threading.Thread(target=plane.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield plane
    finally:
        plane.shutdown()
        plane.server_close()
        thread.join()


def test_a_push_to_main_is_built_from_quarantine_and_shows_the_output(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "1", "b": "2"})
    with running(Plane(server)) as plane:
        said = work.push(server, "main", deploy=True)
    assert said.startswith("0 ")
    remote = [line.removeprefix("remote: ").rstrip() for line in said[2:].splitlines() if "remote:" in line]
    assert remote == [
        "-----> Building 1234567 (main)",
        "       hello",
        " !     careful",
        "v7  http://shop.localhost",
    ]
    assert plane.asked[0]["commit"] == commit
    assert plane.asked[0]["path"] == f"/v1/apps/{SHOP.name}/deployments"
    assert plane.seen_in_quarantine == 2
    assert server.refs() == ["refs/heads/main"]


def test_a_failed_deployment_refuses_the_push_and_leaves_nothing(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "1"})
    with running(Plane(server, state="failed")):
        said = work.push(server, "main", deploy=True)
    assert said.startswith("1 ")
    assert " !     requirements.txt cannot be resolved: nosuch" in said
    assert server.refs() == []
    assert git("cat-file", "-e", commit, at=server.bare, check=False).returncode != 0


def test_a_refusal_of_the_control_plane_is_shown(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    with running(Plane(server, refuse="Another deployment is under way.")):
        said = work.push(server, "main", deploy=True)
    assert said.startswith("1 ")
    assert " !     Another deployment is under way." in said


def test_without_a_control_plane_a_push_to_main_is_refused_in_one_sentence(
    server: Server, work: WorkTree
) -> None:
    work.commit({"a": "1"})
    said = work.push(server, "main", deploy=True)
    assert said.startswith("1 ")
    assert "The control plane does not answer" in said
    assert "Traceback" not in said


def test_another_branch_is_stored_and_says_so(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    said = work.push(server, "main:feature/x", deploy=True)
    assert said.startswith("0 ")
    assert "feature/x is stored, not deployed. To deploy it: git push mini feature/x:main" in said
    assert server.refs() == ["refs/heads/feature/x"]
    assert work.push(server, ":feature/x", deploy=True).startswith("0 ")


def test_a_commit_that_is_only_to_be_stored_deploys_nothing_and_says_nothing(
    server: Server, work: WorkTree
) -> None:
    commit = work.commit({"a": "1"})
    said = work.push(server, f"main:refs/mini/commits/{commit}")
    assert said.startswith("0 ")
    assert "remote:" not in said


def test_deleting_main_is_refused(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    work.push(server, "main")
    said = work.push(server, ":main")
    assert said.startswith("1 ")
    assert "cannot be deleted" in said
    assert server.refs() == ["refs/heads/main"]


def test_a_history_may_be_rewritten(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    work.push(server, "main")
    git("commit", "--quiet", "--amend", "-m", "other", at=work.path)
    assert work.push(server, "+main").startswith("0 ")


def test_a_shallow_clone_can_be_pushed(server: Server, work: WorkTree, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    commit = work.commit({"a": "2"})
    git("clone", "--quiet", "--depth=1", f"file://{work.path}", "shallow", at=tmp_path)
    said = work.push(server, f"HEAD:refs/mini/commits/{commit}", at=tmp_path / "shallow")
    assert said.startswith("0 "), said
    assert work.push(server, "main").startswith("0 ")


def test_a_tree_bomb_is_refused_before_anything_is_written(
    server: Server, work: WorkTree, tmp_path: Path
) -> None:
    other = Server(tmp_path / "attacker")
    git("init", "--quiet", "--bare", str(other.bare), at=tmp_path)
    commit = bomb(other)
    said = work.push(server, f"{commit}:refs/heads/feature", at=other.bare)
    assert said.startswith("1 ")
    assert "10,000,000,000 files" in said
    assert server.refs() == []


def test_a_submodule_is_refused_at_the_push(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    git("update-index", "--add", "--cacheinfo", f"160000,{ONE},lib", at=work.path)
    git("commit", "--quiet", "-m", "x", at=work.path)
    said = work.push(server, "main")
    assert said.startswith("1 ")
    assert "lib is a submodule" in said


def test_nothing_that_is_pushed_is_executed(server: Server, work: WorkTree, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    script = f"#!/bin/sh\ntouch {canary}\n"
    modules = '[submodule "x"]\n\tpath = x\n\turl = ./x\n'
    for name in ("hooks/pre-receive", "hooks/update", "hooks/post-receive", "hooks/post-update"):
        work.commit({name: script})
        (work.path / name).chmod(0o755)
    work.commit({".gitmodules": modules, "config": f"[core]\n\tfsmonitor = touch {canary}\n"})
    work.push(server, "main")
    with_hooks = server.bare / "hooks"
    with_hooks.mkdir()
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        (with_hooks / name).write_text(script)
        (with_hooks / name).chmod(0o755)
    assert work.push(server, "main:other").startswith("0 ")
    assert not canary.exists()


def test_a_submodule_that_would_run_a_command_is_refused(server: Server, work: WorkTree) -> None:
    work.commit({".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ./x\n\tupdate = !touch /tmp/x\n'})
    assert "disallowed submodule update" in work.push(server, "main")
    assert server.refs() == []
