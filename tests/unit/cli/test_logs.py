"""`mini logs`: what is asked for, and following over a connection that breaks off."""

import signal

from tests.unit.cli import documents
from tests.unit.cli.conftest import Processes, Runner
from tests.unit.cli.stand_in import StandIn

LOGS = "/v1/apps/shop/logs"
FORMATION = "/v1/apps/shop/formation"


def test_all_options_reach_the_server(mini: Runner, api: StandIn) -> None:
    api.stream(LOGS)
    api.answer("GET", FORMATION, {"types": {"web": 1}, "commands": {}})
    options = "-n 5 -p web.1 -s app --release v3 --since 10m --until 2026-09-13T10:12:00Z --grep a.b&c"
    ran = mini("logs", *options.split())
    assert (ran.code, ran.err) == (0, "")
    assert api.asked[-1].query == {
        "lines": "5",
        "instance": "web.1",
        "source": "app",
        "release": "v3",
        "since": "2026-09-13T10:03:12.000000+00:00",
        "until": "2026-09-13T10:12:00.000000+00:00",
        "grep": "a.b&c",
    }


def test_a_type_that_the_app_has_not_is_said_and_older_lines_of_it_are_shown(
    mini: Runner, api: StandIn
) -> None:
    api.answer("GET", FORMATION, {"types": {"worker": 0, "web": 1}, "commands": {}})
    api.stream(LOGS, documents.log_line(1, "long ago", instance="cron.1"))
    ran = mini("logs", "-p", "cron.1")
    assert ran.code == 0
    assert ran.err == " !    shop has no process type 'cron' now; its types: web, worker.\n"
    assert ran.out.endswith("app[cron.1]: long ago\n")


def test_one_offs_and_the_router_have_lines_too(mini: Runner, api: StandIn) -> None:
    api.answer("GET", FORMATION, {"types": {"web": 1}, "commands": {}})
    api.stream(LOGS)
    assert [mini("logs", "-p", name).err for name in ("run.1", "release", "router")] == ["", "", ""]


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


def test_following_ends_with_the_stream_once_the_time_of_until_has_come(mini: Runner, api: StandIn) -> None:
    api.stream(LOGS, documents.log_line(7, "one"))
    ran = mini("logs", "-t", "-n", "1", "--until", "1m")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("app[web.1]: one\n")
    assert [asked.query["follow"] for asked in api.asked] == ["true"]


def test_a_problem_in_the_middle_of_a_stream_is_said(mini: Runner, api: StandIn) -> None:
    problem = {"code": "not_found", "detail": "The app is gone.", "request_id": "r"}
    api.stream(LOGS, documents.log_line(1, "one"), {"problem": problem})
    ran = mini("logs")
    assert (ran.code, ran.err) == (3, " !    The app is gone.\n")
    assert "one" in ran.out
