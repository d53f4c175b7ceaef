"""Containers of a real daemon: how they end, who reaches them, what is left of them."""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.ids import InstanceId, new_id
from paas.domain.instance import ExitStatus, InstanceSpec
from paas.engines.base import TerminalSize
from paas.engines.docker import DockerEngine
from paas.engines.docker.client import Daemon
from paas.engines.docker.spec import network_name
from paas.engines.docker.state import ContainerState
from paas.engines.docker.subnets import PREFIX, candidates, gateway_of
from paas.errors import ArtifactGoneError, InvalidError
from tests.contracts.stages import DockerStage, free_port
from tests.contracts.test_engine import output_of, until_listening, until_told
from tests.dockerd import PYTHON, docker, image_with, needs_docker
from tests.eventually import eventually_async
from tests.needs import needs

pytestmark = [pytest.mark.anyio, needs_docker]

GRACE = 10.0
SERVER = 'python3 -m http.server --bind {host} "$PORT"'


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[DockerStage]:
    stage = DockerStage(tmp_path)
    await stage.engine.recover({})
    yield stage
    await stage.close()


class Output:
    """All that an instance has printed."""

    def __init__(self, stage: DockerStage, spec: InstanceSpec) -> None:
        self._stage, self._spec = stage, spec
        self.text = ""

    async def until(self, text: str) -> str:
        async def there() -> bool:
            self.text += self._stage.printed(self._spec)
            return text in self.text

        await eventually_async(there, within=30)
        return self.text


def volumes_of(*containers: str) -> set[str]:
    return set(docker("inspect", "-f", "{{range .Mounts}}{{println .Name}}{{end}}", *containers).split())


def names(kind: str, home_id: str) -> list[str]:
    return docker(
        kind, "ls", "-q", *(["-a"] * (kind == "container")), "--filter", f"label=mini.home={home_id}"
    ).split()


LINGERS = """
import signal, sys, time
def leave(*_):
    print("leaving", flush=True)
    time.sleep(0.5)
    print("left", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("here", flush=True)
while True: signal.pause()
"""


async def test_what_a_shell_runs_sees_term_and_has_its_grace_too(stage: DockerStage) -> None:
    image = image_with({"lingers.py": LINGERS}, label=new_id())
    spec = stage.command("python3 /lingers.py && echo never", image=image)
    await stage.engine.start(spec)
    output = Output(stage, spec)
    await output.until("here")
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)
    assert [
        line for line in (await output.until("left")).splitlines() if line in ("leaving", "left", "never")
    ] == [
        "leaving",
        "left",
    ]


async def test_lines_of_both_outputs_keep_their_order(stage: DockerStage) -> None:
    spec = stage.command("for n in 1 2 3 4 5 6 7 8 9; do echo out $n; echo err $n >&2; done; echo end")
    await stage.engine.start(spec)
    text = await Output(stage, spec).until("end\n")
    assert text.splitlines()[:-1] == [f"{what} {n}" for n in range(1, 10) for what in ("out", "err")]


async def test_a_long_output_is_whole_when_its_instance_ends_at_once(stage: DockerStage) -> None:
    spec = stage.command("seq 1 30000")
    await stage.engine.start(spec)
    text = await Output(stage, spec).until("\n30000\n")
    assert text.splitlines() == [str(number) for number in range(1, 30_001)]
    assert await until_told(stage, spec.id) == ExitStatus(0)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        pytest.param("exec python3 -c '{takes}'", ExitStatus(-9, out_of_memory=True), id="the command"),
        pytest.param("python3 -c '{takes}' || exit 3", ExitStatus(3, out_of_memory=True), id="a child of it"),
    ],
)
async def test_an_instance_without_memory_says_so(tmp_path: Path, command: str, status: ExitStatus) -> None:
    stage = DockerStage(tmp_path)
    settings = replace(stage.settings, instance_memory=64)
    stage.engine = DockerEngine(settings, home_id=stage.home_id, clock=SystemClock())
    stage.engine.on_exit(lambda id, status: stage.exits.append((id, status)))
    await stage.engine.recover({})
    spec = stage.command(command.format(takes="x = bytearray(1 << 29)"))
    await stage.engine.start(spec)
    assert await until_told(stage, spec.id) == status
    await stage.close()


