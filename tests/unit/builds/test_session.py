"""A session, asked by a client of gRPC's own making: the half of BuildKit that is on the other side."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, TrailersReceived

from builds.filesync import Item, file_of
from builds.protobuf import decode, encode
from builds.session import Folder, Session
from paas.engines.docker.door import Door
from paas.errors import BuildFailedError
from tests.eventually import eventually

FILES = "/moby.filesync.v1.FileSync/DiffCopy"
HEALTH = "/grpc.health.v1.Health/Check"
BIG = bytes(300_000)


class Asker:
    """Listens like a daemon, and calls what has connected to it."""

    def __init__(self, folder: Path, *, answer: str = "101 UPGRADED") -> None:
        self.path = folder / "docker.sock"
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self.asked = ""
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def call(self, path: str, *messages: bytes, headers: Mapping[str, str] | None = None) -> int:
        """Call a method with some messages and return the number of the call."""
        number = self._http.get_next_available_stream_id()
        named = {
            ":method": "POST",
            ":scheme": "http",
            ":authority": "localhost",
            ":path": path,
            **(headers or {}),
        }
        self._http.send_headers(number, list(named.items()))
        self.say(number, *messages)
        return number

    def say(self, number: int, *messages: bytes) -> None:
        for message in messages:
            self._http.send_data(number, b"\0" + len(message).to_bytes(4, "big") + message)
        self._connection.sendall(self._http.data_to_send())

    def events(self, number: int) -> Iterator[Event]:
        """Yield what comes for a call, until it has ended."""
        while block := self._received():
            for event in self._http.receive_data(block):
                if isinstance(event, DataReceived):
                    self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if getattr(event, "stream_id", None) == number:
                    yield event
                    if isinstance(event, StreamEnded):
                        return
            with suppress(OSError):  # the other end was faster
                self._connection.sendall(self._http.data_to_send())

    def messages(self, number: int) -> Iterator[bytes]:
        """Yield the messages of a call; the last is the status that it ended with."""
        arrived = b""
        for event in self.events(number):
            if isinstance(event, TrailersReceived | ResponseReceived):
                for name, value in event.headers:
                    if str(name) == "grpc-status":
                        yield str(value).encode()
            arrived += event.data if isinstance(event, DataReceived) else b""
            while len(arrived) >= 5 and len(arrived) >= 5 + (size := int.from_bytes(arrived[1:5], "big")):
                yield arrived[5 : 5 + size]
                arrived = arrived[5 + size :]

    def _received(self) -> bytes:
        try:
            return self._connection.recv(65536)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self._accepting.join()
        self._connection.close()
        self._listener.close()

    def _accept(self) -> None:
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(30)
        while "\r\n\r\n" not in self.asked:
            self.asked += self._connection.recv(65536).decode()
        self._connection.sendall(f"HTTP/1.1 {self._answer}\r\n\r\n".encode())
        self._http = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._http.initiate_connection()

    def begin(self) -> None:
        self._accepting.join()
        self._connection.sendall(self._http.data_to_send())


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Asker]:
    made = Asker(tmp_path)
    yield made
    made.close()


@pytest.fixture
def listed() -> list[str]:
    """The folders that were begun to be listed."""
    return []


@pytest.fixture
def session(asker: Asker, listed: list[str]) -> Iterator[Session]:
    def listing(name: str, *items: Item) -> Iterator[Item]:
        listed.append(name)
        yield from items

    def refused() -> Iterator[bytes]:
        yield b"a"
        raise BuildFailedError("model.bin is a pointer.")

    folders: dict[str, Folder] = {
        "context": lambda: listing("context", file_of(b"big", len(BIG), lambda: iter((BIG,)), modified=1)),
        "other": lambda: listing("other"),
        "refused": lambda: [file_of(b"model.bin", 2, refused, modified=1)],
    }
    opened = Session(Door(path=str(asker.path)), folders, key="k")
    opened.open()
    thread = Thread(target=opened.serve)
    thread.start()
    asker.begin()
    yield opened
    opened.close()
    thread.join()


def test_it_says_who_it_is_and_what_it_may_be_asked(asker: Asker, session: Session) -> None:
    lines = asker.asked.split("\r\n")
    assert lines[0] == "POST /session HTTP/1.1"
    assert f"X-Docker-Expose-Session-Uuid: {session.id}" in lines
    assert "X-Docker-Expose-Session-Sharedkey: k" in lines
    assert [line for line in lines if "Grpc-Method" in line] == [
        f"X-Docker-Expose-Session-Grpc-Method: {FILES}",
        f"X-Docker-Expose-Session-Grpc-Method: {HEALTH}",
    ]


def test_it_answers_that_it_is_here(asker: Asker, session: Session) -> None:
    assert list(asker.messages(asker.call(HEALTH, b""))) == [encode((1, 1)), b"0"]


def test_a_folder_is_given_through_a_window_that_is_smaller_than_a_file(
    asker: Asker, session: Session
) -> None:
    number = asker.call(FILES, headers={"dir-name": "context"})
    coming = asker.messages(number)
    assert [bool(next(coming)), next(coming)] == [True, b""]
    asker.say(number, encode((1, 1)), encode((1, 3)))
    *sent, status = coming
    fields = [dict(decode(packet)) for packet in sent]
    assert [each.get(1) for each in fields] == [2, 2, 3]
    assert fields[0][4] == BIG
    assert status == b"0"


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        pytest.param("/moby.filesync.v1.Auth/Credentials", "", id="credentials"),
        pytest.param("/moby.buildkit.secrets.v1.Secrets/GetSecret", "", id="a secret"),
        pytest.param(FILES, "/etc", id="any other folder"),
    ],
)
def test_nothing_else_is_given(asker: Asker, session: Session, path: str, folder: str) -> None:
    assert list(asker.messages(asker.call(path, headers={"dir-name": folder}))) == [b"12"]


def test_the_dockerignore_was_heeded_before(asker: Asker, session: Session) -> None:
    headers = {"dir-name": "context", "followpaths": ".dockerignore"}
    assert list(asker.messages(asker.call(FILES, encode((1, 3)), headers=headers))) == [
        b"",
        encode((1, 3)),
        b"0",
    ]


def test_folders_that_are_asked_for_at_once_are_given_one_after_the_other(
    asker: Asker, session: Session, listed: list[str]
) -> None:
    first = asker.call(FILES, headers={"dir-name": "context"})
    second = asker.call(FILES, headers={"dir-name": "other"})
    assert list(asker.messages(asker.call(HEALTH, b""))) == [encode((1, 1)), b"0"]  # all three have come
    assert listed == ["context"]
    asker.say(first, encode((1, 3)))
    eventually(lambda: listed == ["context", "other"])
    asker.say(second, encode((1, 3)))
    assert list(asker.messages(second))[-1] == b"0"


def test_a_file_that_is_refused_ends_it_and_says_why(asker: Asker, session: Session) -> None:
    number = asker.call(FILES, headers={"dir-name": "refused"})
    coming = asker.messages(number)
    assert [bool(next(coming)), next(coming)] == [True, b""]
    asker.say(number, encode((1, 1)))
    assert b"0" not in list(coming)
    assert session.refusal is not None
    assert session.refusal.message == "model.bin is a pointer."


def test_a_docker_without_buildkit_is_said_so(tmp_path: Path) -> None:
    asker = Asker(tmp_path, answer="404 Not Found")
    session = Session(Door(path=str(asker.path)), {}, key="k")
    with pytest.raises(BuildFailedError, match="does not build with BuildKit"):
        session.open()
    session.close()
    asker.close()
