"""What is written on every container and network of a home, and read back from there. No other state is kept of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from paas.domain.ids import AppId, InstanceId
from paas.domain.instance import InstanceSpec

HOME = "mini.home"
_APP = "mini.app"
_INSTANCE = "mini.instance"
_ONE_OFF = "mini.one-off"
_PORT = "mini.port"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a container is."""

    app: AppId
    instance: InstanceId
    one_off: bool
    port: int | None
    """The port that it is to listen on, inside; None where it serves none."""


def of_instance(spec: InstanceSpec, *, port: int | None, home_id: str, one_off: bool) -> dict[str, str]:
    """Return the labels of an instance's container; the last four are for people who look at `docker ps`."""
    return {
        HOME: home_id,
        _APP: spec.app,
        _INSTANCE: spec.id,
        _ONE_OFF: "true" if one_off else "false",
        _PORT: str(port or ""),
        "mini.app-name": spec.app_name,
        "mini.name": spec.name,
        "mini.release": f"v{spec.version}",
        "mini.type": spec.type,
    }


def of_network(app: AppId, *, home_id: str) -> dict[str, str]:
    """Return the labels of an app's network."""
    return {HOME: home_id, _APP: app}


def owner_of(labels: Mapping[str, str]) -> Owner:
    """Return whose the container with these labels is."""
    return Owner(
        app=AppId(labels.get(_APP, "")),
        instance=InstanceId(labels.get(_INSTANCE, "")),
        one_off=labels.get(_ONE_OFF) == "true",
        port=int(labels.get(_PORT) or 0) or None,
    )


def app_of(labels: Mapping[str, str]) -> AppId:
    """Return the app whose network has these labels."""
    return AppId(labels.get(_APP, ""))