async def test_an_app_on_its_own_loopback_has_no_address_but_is_seen(stage: DockerStage) -> None:
    port = free_port()
    spec = stage.command(f"exec {SERVER.format(host='127.0.0.1')}", port=port)
    await stage.engine.start(spec)

    async def listening() -> tuple[int, ...]:
        return await stage.engine.listening(spec.id)

    assert await eventually_async(listening) == (port,)
    assert await stage.engine.address(spec.id, port) is None


async def test_an_image_with_a_command_of_its_own_runs_it_on_its_own_port(stage: DockerStage) -> None:
    lines = 'ENTRYPOINT ["/bin/sh", "-c", "exec python3 -m http.server 3000"]'
    image = replace(image_with({"x": ""}, label=new_id(), lines=lines), port=3000)
    port = free_port()
    spec = replace(stage.command("", port=port, image=image), environment=(("PORT", str(port)),))
    await stage.engine.start(spec)
    assert (await until_listening(stage, spec.id, port)).endswith(":3000")
    assert await stage.engine.stop(spec.id, grace=GRACE) == ExitStatus(-15)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param("echo 'a  b' \"$NAME\"", ["3", "a  b ada"], id="words"),
        pytest.param("echo a && echo b", ["3", "a", "b"], id="a shell's line"),
    ],
)
async def test_an_entrypoint_stays_in_front_of_the_command(
    stage: DockerStage, command: str, words: list[str]
) -> None:
    entry = '#!/bin/sh\necho "$#"\nexec "$@"\n'
    lines = 'RUN chmod +x /entry\nENTRYPOINT ["/entry"]'
    image = image_with({"entry": entry}, label=new_id(), lines=lines)
    spec = replace(stage.command(command, image=image), environment=(("NAME", "ada"),))
    await stage.engine.start(spec)
    assert (await Output(stage, spec).until(f"{words[-1]}\n")).splitlines() == words


async def test_an_entrypoint_that_is_a_program_gets_the_command_as_its_arguments(stage: DockerStage) -> None:
    image = image_with({"srv.py": "print('served')"}, label=new_id(), lines='ENTRYPOINT ["python3"]')
    spec = stage.command("/srv.py", image=image)
    await stage.engine.start(spec)
    assert await Output(stage, spec).until("\n") == "served\n"
    one_off = stage.command("exec -c 'print(42)'", image=image)
    async with await stage.engine.attach(one_off, terminal=None) as attachment:
        assert await output_of(attachment) == "42\n"


async def test_an_image_without_any_command_is_refused(stage: DockerStage) -> None:
    image = image_with({"x": ""}, label=new_id(), lines="CMD []")
    with pytest.raises(InvalidError, match="CMD"):
        await stage.engine.start(stage.command("", image=image))


async def test_an_image_that_is_removed_after_it_ran_is_said_to_be_gone(stage: DockerStage) -> None:
    image = image_with({"x": ""}, label=new_id())
    spec = stage.command("exec true", image=image)
    await stage.engine.start(spec)
    await until_told(stage, spec.id)
    await stage.engine.forget(spec.id)
    docker("rmi", image.digest)
    with pytest.raises(ArtifactGoneError):
        await stage.engine.start(stage.command("exec true", image=image))
    with pytest.raises(ArtifactGoneError):
        await stage.engine.attach(stage.command("exec true", image=image), terminal=None)
    assert (names("container", stage.home_id), names("network", stage.home_id)) == ([], [])


