"""Events of which apps: of the one that is named, or of all."""

import subprocess

from tests.unit.cli.conftest import Runner
from tests.unit.cli.stand_in import StandIn


def test_a_remote_of_an_app_that_is_gone_shows_the_events_of_all(mini: Runner, api: StandIn) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "remote", "add", "mini", "mini::gone"], check=True)
    api.answer("GET", "/v1/apps", [])
    api.stream("/v1/events")
    ran = mini("events", MINI_APP="")
    assert ran.code == 0
    assert "gone" in ran.err
