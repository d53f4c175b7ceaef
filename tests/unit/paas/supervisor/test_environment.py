"""What an instance finds in its environment, and what it does not."""

from collections.abc import Mapping

from paas.domain.config import checked
from paas.domain.ids import InstanceId
from paas.domain.names import AppName
from paas.supervisor.environment import environment_of
from tests.unit.paas.supervisor.worlds import a_release


def _environment(
    config: Mapping[str, str],
    *,
    port: int | None = 20001,
    server: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    return dict(
        environment_of(
            checked(config),
            a_release(42),
            app=AppName("shop"),
            id=InstanceId("0123456789abcdef"),
            name="web.1",
            port=port,
            server=server or {},
            extra=extra,
        )
    )


def test_an_instance_gets_its_config_and_who_it_is() -> None:
    assert _environment({"DEBUG": "0"}) == {
        "DEBUG": "0",
        "LANG": "C.UTF-8",
        "MINI_APP": "shop",
        "MINI_COMMIT": "c" * 40,
        "MINI_INSTANCE_ID": "0123456789abcdef",
        "MINI_RELEASE": "v42",
        "PORT": "20001",
        "PS": "web.1",
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }


def test_nothing_of_the_server_but_language_and_time_zone_is_passed_on() -> None:
    got = _environment(
        {}, server={"LANG": "de_DE.UTF-8", "TZ": "Europe/Berlin", "AWS_SECRET": "x", "PATH": "/bin"}
    )

    assert (got["LANG"], got["TZ"]) == ("de_DE.UTF-8", "Europe/Berlin")
    assert not {"AWS_SECRET", "PATH"} & got.keys()


def test_config_overrides_defaults_and_never_the_identity() -> None:
    got = _environment(
        {"PYTHONUNBUFFERED": "", "TZ": "Asia/Tokyo", "PORT": "80", "PS": "king", "MINI_APP": "other"}
    )

    assert (got["PYTHONUNBUFFERED"], got["TZ"]) == ("", "Asia/Tokyo")
    assert (got["PORT"], got["PS"], got["MINI_APP"]) == ("20001", "web.1", "shop")


def test_without_a_port_of_its_own_config_may_name_one() -> None:
    assert "PORT" not in _environment({}, port=None)
    assert _environment({"PORT": "80"}, port=None)["PORT"] == "80"


def test_a_one_offs_variables_override_the_config() -> None:
    assert _environment({"DEBUG": "0"}, extra={"DEBUG": "1"})["DEBUG"] == "1"
