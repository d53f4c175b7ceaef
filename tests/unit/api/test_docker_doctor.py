"""What `mini doctor` says of Docker."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.docker_doctor import of_base, of_builds, of_forwarding, of_version
from paas.engines.docker.door import Door
from paas.errors import EngineUnavailableError


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


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "docker.sock"))
        listener.listen()
        yield listener


def answer_once(listener: socket.socket, head: bytes) -> None:
    """Be a daemon that gives one answer."""
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(head)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("head", "level", "said"),
    [
        pytest.param(b"HTTP/1.1 101 UPGRADED\r\n\r\n", "ok", "BuildKit is there", id="a session"),
        pytest.param(
            b"HTTP/1.1 404 Not Found\r\n\r\n", "error", "does not build with BuildKit", id="no session"
        ),
    ],
)
async def test_a_daemon_without_buildkit_is_an_error(
    listener: socket.socket, head: bytes, level: str, said: str
) -> None:
    daemon = threading.Thread(target=answer_once, args=(listener, head))
    daemon.start()
    finding = await of_builds(Door(path=listener.getsockname()))
    daemon.join()
    assert (finding.check, finding.level) == ("docker builds", level)
    assert said in finding.message


@pytest.mark.anyio
async def test_a_daemon_that_went_meanwhile_is_not_without_buildkit(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError):
        await of_builds(Door(path=str(tmp_path / "none.sock")))


@pytest.mark.parametrize(("there", "level"), [(True, "ok"), (False, "warning")])
def test_a_base_image_is_named_with_its_setting(there: bool, level: str) -> None:
    finding = of_base("MINI_BASE_NODE", "node:22-slim", there=there)
    assert finding.level == level
    assert (finding.check, "node:22-slim is " in finding.message) == ("MINI_BASE_NODE", True)
    assert ("set MINI_BASE_NODE" in finding.message) is not there
