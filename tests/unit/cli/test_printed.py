"""What commands print, compared with goldens. Each case is one command line and the documents behind it."""

from collections.abc import Callable

import pytest

from tests.golden_file import assert_golden
from tests.unit.cli import documents
from tests.unit.cli.conftest import Runner
from tests.unit.cli.stand_in import StandIn

Arrange = Callable[[StandIn], None]


def releases(api: StandIn) -> None:
    failed = documents.release(
        40,
        description="Deploy 9d0e77c",
        status="failed",
        reason="release command failed: exit 1",
        rollback_target=False,
    )
    rows = [
        documents.release(42, current=True),
        documents.release(
            41,
            kind="config",
            description="Set DEBUG config var",
            created_at="2026-09-13T09:02:44.000000+00:00",
        ),
        failed,
    ]
    api.answer("GET", "/v1/apps/shop/releases", rows)
    api.answer("GET", "/v1/apps/shop/releases/v40", failed)


def instances(api: StandIn) -> None:
    crashed = {"state": "crashed", "retry_in": 8.2, "restarts": 5, "exit": "exit 1", "pid": None}
    rows = [
        documents.instance("web.1"),
        documents.instance("web.2", **crashed),
        documents.instance("worker.1", state="starting", port=None, command="python worker.py"),
        documents.instance("run.3", one_off=True, port=None, command="python manage.py shell"),
    ]
    api.answer("GET", "/v1/apps/shop/instances", rows)
    api.answer("GET", "/v1/apps/shop/formation", {"types": {"web": 3, "worker": 2}, "commands": {}})
    api.answer(
        "PATCH", "/v1/apps/shop/formation", {"types": {"web": 3, "worker": 2, "cron": 0}, "commands": {}}
    )
    api.answer("POST", "/v1/apps/shop/restarts", {"instances": ["web.1", "web.2"]})
    api.answer(
        "POST", "/v1/apps/shop/instances/worker.1/stop", documents.instance("worker.1", state="stopping")
    )


def images(api: StandIn) -> None:
    rows = [documents.instance("web.1", command="")]
    api.answer("GET", "/v1/apps/shop/instances", rows)
    api.answer("GET", "/v1/apps/shop/releases/%40", documents.release(42, process_types={"web": ""}))
    run = {"name": "run.1", "id": "i9", "release": 42, "command": ""}
    api.answer("POST", "/v1/apps/shop/runs", run, status=201)
    collected = [
        {"kind": "artifact", "name": "sha256:ab3b18", "bytes": None, "origin": "shop 3f2c1ab"},
        {"kind": "artifact", "name": "sha256:0c11e2", "bytes": None, "origin": ""},
        {"kind": "cache", "name": "build cache", "bytes": 5_300_000, "origin": ""},
    ]
    api.answer("POST", "/v1/gc", collected)


def config(api: StandIn) -> None:
    variables = {"DATABASE_URL": "postgres://u:p@db/shop", "DEBUG": "0", "MOTD": "it's\ntwo lines"}
    api.answer("GET", "/v1/apps/shop/config", {"release": 42, "variables": variables})
    queued = documents.deployment(kind="config", state="queued", release=None)
    api.answer("PATCH", "/v1/apps/shop/config", queued, status=202)
    api.stream("/v1/apps/shop/deployments/d1/output", documents.line(1, "Starting web.1", kind="step"))
    api.answer(
        "GET", "/v1/apps/shop/deployments/d1", documents.deployment(kind="config", release=43, serving=43)
    )


def unchanged(api: StandIn) -> None:
    api.answer("PATCH", "/v1/apps/shop/config", documents.deployment(changed=False, release=None, serving=10))


def rollback(api: StandIn) -> None:
    change = {"key": "DEBUG", "change": "changed", "before": "[hidden]", "after": "[hidden]"}
    preview = {"target": 41, "current": 43, "commit": "9d0e77c0", "config_changes": [change]}
    api.answer("POST", "/v1/apps/shop/rollbacks", preview)
    api.answer(
        "POST", "/v1/apps/shop/rollbacks", documents.deployment(state="queued", release=None), status=202
    )
    api.stream("/v1/apps/shop/deployments/d1/output")
    api.answer("GET", "/v1/apps/shop/deployments/d1", documents.deployment(release=44, serving=44))


