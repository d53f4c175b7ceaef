"""A control plane's first life, under an init of its own: it starts one instance and is then killed.

Prints the instance's identity as JSON, then `dead` once the control plane is. The last argument says what the
init does with the dead that come to it: `reaps` them, or `leaves` them as zombies. It ends with its standard input.
"""

import asyncio
import json
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from paas.clock import SystemClock
from paas.domain.build import Slug
from paas.domain.ids import AppId, Commit, InstanceId
from paas.domain.instance import InstanceSpec, ProcessIdentity
from paas.domain.names import AppName, ProcessType
from paas.engines.process import ProcessEngine, kernel
from paas.settings import Settings


async def live(home: str, home_id: str, instance: str, slug: str, output: str, command: str) -> None:
    engine = ProcessEngine(Settings(home=Path(home)), home_id=home_id, clock=SystemClock())
    await engine.recover({})
    spec = InstanceSpec(
        id=InstanceId(instance),
        app=AppId("a"),
        app_name=AppName("shop"),
        version=1,
        commit=Commit("0" * 40),
        type=ProcessType("web"),
        index=1,
        command=command,
        artifact=Slug(slug),
        environment=(),
        port=None,
        output=Path(output),
    )
    identity = await engine.start(spec)
    assert isinstance(identity, ProcessIdentity)
    print(json.dumps(asdict(identity)), flush=True)
    os.kill(os.getpid(), 9)


def reap() -> None:
    with suppress(ChildProcessError):
        while True:
            os.wait()


def main() -> None:
    *rest, init = sys.argv[1:]
    kernel.adopt_orphans()
    control_plane = os.fork()
    if control_plane == 0:
        asyncio.run(live(*rest))
    os.waitpid(control_plane, 0)
    if init == "reaps":
        threading.Thread(target=reap, daemon=True).start()
    print("dead", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
