"""How requests reach an app: maintenance, a release's own address, HTTPS, metrics."""

import json
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from paas.tls.authority import Authority
from tests.e2e import apps
from tests.e2e.backing import Backing
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually

SETTINGS = {"MINI_HTTPS": "127.0.0.1:0"}

Make = Callable[[str], Repository]

ECHO = """
import http.server, json, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())

http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
"""


def securely(mini: Mini, host: str, *, trust: str, path: str = "/") -> tuple[int, str]:
    """Send a GET over HTTPS with the name `host`, trusting `trust`; return the status and the body."""
    address, _, port = mini.status()["https"].rpartition(":")
    context = ssl.create_default_context(cadata=trust)
    plain = socket.create_connection((address, int(port)), timeout=20)
    connection = HTTPSConnection(host, int(port), context=context)
    try:
        connection.sock = context.wrap_socket(plain, server_hostname=host)
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
        plain.close()


def test_in_maintenance_every_request_gets_a_page_that_says_so_and_instances_run_on(
    mini: Mini, repository: Make
) -> None:
    app = repository("closed").write(apps.web()).create().name
    before = mini.running(app)
    assert mini.json("maintenance", "-a", app) == {"maintenance": False}
    mini.ok("maintenance", "on", "-a", app)
    answer = mini.request(app, headers={"Accept": "application/json"})
    assert (answer.status, json.loads(answer.body)["code"]) == (503, "H80")
    assert "Maintenance mode" in mini.request(app, headers={"Accept": "text/html"}).text
    assert "maintenance" in mini.ok("routes")
    mini.ok("config", "set", "COLOUR=green", "-a", app)
    assert mini.request(app).status == 503
    mini.ok("maintenance", "off", "-a", app)
    assert mini.get(app, "/env/COLOUR") == "green"
    assert mini.running(app).keys() == before.keys()
    kinds = [event["kind"] for event in map(json.loads, mini.ok("events", "-a", app, "--json").splitlines())]
    assert [kind for kind in kinds if kind.startswith("Maintenance")] == [
        "MaintenanceStarted",
        "MaintenanceEnded",
    ]
    eventually(lambda: "code=H80" in mini.ok("logs", "-s", "mini", "-a", app))


def test_a_release_is_reached_at_its_own_address_while_it_runs(
    mini: Mini, repository: Make, backing: Backing
) -> None:
    shop = repository("preview").write({**apps.web(), "web.py": apps.GATED, "gate.py": apps.GATE}).create()
    mini.ok("scale", "web=2", "-a", shop.name)
    gate = f"GATE={backing.url('gate')}"
    first = mini.ok("open", "--release", "@", "-a", shop.name).strip()
    assert first == f"http://v1--preview.localhost:{mini.http[1]}"
    mini.run("open", "--release", "v7", "-a", shop.name).refused(3)

    pushing = threading.Thread(target=mini.ok, args=("config", "set", gate, "-a", shop.name))
    pushing.start()
    try:
        # web.1 of v2 is healthy while web.2 is not: nobody else is sent there yet.
        eventually(lambda: mini.get("v2--preview.localhost").split()[1:3] == ["web.1", "v2"], within=30)
        assert mini.get(shop.name).split()[2] == "v1"
        assert mini.get("v1--preview.localhost").split()[2] == "v1"
        assert "v2--preview" in mini.ok("open", "--release", "v2", "-a", shop.name)
    finally:
        backing.put("gate")
        pushing.join()
    assert mini.get(shop.name).split()[2] == "v2"
    assert mini.request("v1--preview.localhost").status == 404
    mini.run("open", "--release", "v1", "-a", shop.name).refused(2, "v1 does not run", "mini rollback v1")


