"""Readiness and liveness against real HTTP servers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.build import Artifact, Image, Slug
from paas.domain.ids import AppId, Commit, InstanceId
from paas.domain.instance import InstanceSpec, InstanceState
from paas.domain.names import WEB, AppName
from paas.domain.process import Check, CheckKind
from paas.supervisor.health import Examined, Prober
from paas.supervisor.observed import NotReady, Ready, Unwell
from paas.supervisor.request import ask, connects
from paas.testing.behaviour import SERVES, Behaviour
from paas.testing.engine import FakeEngine
from tests.unit.paas.supervisor.house import a_house
from tests.unit.paas.supervisor.worlds import a_release, an_instance

pytestmark = pytest.mark.anyio

STARTUP = CheckKind.STARTUP


class Site:
    """An HTTP server that answers what it is told to and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def a_site(answer: bytes) -> AsyncIterator[Site]:
    site = Site(answer)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize(
    ("answer", "check", "wrong"),
    [
        pytest.param(OK, Check(STARTUP, path="/up"), None, id="200"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\n\r\n", Check(STARTUP, path="/up"), None, id="a redirect is healthy"
        ),
        pytest.param(OK, Check(STARTUP, path="/up", content="hello"), None, id="content that is there"),
        pytest.param(
            OK, Check(STARTUP, path="/up", content="bye"), "without 'bye'", id="content that is not"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            Check(STARTUP, path="/up", content="hello"),
            None,
            id="content over two chunks",
        ),
        pytest.param(b"HTTP/1.1 503 Busy\r\n\r\n", Check(STARTUP, path="/up"), "with 503", id="503"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", Check(STARTUP, path="/up"), "gave no answer", id="not HTTP"),
        pytest.param(b"", Check(STARTUP, path="/up"), "gave no answer", id="a closed connection"),
    ],
)
async def test_a_check_judges_an_answer(answer: bytes, check: Check, wrong: str | None) -> None:
    async with a_site(answer) as site:
        reason = await ask(f"127.0.0.1:{site.port}", check, host="shop.localhost", timeout=5)

    assert (reason is None) if wrong is None else (reason is not None and wrong in reason)


async def test_a_check_sends_the_apps_real_host_and_nothing_to_keep_alive() -> None:
    async with a_site(OK) as site:
        await ask(f"127.0.0.1:{site.port}", Check(STARTUP, path="/up"), host="shop.localhost", timeout=5)

    head = site.asked[0].splitlines()
    assert head[0] == "GET /up HTTP/1.1"
    assert {"Host: shop.localhost", "Connection: close"} <= set(head)


@pytest.mark.parametrize("size", ["7fffffffffff", "-5"])
async def test_a_chunk_of_an_impossible_size_is_refused_before_it_is_read(size: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\nhello".encode()
    async with a_site(answer) as site:
        wrong = await ask(
            f"127.0.0.1:{site.port}", Check(STARTUP, path="/", content="hi"), host="a", timeout=5
        )
    assert wrong == "gave no answer to GET /: a chunk of its body is too large"


async def test_a_check_that_is_not_answered_ends_at_its_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        reason = await ask(address, Check(STARTUP, path="/up"), host="h", timeout=0.05)

    assert reason == "did not answer GET /up within 0.05 s"


async def _readiness(
    port: int,
    *checks: Check,
    boot_limit: float = 5.0,
    artifact: Artifact = Slug("slug"),  # noqa: B008 - a value
    behaviour: Behaviour = SERVES,
) -> Ready | NotReady:
    engine = FakeEngine(SystemClock())
    instance = an_instance(a_release(1), "web.1", InstanceState.STARTING, started=SystemClock().monotonic())
    spec = InstanceSpec(
        InstanceId(instance.id), AppId("shop"), AppName("shop"), 1, Commit("c" * 40), WEB, 1,
        "serve", artifact, (), port, Path("/dev/null"),
    )  # fmt: skip
    engine.behave("serve", behaviour)
    await engine.start(spec)
    prober = Prober(engine, clock=SystemClock(), boot_limit=boot_limit)
    return await prober.readiness(Examined(instance, port, "shop.localhost", checks))


async def test_web_is_ready_once_it_listens_and_answers() -> None:
    async with a_site(OK) as site:
        verdict = await _readiness(site.port, Check(STARTUP, path="/up"))

    assert verdict == Ready(f"127.0.0.1:{site.port}", f"it listens on its port {site.port}")


async def test_a_silent_port_is_named_as_the_instance_itself_knows_it() -> None:
    elsewhere = Behaviour(listens=True, port_shift=1999)
    verdict = await _readiness(
        20001, artifact=Image("sha256:a", "shop:1", port=8000), behaviour=elsewhere, boot_limit=0
    )
    assert verdict == NotReady(
        "listens on port 9999 but not on its PORT 8000 (the image's EXPOSE) within 0 s: let it read $PORT"
    )


async def test_web_that_answers_wrongly_is_asked_so_often_and_no_more() -> None:
    async with a_site(b"HTTP/1.1 500 No\r\n\r\n") as site:
        verdict = await _readiness(site.port, Check(STARTUP, path="/up", attempts=3, interval=0.01))

    assert verdict == NotReady("answered GET /up with 500")
    assert len(site.asked) == 3


async def test_a_liveness_check_runs_at_its_own_interval_limit_and_attempts() -> None:
    engine, clock, found = FakeEngine(SystemClock()), SystemClock(), asyncio.Queue[Unwell | None]()
    instance = an_instance(a_release(1), "web.1", InstanceState.UP, started=clock.monotonic())
    check = Check(CheckKind.LIVENESS, attempts=2, interval=0.01, timeout=0.05)
    prober = Prober(engine, clock=clock, boot_limit=5)
    examined = Examined(instance, 20001, "shop.localhost", (check,))
    task = asyncio.create_task(prober.liveness(examined, found.put_nowait))

    verdict = await asyncio.wait_for(found.get(), 5)
    task.cancel()

    assert verdict == Unwell("does not listen on its port 20001 (2 times in a row)")


async def test_connects_tells_a_listener_from_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await connects(port)
    assert not await connects(port)


async def test_a_port_that_a_foreign_program_holds_is_exchanged_without_a_crash(tmp_path: Path) -> None:
    async with a_house(tmp_path) as house:
        house.scale(web=1)
        house.engine.behave("serve", Behaviour(listens=True, listens_after=0.5))
        release = house.release({"web": "serve"})
        await house.clock.until(lambda: len(house.engine.started) == 1)
        taken = house.engine.started[0].port
        assert taken is not None
        with socket.create_server(("127.0.0.1", taken)):
            house.engine.machine.foreign_ports.add(taken)
            await house.healthy(release)

        assert [spec.port != taken for spec in house.specs("web.1")] == [False, True]
        (view,) = [each for each in house.supervisor.instances(house.app.id) if each.state.value == "up"]
        assert view.instance.restarts == 0


async def test_an_instance_that_fails_its_liveness_checks_is_replaced_and_never_the_last_first(
    tmp_path: Path,
) -> None:
    async with a_house(tmp_path) as house:
        house.scale(web=1)
        release = await house.deploy({"web": "serve"}, checks=(Check(CheckKind.LIVENESS),))
        first = house.running()["web.1"]
        house.engine.make_silent(first)

        await house.clock.until(lambda: len(house.specs("web.1")) == 2)
        assert house.routing.backends("shop.localhost") == ["web.1 v1"]
        await house.clock.until(lambda: first not in [spec.id for spec in house.engine.running()])
        await house.clock.until(lambda: house.is_quiet(release))
        assert len(house.engine.running()) == 1
