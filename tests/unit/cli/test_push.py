"""`mini push`: which commit, to which app, and how its deployment is followed. git and its helper are real."""

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from tests.unit.cli import documents
from tests.unit.cli.conftest import Processes
from tests.unit.cli.stand_in import StandIn

DEPLOYMENTS = "/v1/apps/shop/deployments"
RECEIVE = "/v1/apps/shop/git/receive-pack"


def git(*arguments: str, cwd: Path) -> str:
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(folder: Path) -> Path:
    """A repository with one commit on main, in the folder where we are."""
    git("init", "-q", "-b", "main", ".", cwd=folder)
    (folder / "Procfile").write_text("web: true\n")
    git("add", ".", cwd=folder)
    git("commit", "-qm", "one", cwd=folder)
    return folder


@pytest.fixture
def received(api: StandIn, tmp_path: Path) -> Path:
    """The bare repository behind the stand-in: what was uploaded is in it."""
    bare = tmp_path / "bare.git"
    git("init", "-q", "--bare", str(bare), cwd=tmp_path)
    git("config", "receive.shallowUpdate", "true", cwd=bare)

    api.websocket(RECEIVE, lambda websocket: _receive(websocket, bare))
    api.answer("GET", "/v1/apps/shop", documents.app())
    return bare


def _receive(websocket: ServerConnection, bare: Path) -> None:
    with subprocess.Popen(
        ["git", "receive-pack", str(bare)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as pack:
        printing = threading.Thread(target=_print, args=[websocket, pack])
        printing.start()
        assert pack.stdin is not None
        for message in websocket:
            if isinstance(message, str):
                break
            pack.stdin.write(message)
        pack.stdin.close()
        printing.join()
    websocket.send(json.dumps({"exit": pack.returncode}))


def _print(websocket: ServerConnection, pack: "subprocess.Popen[bytes]") -> None:
    assert pack.stdout is not None
    while block := pack.stdout.read(65536):
        websocket.send(block)


@pytest.fixture
def deploys(api: StandIn) -> None:
    """A deployment that succeeds."""
    api.answer("POST", DEPLOYMENTS, documents.deployment(state="queued", release=None), status=202)
    step = documents.line(1, "Building 3f2c1ab (main)", kind="step")
    end = {"deployment": documents.deployment()}
    api.stream(f"{DEPLOYMENTS}/d1/output", step, documents.line(2, "Collecting flask"), end)


def asked_for(api: StandIn) -> dict[str, object]:
    (body,) = api.bodies("POST", DEPLOYMENTS)
    assert isinstance(body, dict)
    return body


@pytest.mark.usefixtures("deploys")
def test_the_commit_of_head_is_uploaded_and_deployed(
    repository: Path, received: Path, process: Processes, api: StandIn
) -> None:
    head = git("rev-parse", "HEAD", cwd=repository)
    ran = process("push", "-m", "first", "--wait-lock", "90s")
    assert (ran.code, ran.out) == (0, "v42  http://shop.localhost:8080\n")
    assert ran.err == "-----> Building 3f2c1ab (main)\n       Collecting flask\n"
    assert git("rev-parse", f"refs/mini/commits/{head}", cwd=received) == head
    expected = {"commit": head, "ref": "main", "message": "first", "no_cache": False, "wait_lock": 90.0}
    assert asked_for(api) == expected


@pytest.mark.usefixtures("deploys", "received")
@pytest.mark.parametrize(
    ("before", "argument", "ref"),
    [
        pytest.param([], "v1.0", "v1.0", id="tag"),
        pytest.param([["tag", "-am", "x", "note"]], "note", "note", id="annotated tag"),
        pytest.param([["branch", "other"]], "other", "other", id="branch"),
        pytest.param([["checkout", "-q", "--detach"]], "HEAD", "HEAD", id="detached head"),
        pytest.param([["commit", "-qm", "two", "--allow-empty"]], "HEAD~1", "HEAD~1", id="an earlier commit"),
    ],
)
def test_any_name_of_a_commit_will_do(
    before: list[list[str]], argument: str, ref: str, repository: Path, process: Processes, api: StandIn
) -> None:
    head = git("rev-parse", "HEAD", cwd=repository)
    git("tag", "v1.0", cwd=repository)
    for command in before:
        git(*command, cwd=repository)
    assert process("push", argument).code == 0
    assert (asked_for(api)["commit"], asked_for(api)["ref"]) == (head, ref)


@pytest.mark.usefixtures("deploys", "received")
def test_a_short_hash_and_a_shallow_clone_will_do(
    repository: Path, process: Processes, api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("commit", "-qm", "two", "--allow-empty", cwd=repository)
    shallow = repository.parent / "shallow"
    git("clone", "-q", "--depth", "1", f"file://{repository}", str(shallow), cwd=repository)
    monkeypatch.chdir(shallow)
    head = git("rev-parse", "HEAD", cwd=shallow)
    assert process("push", head[:8]).code == 0
    assert asked_for(api)["commit"] == head


@pytest.mark.usefixtures("deploys", "received")
def test_a_dirty_work_tree_is_warned_of_and_not_pushed(repository: Path, process: Processes) -> None:
    (repository / "Procfile").write_text("web: false\n")
    ran = process("push")
    assert ran.code == 0
    assert "has changes that are not committed" in ran.err


def test_a_repository_without_a_commit_is_refused(folder: Path, process: Processes) -> None:
    git("init", "-q", ".", cwd=folder)
    ran = process("push")
    assert ran.code == 2
    assert "There is no commit here yet" in ran.err


@pytest.mark.parametrize("ref", ["nothing", "main:Procfile", "HEAD~7", "--", "-x"])
def test_a_name_of_no_commit_is_refused(ref: str, repository: Path, process: Processes, api: StandIn) -> None:
    ran = process("push", "--", ref) if ref.startswith("-") else process("push", ref)
    assert ran.code == 2
    assert api.bodies("POST", DEPLOYMENTS) == []


@pytest.mark.usefixtures("deploys", "received", "repository")
def test_without_an_app_one_is_created_after_the_folder_and_remembered(
    process: Processes, api: StandIn, repository: Path, environ: dict[str, str]
) -> None:
    del environ["MINI_APP"]
    api.answer("POST", "/v1/apps", documents.app(), status=201)
    assert process("push").code == 0
    assert api.bodies("POST", "/v1/apps") == [{"name": "my-shop-2"}]
    assert git("remote", "get-url", "mini", cwd=repository) == "mini::shop"
    api.asked.clear()
    assert process("push").code == 0
    assert api.bodies("POST", "/v1/apps") == []


@pytest.mark.usefixtures("repository")
def test_a_name_that_is_taken_says_what_to_type(
    process: Processes, api: StandIn, environ: dict[str, str]
) -> None:
    del environ["MINI_APP"]
    api.problem("POST", "/v1/apps", status=409, code="name_taken", detail="Taken.")
    ran = process("push")
    assert ran.code == 2
    assert "Type `mini push -a my-shop-2`" in ran.err


@pytest.mark.usefixtures("repository", "received")
@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("build_failed", 10), ("release_failed", 11), ("not_healthy", 12), ("cancelled", 13), ("lease_held", 5)],
)
def test_a_deployment_that_fails_exits_with_its_code_and_says_why_once(
    code: str, exit_code: int, process: Processes, api: StandIn
) -> None:
    failed = documents.deployment(
        state="failed", code=code, exit_code=exit_code, reason="It did not.", release=None
    )
    api.answer("POST", DEPLOYMENTS, documents.deployment(state="queued", release=None), status=202)
    api.stream(f"{DEPLOYMENTS}/d1/output", documents.line(1, "It did not.", kind="error"))
    api.answer("GET", f"{DEPLOYMENTS}/d1", failed)
    ran = process("push")
    assert (ran.code, ran.out, ran.err) == (exit_code, "", " !     It did not.\n")


@pytest.mark.usefixtures("repository", "received")
def test_what_already_runs_is_said_and_is_no_failure(process: Processes, api: StandIn) -> None:
    same = documents.deployment(changed=False, reason="3f2c1ab already runs as v42", release=None)
    api.answer("POST", DEPLOYMENTS, same, status=202)
    ran = process("push")
    assert (ran.code, ran.out) == (0, "v42  http://shop.localhost:8080\n")
    assert "already runs" in ran.err


@pytest.mark.usefixtures("repository", "received")
def test_what_runs_already_by_the_end_of_the_queue_is_said_once(process: Processes, api: StandIn) -> None:
    reason = "b19c78a already runs as v42: nothing to build, no new release"
    same = documents.deployment(changed=False, reason=reason, release=None)
    api.answer("POST", DEPLOYMENTS, documents.deployment(state="queued", release=None), status=202)
    step = documents.line(1, reason, kind="step")
    api.stream(f"{DEPLOYMENTS}/d1/output", step, {"deployment": same})
    ran = process("push")
    assert (ran.code, ran.out, ran.err) == (0, "v42  http://shop.localhost:8080\n", f"-----> {reason}\n")


@pytest.mark.usefixtures("repository", "received")
def test_the_output_goes_on_where_the_connection_broke_off(process: Processes, api: StandIn) -> None:
    api.answer("POST", DEPLOYMENTS, documents.deployment(state="queued", release=None), status=202)
    api.stream(
        f"{DEPLOYMENTS}/d1/output", documents.line(1, "one"), documents.line(2, "two"), breaks_off=True
    )
    api.stream(f"{DEPLOYMENTS}/d1/output", documents.line(3, "three"))
    api.answer("GET", f"{DEPLOYMENTS}/d1", documents.deployment())
    ran = process("push")
    assert ran.err.split() == ["one", "two", "three"]
    cursors = [asked.query.get("after") for asked in api.asked if asked.path.endswith("/output")]
    assert cursors == [None, "2"]


@pytest.mark.usefixtures("repository", "received")
def test_ctrl_c_cancels_the_deployment(process: Processes, api: StandIn) -> None:
    api.answer("POST", DEPLOYMENTS, documents.deployment(state="queued", release=None), status=202)
    api.stream(f"{DEPLOYMENTS}/d1/output", documents.line(1, "Building", kind="step"), breaks_off=True)
    api.answer("GET", f"{DEPLOYMENTS}/d1", documents.deployment(state="building"))
    api.answer("POST", f"{DEPLOYMENTS}/d1/cancel", documents.deployment(state="cancelled"))
    with process.start("push") as push:
        assert push.stderr is not None
        assert push.stderr.readline() == b"-----> Building\n"
        push.send_signal(signal.SIGINT)
        push.communicate(timeout=20)
    assert push.returncode == 130
    assert api.bodies("POST", f"{DEPLOYMENTS}/d1/cancel") == [None]


@pytest.mark.usefixtures("deploys", "received", "repository")
def test_detached_it_prints_the_deployment_and_does_not_wait(process: Processes, api: StandIn) -> None:
    assert process("push", "--detach").out == "d1\n"
    assert [asked for asked in api.asked if asked.path.endswith("/output")] == []


@pytest.mark.usefixtures("deploys", "repository")
def test_an_upload_that_is_refused_says_why(process: Processes, api: StandIn) -> None:
    api.answer("GET", "/v1/apps/shop", documents.app())

    def refuse(websocket: ServerConnection) -> None:
        problem = {"code": "not_found", "detail": "There is no app shop.", "request_id": "r"}
        websocket.send(json.dumps({"problem": problem}))

    api.websocket(RECEIVE, refuse)
    ran = process("push")
    assert ran.code == 3
    assert "There is no app shop." in ran.err
    assert api.bodies("POST", DEPLOYMENTS) == []
