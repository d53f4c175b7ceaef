"""`mini run`: input, output, signals and exit code, passed through over the API's WebSocket."""

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from cli.documents import Run
from tests.unit.cli.conftest import Processes, Runner
from tests.unit.cli.stand_in import StandIn, Talk

ATTACH = "/v1/apps/shop/runs/attach"
STARTED: Run = {"name": "run.1", "id": "i9", "release": 42, "command": "sh"}


def ending(*messages: "dict[str, object] | bytes") -> Talk:
    def talk(websocket: ServerConnection) -> None:
        websocket.recv()
        for message in messages:
            websocket.send(message if isinstance(message, bytes) else json.dumps(message))

    return talk


def problem(code: str) -> dict[str, object]:
    return {"problem": {"code": code, "detail": "It is so.", "request_id": "r"}}


@pytest.mark.parametrize("code", [0, 1, 2, 42, 125, 126, 127, 137])
def test_the_exit_code_is_the_command_s(code: int, process: Processes, api: StandIn) -> None:
    api.websocket(ATTACH, ending({"started": STARTED}, b"some\xff output\r\n", {"exit": code}))
    with process.start("run", "ls") as run:
        out, err = run.communicate(timeout=20)
    assert (run.returncode, out, err) == (code, b"some\xff output\r\n", b"")


def test_output_passes_byte_for_byte(process: Processes, api: StandIn) -> None:
    data = bytes(range(256)) * 1000
    api.websocket(ATTACH, ending({"started": STARTED}, data, data, {"exit": 0}))
    with process.start("run", "ls") as run:
        out, _ = run.communicate(timeout=20)
    assert out == data + data


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("run_failed", 125, id="mini could not run it"),
        pytest.param("not_found", 125, id="no such app or release"),
        pytest.param("command_not_executable", 126, id="not executable"),
        pytest.param("command_not_found", 127, id="not found"),
        pytest.param("timed_out", 124, id="timed out"),
    ],
)
def test_mini_s_own_failures_are_told_from_the_command_s(
    code: str, expected: int, process: Processes, api: StandIn
) -> None:
    api.websocket(ATTACH, ending(problem(code)))
    ran = process("run", "ls")
    assert (ran.code, ran.out, ran.err) == (expected, "", " !    It is so.\n")


def test_a_server_that_goes_away_is_125(process: Processes, api: StandIn) -> None:
    api.websocket(ATTACH, ending({"started": STARTED}))
    assert process("run", "ls").code == 125


def test_a_server_that_is_stopped_takes_the_command_with_it_and_that_is_said(
    process: Processes, api: StandIn
) -> None:
    def talk(websocket: ServerConnection) -> None:
        websocket.recv()
        websocket.send(json.dumps({"started": STARTED}))
        websocket.close(1012)

    api.websocket(ATTACH, talk)
    ran = process("run", "ls")
    assert ran.code == 125
    assert ran.err == " !    The server went away, and the command was ended with it.\n"


def test_what_is_asked_for_is_all_that_the_command_line_says(process: Processes, api: StandIn) -> None:
    requests: list[object] = []

    def talk(websocket: ServerConnection) -> None:
        requests.append(json.loads(websocket.recv()))
        websocket.send(json.dumps({"exit": 0}))

    api.websocket(ATTACH, talk)
    assert (
        process(
            "run", "-e", "A=b=c", "--release", "v3", "--timeout", "5", "ls", "-la", "--json", "-e", "x"
        ).code
        == 0
    )
    assert process("run", "--", "-weird", "--", "x").code == 0
    first = {
        "command": ["ls", "-la", "--json", "-e", "x"],
        "environment": {"A": "b=c"},
        "release": "v3",
        "timeout": 5.0,
        "terminal": None,
    }
    second = {**first, "command": ["-weird", "--", "x"], "environment": {}, "release": None, "timeout": None}
    assert requests == [first, second]