def test_a_domain_is_served_over_https_by_a_certificate_of_the_local_authority(
    mini: Mini, repository: Make
) -> None:
    shop = repository("secure").write({"Procfile": "web: python3 web.py\n", "web.py": ECHO}).create()
    said = mini.ok("domains", "add", "secure.example.com", "--tls", "-a", shop.name)
    https = mini.status()["https"]
    port = https.rpartition(":")[2]
    assert said == f"done, https://secure.example.com:{port}\n"
    trust = mini.ok("domains", "ca")
    status, body = securely(mini, "secure.example.com", trust=trust)
    seen = json.loads(body)
    assert (status, seen["x-forwarded-proto"], seen["x-forwarded-port"]) == (200, "https", port)
    assert "certificate from mini" in mini.ok("domains", "-a", shop.name)
    with pytest.raises(ssl.SSLError):  # a host without a certificate
        securely(mini, "secure.localhost", trust=trust)
    private = [path for path in (mini.home / "keys" / "tls").iterdir() if path.stat().st_mode & 0o077]
    assert private == []
    mini.ok("domains", "remove", "secure.example.com", "-a", shop.name)
    with pytest.raises(ssl.SSLError):
        securely(mini, "secure.example.com", trust=trust)


def test_a_domain_is_served_by_a_certificate_from_files(mini: Mini, repository: Make, tmp_path: Path) -> None:
    shop = repository("own-cert").write(apps.web()).create()
    now = datetime.now(UTC)
    authority = Authority.open(tmp_path / "authority.pem", now=now)
    pair, other = (authority.issue("own.example.com", now=now).pair for _ in range(2))
    chain, key, wrong = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "wrong.pem"
    for path, text in ((chain, pair.chain), (key, pair.key), (wrong, other.key)):
        path.write_text(text)
    add = ("domains", "add", "own.example.com", "-a", shop.name, "--cert", str(chain), "--key")
    mini.run(*add, str(wrong)).refused(2, "does not belong to the certificate")
    assert "own.example.com" not in mini.ok("domains", "-a", shop.name)
    mini.ok(*add, str(key))
    assert securely(mini, "own.example.com", trust=authority.certificate)[0] == 200
    renamed = ("domains", "add", "new.example.com", "-a", shop.name, "--cert", str(chain), "--key", str(key))
    mini.run(*renamed).refused(2, "not for new.example.com", "It is for own.example.com")


def test_metrics_tell_requests_apart_by_app_status_and_instance(mini: Mini, repository: Make) -> None:
    app = repository("counted").write(apps.web()).create().name
    for _ in range(3):
        mini.get(app)
    mini.ok("maintenance", "on", "-a", app)
    mini.request(app)
    host, _, port = mini.status()["api"].rpartition(":")
    token = (mini.home / "keys" / "admin-token").read_text().strip()
    answer = mini.request(
        f"{host}:{port}",
        "/metrics",
        headers={"Authorization": f"Bearer {token}"},
        address=(host, int(port)),
    )
    lines = answer.text.splitlines()
    assert f'mini_router_requests_total{{app="{app}",router="0",status="2xx"}} 3.0' in lines
    assert f'mini_router_errors_total{{app="{app}",code="H80",router="0"}} 1.0' in lines
    assert f'mini_router_request_seconds_count{{app="{app}",router="0"}} 4.0' in lines
    assert f'mini_backend_in_flight{{app="{app}",instance="web.1",release="v1",router="0"}} 0.0' in lines


def test_a_browser_stays_with_one_instance_for_as_long_as_it_runs(mini: Mini, repository: Make) -> None:
    app = repository("sticky").write(apps.web()).create().name
    mini.ok("scale", "web=3", "-a", app)
    assert mini.ok("sticky", "-a", app) == "off\n"
    mini.ok("sticky", "on", "-a", app)
    first = mini.request(app)
    cookie = {"Cookie": first.headers["Set-Cookie"].partition(";")[0]}
    instance = first.text.split()[1]
    assert {mini.request(app, headers=cookie).text for _ in range(9)} == {first.text}
    mini.ok("stop", instance, "-a", app)
    eventually(lambda: mini.request(app, headers=cookie).text.split()[1] != instance)
    mini.ok("sticky", "off", "-a", app)
    assert "Set-Cookie" not in mini.request(app).headers