async def test_an_image_without_a_shell_says_so_in_its_output(stage: DockerStage) -> None:
    bare = image_with({"x": ""}, label=new_id(), lines="FROM scratch\nCOPY x /")
    spec = stage.command("true", image=bare)
    await stage.engine.start(spec)
    assert await until_told(stage, spec.id) == ExitStatus(127)
    assert "/bin/sh failed: No such file" in await Output(stage, spec).until("failed")


async def test_no_port_of_the_machines_loopback_is_reached_from_inside(stage: DockerStage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as control:
        port = control.getsockname()[1]
        gateway = "$(python3 -c \"print(open('/proc/net/route').read().split()[13])\")"
        probe = (
            "import socket, struct, sys\n"
            "gateway = socket.inet_ntoa(bytes.fromhex(sys.argv[1])[::-1])\n"
            f"for host in (gateway, '127.0.0.1'):\n"
            f"    try: socket.create_connection((host, {port}), 1); print('reached', host)\n"
            "    except OSError as error: print('refused')\n"
            "print('end', gateway)\n"
        )
        image = image_with({"probe.py": probe}, label=new_id())
        spec = stage.command(f"python3 /probe.py {gateway}", image=image)
        await stage.engine.start(spec)
        text = await Output(stage, spec).until("end 10.")
    assert text.splitlines()[:2] == ["refused", "refused"]


async def test_apps_are_apart_and_instances_of_one_app_are_together(stage: DockerStage) -> None:
    port = free_port()
    server = stage.command(f"exec {SERVER.format(host='0.0.0.0')}", port=port)
    await stage.engine.start(server)
    address = await until_listening(stage, server.id, port)
    host = address.partition(":")[0]
    attempt = f"socket.create_connection(('{host}', {port}), 2); print('reached')"
    ask = f"exec python3 -c \"import socket\ntry: {attempt}\nexcept OSError: print('out of reach')\""
    friend, stranger = replace(stage.command(ask), app=server.app), stage.command(ask)
    await stage.engine.start(friend)
    await stage.engine.start(stranger)
    assert "reached" in await Output(stage, friend).until("\n")
    assert "out of reach" in await Output(stage, stranger).until("\n")


async def test_nothing_is_left_of_an_app_that_is_forgotten(stage: DockerStage) -> None:
    image = image_with({"x": ""}, label=new_id(), lines="VOLUME /data")
    spec = stage.command("exec sleep 60", image=image)
    await stage.engine.start(spec)
    assert names("network", stage.home_id) != []
    volumes = volumes_of(*names("container", stage.home_id))
    assert len(volumes) == 1
    await stage.engine.stop(spec.id, grace=GRACE)
    await stage.engine.forget(spec.id)
    assert (names("container", stage.home_id), names("network", stage.home_id)) == ([], [])
    assert not volumes & set(docker("volume", "ls", "-q").split())
    assert list((stage.settings.runtime / "containers").iterdir()) == []


async def test_a_container_that_was_made_and_never_started_is_removed(stage: DockerStage) -> None:
    made = docker(
        "create", "--label", f"mini.home={stage.home_id}", "--label", "mini.instance=half", PYTHON, "true"
    )
    await stage.restart()
    assert await stage.engine.recover({InstanceId("half"): None}) == {}
    assert made[:12] not in docker("ps", "-aq")


async def test_what_ended_unseen_is_found_with_how_it_ended(stage: DockerStage) -> None:
    spec = stage.command("read line < /tmp/gate || sleep 1; echo bye; exit 9")
    identity = await stage.engine.start(spec)
    await stage.restart()

    async def over() -> bool:
        return docker("inspect", "-f", "{{.State.Status}}", identity.container) == "exited"  # type: ignore[union-attr]

    await eventually_async(over)
    found = await stage.engine.recover({spec.id: identity})
    assert found[spec.id].exit == ExitStatus(9)
    assert "bye" in await Output(stage, spec).until("bye")
    await stage.engine.forget(spec.id)
    assert stage.exits == []


async def test_a_one_off_on_a_terminal_has_its_size_its_keys_and_leaves_nothing(stage: DockerStage) -> None:
    spec = stage.command("stty size; read word; echo got $word; exit 5")
    async with await stage.engine.attach(spec, terminal=TerminalSize(33, 99)) as one_off:
        await one_off.write(b"\x10\x11word\n")
        text = await output_of(one_off)
        assert await one_off.wait() == ExitStatus(5)
    assert "33 99" in text
    assert "got \x10word" in text
    assert names("container", stage.home_id) == []


class OutrunDaemon(Daemon):
    """A daemon whose answer about a container that runs arrives when the container has ended already."""

    async def get(self, container: str) -> ContainerState:
        state = await super().get(container)
        if not state.is_over:
            docker("kill", state.id)
            docker("wait", state.id)
        return state


async def test_a_one_off_that_ends_before_it_is_watched_is_heard_of(stage: DockerStage) -> None:
    await stage.engine.close()
    stage.engine = DockerEngine(
        stage.settings, home_id=stage.home_id, clock=SystemClock(), daemon=OutrunDaemon()
    )
    async with (
        asyncio.timeout(30),
        await stage.engine.attach(stage.command("read line"), terminal=None) as one_off,
    ):
        assert await one_off.wait() == ExitStatus(-9)


def make_network_without_gateway_here(spec: InstanceSpec, home_id: str) -> None:
    """Make the app's network so that its gateway is not this machine's, which is in it by another address all the same."""
    subnet = next(candidates(spec.app, ()))
    options = ("--subnet", subnet, "--gateway", gateway_of(subnet), "--label", f"mini.home={home_id}")
    inhibited = ("--opt", "com.docker.network.bridge.inhibit_ipv4=true")
    made = docker("network", "create", *options, *inhibited, network_name(spec.app))
    own = f"{ip_network(subnet)[2]}/{PREFIX}"
    subprocess.run(["ip", "address", "add", own, "dev", f"br-{made[:12]}"], check=True)


@needs("root, who alone may give addresses", lambda: os.geteuid() == 0)
async def test_a_place_out_of_reach_is_published_on_loopback(stage: DockerStage) -> None:
    port = free_port()
    spec = stage.command(f"exec {SERVER.format(host='0.0.0.0')}", port=port)
    make_network_without_gateway_here(spec, stage.home_id)
    await stage.engine.start(spec)
    host, _, published = (await until_listening(stage, spec.id, port)).partition(":")
    assert host == "127.0.0.1"
    socket.create_connection((host, int(published)), 5).close()


async def test_lines_that_docker_dropped_while_nobody_took_them_are_said_to_be_missing(
    stage: DockerStage,
) -> None:
    spec = stage.command(
        "mkfifo /tmp/gate; echo first; read go < /tmp/gate; seq 1 430000; echo last; exec sleep 1000"
    )
    identity = await stage.engine.start(spec)
    container = identity.container  # type: ignore[union-attr]  # of this engine
    await Output(stage, spec).until("first\n")
    await stage.restart()

    docker("exec", container, "sh", "-c", "echo > /tmp/gate")

    async def printed() -> bool:
        return docker("logs", "--tail", "1", container) == "last"

    await eventually_async(printed, within=60)
    await stage.engine.recover({spec.id: identity})
    text = await Output(stage, spec).until("last\n")
    before, numbers = text.split("more was printed than Docker keeps\n")
    assert before.startswith("mini: lines are missing here")
    assert numbers.splitlines()[-2:] == ["430000", "last"]
    assert text.count("missing") == 1


async def test_nothing_is_said_to_be_missing_of_what_was_taken_to_its_end(stage: DockerStage) -> None:
    spec = stage.command("echo first; read go < /dev/null; sleep 1000")
    identity = await stage.engine.start(spec)
    await Output(stage, spec).until("first\n")
    await stage.restart()
    await stage.engine.recover({spec.id: identity})
    await stage.engine.stop(spec.id, grace=GRACE)
    assert "missing" not in stage.printed(spec)
