"""What `mini doctor` says of Docker."""

import pytest

from api.docker_doctor import of_buildx, of_forwarding, of_version


@pytest.mark.parametrize(
    ("engine", "level"),
    [("19.03.8", "warning"), ("20.10.24+dfsg1", "ok"), ("28.2.2", "ok")],
)
def test_an_old_daemon_is_warned_of(engine: str, level: str) -> None:
    assert of_version(engine, "1.41").level == level


@pytest.mark.parametrize(
    ("engine", "forwards", "level"),
    [
        pytest.param("20.10.24", True, "warning", id="old and open"),
        pytest.param("20.10.24", False, "ok", id="old and closed"),
        pytest.param("20.10.24", None, "ok", id="nobody may know"),
        pytest.param("28.0.0", True, "ok", id="new"),
    ],
)
def test_a_network_that_neighbours_may_reach_is_warned_of(
    engine: str, forwards: bool | None, level: str
) -> None:
    assert of_forwarding(engine, forwards=forwards).level == level


@pytest.mark.parametrize("installed", [True, False])
def test_buildx_is_no_need(installed: bool) -> None:
    assert of_buildx(installed=installed).level == "ok"
