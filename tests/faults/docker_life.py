"""One life of a control plane's docker engine, to be ended by `kill -9`: it starts one instance, or takes it up again."""

import asyncio
import os
import sys
from pathlib import Path

from paas.clock import SystemClock
from paas.domain.build import Image
from paas.domain.ids import AppId, Commit, InstanceId
from paas.domain.instance import ExitStatus, InstanceSpec
from paas.domain.names import AppName, ProcessType
from paas.engines.docker import DockerEngine
from paas.engines.docker.client import Daemon
from paas.settings import Settings

HOME_ID = "feedbeefcafe0d0c"
INSTANCE = InstanceId("00000000000000d1")


def spec(image: str, command: str, fifo: Path) -> InstanceSpec:
    """Return the one instance of these tests."""
    return InstanceSpec(
        id=INSTANCE,
        app=AppId("00000000000000da"),
        app_name=AppName("talker"),
        version=1,
        commit=Commit("0" * 40),
        type=ProcessType("worker"),
        index=1,
        command=command,
        artifact=Image(image, image),
        environment=(),
        port=None,
        output=fifo,
    )


async def live(home: Path, *what: str) -> None:
    """Say what was found, or started; then each exit, until killed."""
    daemon = Daemon(os.environ)
    engine = DockerEngine(Settings(home=home), home_id=HOME_ID, clock=SystemClock(), daemon=daemon)

    def tell(id: InstanceId, status: ExitStatus) -> None:
        print("ended", id, status, flush=True)

    engine.on_exit(tell)
    found = await engine.recover({INSTANCE: None} if not what or what[0] == "again" else {})
    for each in found.values():
        print("found", each.identity, each.exit, flush=True)
    if what and what[0] == "start":
        print("started", await engine.start(spec(what[1], what[2], Path(what[3]))), flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), *sys.argv[2:]))
