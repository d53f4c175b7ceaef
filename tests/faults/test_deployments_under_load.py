"""Deployments while keep-alive connections, bodies, a WebSocket and an event stream are open: nothing is lost."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.census import assert_no_orphans
from tests.e2e.harness import Mini, Repository
from tests.eventually import eventually
from tests.faults.lines import assert_each_kept_once
from tests.faults.traffic import Traffic

SETTINGS = {"MINI_STOP_GRACE": "5", "MINI_DRAIN_LIMIT": "1"}
DEPLOYMENTS = {"process": 30, "docker": 10}
BUILDS_EVERY = 10
LIMIT = 10


@dataclass(slots=True)
class LongLived:
    """A connection that lasts, opened again when it ends. What may end it is the end of a drain alone."""

    address: tuple[str, int]
    messages: int = 0
    openings: int = 0
    faults: list[str] = field(default_factory=list)

    def talk(self, stop: threading.Event) -> None:
        """Have a WebSocket echo messages."""
        while not stop.is_set():
            with (
                socket.create_connection(self.address, timeout=LIMIT) as opened,
                connect("ws://chatty.localhost/", sock=opened, compression=None, open_timeout=LIMIT) as peer,
            ):
                self.openings += 1
                self._echo(peer.send, peer.recv, stop)

    def _echo(
        self, send: Callable[[str], None], receive: Callable[[float], object], stop: threading.Event
    ) -> None:
        while not stop.wait(0.01):
            try:
                send(f"message {self.messages}")
                answer = receive(LIMIT)
            except ConnectionClosed:
                return
            if answer != f"message {self.messages}":
                self.faults.append(f"{answer!r} instead of message {self.messages}")
            self.messages += 1

    def listen(self, stop: threading.Event) -> None:
        """Take numbered events."""
        while not stop.is_set():
            connection = HTTPConnection(*self.address, timeout=LIMIT)
            connection.request("GET", "/events", headers={"Host": "chatty.localhost"})
            response = connection.getresponse()
            self.openings += 1
            if response.status != 200:
                self.faults.append(f"status {response.status}")
            expected = 1
            while not stop.is_set() and (line := response.readline()):
                if line.startswith(b"id: "):
                    if int(line[4:]) != expected:
                        self.faults.append(f"event {line!r} instead of {expected}")
                    expected += 1
                    self.messages += 1
            connection.close()


def deploy(mini: Mini, chatty: Repository, number: int, *, builds_every: int) -> None:
    """A release by a change of the config or, now and then, of the code."""
    if number % builds_every == 0:
        chatty.write({"round.txt": str(number)}).commit(f"Round {number}")
        chatty.push()
    else:
        mini.ok("config", "set", f"ROUND={number}", "-a", "chatty")


def assert_nothing_is_lost(
    mini: Mini, chatty: Repository, *, deployments: int, builds_every: int = BUILDS_EVERY
) -> tuple[int, int]:
    """Deploy so often under load and assert that every request is answered by a release that serves, in order;
    return how many requests and how many messages that were."""
    mini.ok("scale", "web=2", "-a", "chatty")
    mini.up("chatty", web=2)
    socket_client, stream_client = LongLived(mini.http), LongLived(mini.http)
    stop = threading.Event()
    threads = [
        threading.Thread(target=run, args=(stop,)) for run in (socket_client.talk, stream_client.listen)
    ]
    for thread in threads:
        thread.start()
    try:
        with Traffic(mini.http, "chatty") as traffic:
            for number in range(1, deployments + 1):
                deploy(mini, chatty, number, builds_every=builds_every)
            assert mini.serving("chatty") == deployments + 1
            traffic.flows()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert traffic.lost == []
    assert all(versions == sorted(versions) for versions in traffic.versions), traffic.versions
    assert all(versions[-1] == deployments + 1 for versions in traffic.versions)
    assert socket_client.faults == stream_client.faults == []
    assert min(socket_client.openings, stream_client.openings) > 1
    eventually(lambda: {row["release"] for row in mini.instances("chatty")} == {deployments + 1}, within=30)
    assert_no_orphans(mini)
    return traffic.answered, socket_client.messages + stream_client.messages


def test_deployments_under_load_lose_nothing(mini: Mini, chatty: Repository) -> None:
    deployments = DEPLOYMENTS[mini.engine.name]
    assert_nothing_is_lost(mini, chatty, deployments=deployments)
    assert_each_kept_once(mini, "chatty", instances=1 + 1 + 2 * deployments)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_deployments_under_load_lose_nothing(mini: Mini, chatty: Repository) -> None:
    requests, messages = assert_nothing_is_lost(mini, chatty, deployments=100)
    print(f"100 deployments: {requests} requests and {messages} messages, none lost")
