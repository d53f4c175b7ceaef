"""The door of a daemon: where it is, who answers there, and what is said where nobody does."""

import errno
import os
import socket
from pathlib import Path
from threading import Thread

import pytest

from paas.engines.docker.door import Door, unreachable
from paas.errors import UnsupportedError


@pytest.mark.parametrize(
    ("environ", "door"),
    [
        ({}, Door(path="/var/run/docker.sock")),
        ({"DOCKER_HOST": ""}, Door(path="/var/run/docker.sock")),
        ({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}, Door(path="/run/user/1000/docker.sock")),
        ({"DOCKER_HOST": "tcp://127.0.0.1:2375"}, Door(host="127.0.0.1", port=2375)),
    ],
)
def test_a_door_is_where_the_environment_says(environ: dict[str, str], door: Door) -> None:
    assert Door.named_by(environ) == door


@pytest.mark.parametrize("address", ["ssh://me@host", "tcp://host", "nonsense"])
def test_a_daemon_that_cannot_be_reached_directly_is_refused(address: str) -> None:
    with pytest.raises(UnsupportedError, match="Use unix:// or tcp://"):
        Door.of(address)


@pytest.mark.parametrize("family", [socket.AF_UNIX, socket.AF_INET])
@pytest.mark.parametrize(
    ("answer", "error"), [(b"HTTP/1.1 200 OK\r\n", None), (b"", ConnectionResetError), (None, TimeoutError)]
)
def test_a_ping_is_answered_or_says_why_not(
    tmp_path: Path, family: socket.AddressFamily, answer: bytes | None, error: type[OSError] | None
) -> None:
    with socket.socket(family) as listener:
        listener.bind(str(tmp_path / "s") if family == socket.AF_UNIX else ("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1024).startswith(b"GET /_ping ")
                if answer is None:
                    connection.recv(1024)  # says nothing until the other end goes
                else:
                    connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        name = listener.getsockname()
        door = Door(path=name) if isinstance(name, str) else Door(host=name[0], port=name[1])
        if error is None:
            door.ping(30)
        else:
            with pytest.raises(error):
                door.ping(0.2 if error is TimeoutError else 30)
        thread.join()


def test_nobody_at_the_door_is_said_with_what_to_do(tmp_path: Path) -> None:
    door = Door(path=str(tmp_path / "none"))
    with pytest.raises(OSError) as error:
        door.ping(1)
    message = unreachable(door, error.value).message
    assert message.startswith(f"Docker does not answer at {door} (No such file or directory).")
    assert "Start Docker" in message


def test_who_may_not_use_docker_is_told_so_and_not_to_start_it() -> None:
    door = Door(path="/var/run/docker.sock")
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    message = unreachable(door, denied, then="push again").message
    assert message.startswith("This user may not use Docker at /var/run/docker.sock (Permission denied).")
    assert "group docker" in message
    assert "DOCKER_HOST" in message
    assert message.endswith("push again.")
    assert "Start Docker" not in message


def test_the_systems_words_are_found_beneath_others() -> None:
    error = RuntimeError("a library's own words")
    error.__cause__ = ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    assert "(Connection refused)" in unreachable(Door(path="/x"), error).message
    assert "(no answer in time)" in unreachable(Door(path="/x"), TimeoutError("timed out")).message
