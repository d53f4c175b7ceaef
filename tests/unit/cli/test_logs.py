"""`mini logs`: what is asked for, and following over a connection that breaks off."""

import signal

from tests.unit.cli import documents
from tests.unit.cli.conftest import Processes, Runner
from tests.unit.cli.stand_in import StandIn

LOGS = "/v1/apps/shop/logs"


def test_all_options_reach_the_server(mini: Runner, api: StandIn) -> None:
    api.stream(LOGS)
    options = "-n 5 -p web.1 -s app --release v3 --since 10m --until 2026-09-13T10:12:00Z --grep a.b&c"
    assert mini("logs", *options.split()).code == 0
    assert api.asked[0].query == {
        "lines": "5",
        "instance": "web.1",
        "source": "app",
        "release": "v3",
        "since": "2026-09-13T10:03:12.000000+00:00",
        "until": "2026-09-13T10:12:00.000000+00:00",
        "grep": "a.b&c",
    }


def test_following_goes_on_after_the_last_line_where_the_connection_broke_off(
    process: Processes, api: StandIn
) -> None:
    api.stream(LOGS, documents.log_line(7, "one"), breaks_off=True)
    api.stream(LOGS, documents.log_line(8, "two"))
    api.stream(LOGS)
    with process.start("logs", "-t") as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline().endswith(b"app[web.1]: one\n")
        assert logs.stdout.readline().endswith(b"app[web.1]: two\n")
        logs.send_signal(signal.SIGINT)
        logs.communicate(timeout=20)
    assert logs.returncode == 130
    assert [asked.query.get("after") for asked in api.asked][:2] == [None, "7"]


def test_a_problem_in_the_middle_of_a_stream_is_said(mini: Runner, api: StandIn) -> None:
    problem = {"code": "not_found", "detail": "The app is gone.", "request_id": "r"}
    api.stream(LOGS, documents.log_line(1, "one"), {"problem": problem})
    ran = mini("logs")
    assert (ran.code, ran.err) == (3, " !    The app is gone.\n")
    assert "one" in ran.out