def diff(api: StandIn) -> None:
    found = {
        "a": 41,
        "b": 43,
        "commit_a": "9d0e77c0aaaa",
        "commit_b": "3f2c1abf0c3b",
        "commits": ["3f2c1ab Sell more"],
        "config": [
            {"key": "DEBUG", "change": "added", "before": None, "after": "[hidden]"},
            {"key": "OLD", "change": "removed", "before": "[hidden]", "after": None},
        ],
        "process_types": [
            {"key": "web", "change": "changed", "before": "flask run", "after": "gunicorn shop.wsgi"}
        ],
    }
    api.answer("GET", "/v1/apps/shop/diff", found)


def logs(api: StandIn) -> None:
    api.stream(
        "/v1/apps/shop/logs",
        documents.log_line(1, "State changed from starting to up", source="mini"),
        documents.log_line(2, "hello", at="2026-09-13T10:11:20Z"),
    )


def apps(api: StandIn) -> None:
    rows = [
        documents.app(),
        documents.app(name="blog", release=None, instances=0, url="http://blog.localhost:8080"),
    ]
    api.answer("GET", "/v1/apps", rows)
    api.answer("GET", "/v1/apps/shop", rows[0])
    api.answer("PATCH", "/v1/apps/shop", documents.app(name="store", url="http://store.localhost:8080"))
    api.answer("DELETE", "/v1/apps/shop", status=204)
    api.answer("POST", "/v1/apps", rows[1], status=201)


def builds(api: StandIn) -> None:
    build = {
        "id": "0b1946ac92492d2347c6235b4d2611184",
        "commit": "3f2c1abf0c3b3c6c1a2f0e9d8c7b6a5f4e3d2c1b",
        "ref": "main",
        "builder": "slug/python-3.11",
        "state": "succeeded",
        "reason": "",
        "artifact": "slug:77",
        "process_types": {"web": "gunicorn shop.wsgi"},
        "actor": "me",
        "created_at": "2026-09-13T10:10:12.000000+00:00",
        "ended_at": None,
    }
    api.answer("GET", "/v1/apps/shop/builds", [build])
    api.answer("GET", "/v1/apps/shop/builds/0b19", build)
    api.text("/v1/apps/shop/builds/0b19/output", "Collecting flask\nDone\n")
    api.answer("POST", "/v1/apps/shop/builds/0b19/cancel", {**build, "state": "cancelled"})


def traffic(api: StandIn) -> None:
    hosts = [
        documents.domain("shop.localhost", created_at=None),
        documents.domain("shop.example.com"),
    ]
    api.answer("GET", "/v1/apps/shop/domains", hosts)
    api.answer("POST", "/v1/apps/shop/domains", hosts[1], status=201)
    api.answer("DELETE", "/v1/apps/shop/domains/shop.example.com", status=204)
    routes = [
        documents.route("shop.localhost", backends=["web.1", "web.2"]),
        documents.route("blog.localhost", app="blog"),
        documents.route("wiki.localhost", app="wiki", backends=["web.1"], maintenance=True),
    ]
    api.answer("GET", "/v1/routes", routes)
    check = {
        "type": "web",
        "kind": "liveness",
        "path": "/up",
        "attempts": 3,
        "interval": 10.0,
        "timeout": 2.0,
    }
    api.answer("GET", "/v1/apps/shop/checks", [check])
    results = [
        {"instance": "web.1", "check": "GET /up", "ok": True, "message": "200 in 3 ms"},
        {"instance": "web.2", "check": "GET /up", "ok": False, "message": "status 500"},
    ]
    api.answer("POST", "/v1/apps/shop/checks/run", results)


def https(api: StandIn) -> None:
    issued = documents.domain(
        "shop.example.com",
        url="https://shop.example.com:8443",
        tls={"origin": "issued", "fingerprint": "ab", "expires_at": "2027-10-14T10:00:00.000000+00:00"},
    )
    api.answer("GET", "/v1/apps/shop/domains", [documents.domain("shop.localhost", created_at=None), issued])
    api.answer("POST", "/v1/apps/shop/domains", issued, status=201)
    api.answer("GET", "/v1/authority", {"certificate": "-----BEGIN CERTIFICATE-----\n…\n"})


def rules(api: StandIn) -> None:
    api.answer("GET", "/v1/apps/shop/maintenance", {"maintenance": False})
    api.answer("PUT", "/v1/apps/shop/maintenance", {"maintenance": True})
    api.answer("GET", "/v1/apps/shop/stickiness", {"sticky": True})
    api.answer("PUT", "/v1/apps/shop/stickiness", {"sticky": False})


