"""Where instances are reached, and whose listener it is."""

import socket

import pytest

from paas.engines.process import sockets
from tests.contracts.stages import ProcessStage, free_port
from tests.unit.paas.engines.world import until_printed

pytestmark = pytest.mark.anyio

LISTEN = """
import os, signal, socket, sys
server = socket.create_server((sys.argv[1], int(os.environ["PORT"])), family=getattr(socket, sys.argv[2]))
if sys.argv[3] == "worker" and os.fork():
    server.close()
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.parametrize(
    ("host", "family", "reached"),
    [
        ("0.0.0.0", "AF_INET", "127.0.0.1"),
        ("127.0.0.1", "AF_INET", "127.0.0.1"),
        ("::", "AF_INET6", "[::1]"),
        ("::1", "AF_INET6", "[::1]"),
    ],
)
async def test_a_listener_is_reached_by_its_address(
    stage: ProcessStage, host: str, family: str, reached: str
) -> None:
    port = free_port()
    spec = stage.command(f"python3 -S app.py {host} {family} alone", port=port, files={"app.py": LISTEN})
    await stage.engine.start(spec)
    await until_printed(stage, spec, "ready")
    assert await stage.engine.address(spec.id, port) == f"{reached}:{port}"


async def test_a_listener_of_a_forked_worker_counts(stage: ProcessStage) -> None:
    port = free_port()
    spec = stage.command("python3 -S app.py 127.0.0.1 AF_INET worker", port=port, files={"app.py": LISTEN})
    await stage.engine.start(spec)
    await until_printed(stage, spec, "ready\nready")
    assert await stage.engine.address(spec.id, port) == f"127.0.0.1:{port}"


def test_both_ways_of_asking_the_kernel_agree() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as two,
    ):
        for port in (one.getsockname()[1], two.getsockname()[1]):
            assert sockets.listeners(port) == sockets.listeners_by_table(port) != []
