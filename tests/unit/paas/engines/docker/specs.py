"""One instance to make containers of."""

from dataclasses import replace
from pathlib import Path

from paas.domain.build import Image
from paas.domain.ids import AppId, Commit, InstanceId
from paas.domain.instance import InstanceSpec
from paas.domain.names import AppName, ProcessType

WEB = InstanceSpec(
    id=InstanceId("00000000000000c1"),
    app=AppId("00000000000000a1"),
    app_name=AppName("shop"),
    version=7,
    commit=Commit("0" * 40),
    type=ProcessType("web"),
    index=2,
    command="python app.py && echo done",
    artifact=Image("sha256:abc", "mini/shop:7"),
    environment=(("PORT", "20001"), ("SECRET", "s3cr3t")),
    port=20001,
    output=Path("/run/fifo"),
)


def own_command(port: int | None = None) -> InstanceSpec:
    """Return an instance of an image that runs its own CMD."""
    return replace(WEB, command="", artifact=Image("sha256:abc", "mini/shop:7", port=port))
