"""The main job, in the order a user does it: push, scale, change config, run, roll back, read logs."""

from collections.abc import Callable

import pytest

from tests.e2e import apps
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually

Make = Callable[[str], Repository]


@pytest.fixture
def shop(mini: Mini, repository: Make, request: pytest.FixtureRequest) -> Repository:
    """A pushed app named after the test."""
    name = request.node.originalname.removeprefix("test_").replace("_", "-")[:28].rstrip("-")
    pushed = repository(name).write(apps.web_and_worker())
    pushed.commit("First version")
    mini.ok("create", name, cwd=pushed.path)
    pushed.push()
    return pushed


def test_push_prints_the_release_and_its_url_and_the_app_answers_there(mini: Mini, shop: Repository) -> None:
    app = shop.path.name
    shop.write(apps.web_and_worker("two")).commit("Second version")
    line = shop.push()
    assert line.split()[0] == "v2"
    assert line.split()[1] == f"http://{app}.localhost:{mini.http[1]}"
    assert mini.get(app).startswith("two web.1 v2 ")


def test_scale_starts_only_the_difference(mini: Mini, shop: Repository) -> None:
    app = shop.path.name
    before = mini.up(app, web=1, worker=0)
    mini.ok("scale", "web=3", "worker+1", "-a", app)
    after = mini.up(app, web=3, worker=1)
    assert after["web.1"] == before["web.1"]
    assert mini.ok("scale", "-a", app).split() == ["web=3", "worker=1"]


def test_config_set_makes_a_release_that_serves_the_new_value(mini: Mini, shop: Repository) -> None:
    app = shop.path.name
    mini.ok("config", "set", "COLOUR=green", "-a", app)
    assert mini.get(app, "/env/COLOUR") == "green"
    again = mini.run("config", "set", "COLOUR=green", "-a", app)
    assert again.code == 0
    assert "no change, still v2" in again.out + again.err
    assert [row["version"] for row in mini.json("releases", "-a", app)] == [2, 1]


def test_rollback_is_a_new_release_of_an_old_one(mini: Mini, shop: Repository) -> None:
    app = shop.path.name
    shop.write(apps.web_and_worker("two")).commit("Second version")
    shop.push()
    mini.ok("rollback", "v1", "-a", app)
    assert mini.get(app).startswith("one web.1 v3 ")
    newest = mini.json("releases", "-a", app)[0]
    assert (newest["version"], newest["current"], newest["description"]) == (3, True, "Rollback to v1")


def test_run_passes_the_exit_code_and_the_config_through(mini: Mini, shop: Repository) -> None:
    app = shop.path.name
    done = mini.run("run", "-a", app, "--", "sh", "-c", "echo $MINI_RELEASE $PS; exit 3")
    assert (done.code, done.out.split()) == (3, ["v1", "run.1"])


def test_logs_show_what_the_app_printed_and_what_the_platform_did(mini: Mini, shop: Repository) -> None:
    app = shop.path.name
    mini.get(app, "/print/hello-log")

    def shown() -> bool:
        text = mini.ok("logs", "-n", "50", "-a", app)
        return all(
            part in text
            for part in (
                "app[web.1]: hello-log",
                "mini[web.1]: State changed from starting to up",
                "mini[router]: at=info",
            )
        )

    assert eventually(shown)