def pinned(api: StandIn) -> None:
    running = documents.release(43, url="http://v43--shop.localhost:8080")
    api.answer("GET", "/v1/apps/shop/releases/v43", running)


def platform(api: StandIn) -> None:
    server = {
        "version": "0.1.0",
        "home": "/srv/mini",
        "engine": "process",
        "socket": "/srv/mini/run/control.sock",
        "api": "127.0.0.1:8600",
        "http": "127.0.0.1:8080",
        "https": None,
        "pids": {"control": 100, "router": [101, 102], "logs": 103},
        "started_at": "2026-09-12T10:13:12.000000+00:00",
        "apps": 2,
        "instances": 5,
    }
    api.answer("GET", "/v1/server", server)
    api.text("/v1/server/logs", "control: ready\n")
    event = {
        "id": 7,
        "at": "2026-09-13T10:11:12.000000+00:00",
        "kind": "ReleaseCreated",
        "app": "shop",
        "actor": "me",
        "cause": "push of 3f2c1ab",
        "details": {"version": 42},
    }
    api.stream("/v1/events", event)
    findings = [
        {"check": "kernel", "ok": True, "level": "ok", "message": "Linux 6.18"},
        {"check": "disk", "ok": False, "level": "warning", "message": "9 % free"},
    ]
    api.answer("GET", "/v1/doctor", findings)
    collected = [
        {"kind": "artifact", "name": "5b1c", "bytes": 5_300_000, "origin": "shop 3f2c1ab"},
        {"kind": "output", "name": "d1", "bytes": 812, "origin": ""},
    ]
    api.answer("POST", "/v1/gc", collected)


CASES: list[tuple[Arrange, str]] = [
    (apps, "apps"),
    (apps, "apps --json"),
    (apps, "info"),
    (apps, "open"),
    (apps, "create blog"),
    (apps, "rename store"),
    (apps, "destroy --confirm shop"),
    (builds, "builds"),
    (builds, "builds info 0b19"),
    (builds, "builds output 0b19"),
    (builds, "builds:cancel 0b19"),
    (releases, "releases"),
    (releases, "releases info v40"),
    (diff, "diff v41 v43"),
    (rollback, "rollback"),
    (rollback, "rollback v41 --dry-run"),
    (config, "config"),
    (config, "config -s"),
    (config, "config get DEBUG"),
    (config, "config set DEBUG=0"),
    (config, "config:unset DEBUG"),
    (unchanged, "config set DEBUG=0"),
    (instances, "ps"),
    (instances, "ps worker"),
    (instances, "scale"),
    (instances, "ps:scale web=3 worker+1"),
    (instances, "restart"),
    (instances, "stop worker.1"),
    (images, "ps"),
    (images, "releases info"),
    (images, "run -d web"),
    (images, "gc"),
    (logs, "logs -n 2"),
    (logs, "logs --json"),
    (traffic, "domains"),
    (traffic, "domains add shop.example.com"),
    (traffic, "domains:remove shop.example.com"),
    (traffic, "routes"),
    (https, "domains"),
    (https, "domains add shop.example.com --tls"),
    (https, "domains ca"),
    (rules, "maintenance"),
    (rules, "maintenance on"),
    (rules, "maintenance --json"),
    (rules, "sticky"),
    (rules, "sticky off"),
    (pinned, "open --release v43"),
    (traffic, "checks show"),
    (traffic, "checks run"),
    (platform, "server status"),
    (platform, "server logs"),
    (platform, "events"),
    (platform, "doctor"),
    (platform, "gc --dry-run"),
]


def _name(arrange: Arrange, line: str) -> str:
    words = line.replace("--", "").replace("=", "").replace(":", " ").split()
    return "-".join([arrange.__name__, *words]).replace("+", "plus")


@pytest.mark.parametrize(("arrange", "line"), [pytest.param(*case, id=_name(*case)) for case in CASES])
def test_a_command_prints_what_was_approved(arrange: Arrange, line: str, mini: Runner, api: StandIn) -> None:
    arrange(api)
    ran = mini(*line.split())
    text = f"$ mini {line}\n{ran.out}--- stderr\n{ran.err}--- exit {ran.code}\n"
    assert_golden(f"cli/{_name(arrange, line)}.txt", text.replace(str(api.home), "HOME"))