def test_a_terminal_that_does_not_know_its_size_is_taken_for_a_usual_one(
    process: Processes, api: StandIn
) -> None:
    requests: list[dict[str, object]] = []

    def talk(websocket: ServerConnection) -> None:
        requests.append(json.loads(websocket.recv()))
        websocket.send(json.dumps({"exit": 0}))

    api.websocket(ATTACH, talk)
    ours, theirs = pty.openpty()
    with process.start("run", "sh", stdin=theirs, stdout=theirs, TERM="vt220") as run:
        assert run.wait(timeout=20) == 0
    os.close(ours)
    os.close(theirs)
    assert [(each["terminal"], each["term"]) for each in requests] == [({"rows": 24, "columns": 80}, "vt220")]


def test_input_passes_and_its_end_too(process: Processes, api: StandIn) -> None:
    seen: list[str | bytes] = []

    def talk(websocket: ServerConnection) -> None:
        websocket.recv()
        websocket.send(json.dumps({"started": STARTED}))
        for message in websocket:
            seen.append(message)
            if isinstance(message, str):
                break
            websocket.send(json.dumps({"taken": len(message)}))
        websocket.send(json.dumps({"exit": 0}))

    api.websocket(ATTACH, talk)
    assert process("run", "cat", stdin="hello\n" * 50_000).code == 0
    assert b"".join(part for part in seen if isinstance(part, bytes)) == b"hello\n" * 50_000
    assert seen[-1] == '{"eof": true}'


WINDOW = 256 * 1024


def test_no_more_input_than_the_window_is_sent_before_some_was_taken_but_signals_are(
    process: Processes, api: StandIn, folder: Path
) -> None:
    given = os.urandom(3 * WINDOW)
    (folder / "input").write_bytes(given)
    got, orders = b"", list[object]()

    def talk(websocket: ServerConnection) -> None:
        nonlocal got

        def take(size: int) -> None:
            nonlocal got
            while len(got) < size:
                message = websocket.recv()
                assert isinstance(message, bytes)
                got += message

        websocket.recv()
        websocket.send(json.dumps({"started": STARTED}))
        take(WINDOW)
        websocket.send(b"full\n")
        orders.append(json.loads(websocket.recv()))
        websocket.send(json.dumps({"taken": WINDOW // 2}))
        take(WINDOW + WINDOW // 2)
        websocket.send(b"full again\n")
        orders.append(json.loads(websocket.recv()))
        websocket.send(json.dumps({"taken": WINDOW + WINDOW // 2}))
        take(3 * WINDOW)
        websocket.send(json.dumps({"taken": WINDOW // 2}))
        orders.append(json.loads(websocket.recv()))
        websocket.send(json.dumps({"exit": 0}))

    api.websocket(ATTACH, talk)
    with (
        (folder / "input").open("rb") as stdin,
        process.start("run", "sleep", "100", stdin=stdin.fileno()) as run,
    ):
        assert run.stdout is not None
        for said in (b"full\n", b"full again\n"):
            assert run.stdout.readline() == said
            run.send_signal(signal.SIGINT)
        assert run.wait(timeout=20) == 0
    assert got == given
    assert orders == [{"signal": 2}, {"signal": 2}, {"eof": True}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_pass_to_the_command(number: signal.Signals, process: Processes, api: StandIn) -> None:
    seen: list[object] = []

    def talk(websocket: ServerConnection) -> None:
        websocket.recv()
        websocket.send(json.dumps({"started": STARTED}))
        websocket.send(b"ready\n")
        for message in websocket:
            if message != '{"eof": true}':
                seen.append(json.loads(message))
                break
        websocket.send(json.dumps({"exit": 128 + number}))

    api.websocket(ATTACH, talk)
    with process.start("run", "sleep", "100", stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        run.communicate(timeout=20)
    assert seen == [{"signal": int(number)}]
    assert run.returncode == 128 + number


def test_a_detached_run_prints_its_name(mini: Runner, api: StandIn) -> None:
    api.answer("POST", "/v1/apps/shop/runs", STARTED, status=201)
    ran = mini("run", "-d", "sh")
    assert (ran.code, ran.out) == (0, "run.1\n")
    assert "mini logs -p run.1" in ran.err


def test_a_detached_run_of_nothing_there_is_125(mini: Runner, api: StandIn) -> None:
    api.problem("POST", "/v1/apps/shop/runs", status=404, code="not_found", detail="No app.")
    assert mini("run", "-d", "sh").code == 125
