"""What `mini doctor` says of Docker."""

import pytest

from api.docker_doctor import of_base, of_forwarding, of_version


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


@pytest.mark.parametrize(("there", "level"), [(True, "ok"), (False, "warning")])
def test_a_base_image_is_named_with_its_setting(there: bool, level: str) -> None:
    finding = of_base("MINI_BASE_NODE", "node:22-slim", there=there)
    assert finding.level == level
    assert (finding.check, "node:22-slim is " in finding.message) == ("MINI_BASE_NODE", True)
    assert ("set MINI_BASE_NODE" in finding.message) is not there
