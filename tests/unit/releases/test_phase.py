"""The release phase: its lines, and its end."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from paas.domain.app import App
from paas.domain.ids import AppId, ConfigId, ReleaseId
from paas.domain.log import LINE_LIMIT
from paas.domain.names import AppName
from paas.domain.release import Release, ReleaseKind
from paas.errors import OperationTimedOutError
from paas.testing.behaviour import IDLES
from paas.testing.clock import FakeClock
from releases.phase import RELEASE_PHASE_LIMIT, lines, run_release_phase
from tests.unit.releases.fakes import FakeSupervisor, manifest

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = App(AppId("a" * 16), AppName("shop"), NOW)
RELEASE = Release(
    id=ReleaseId("b" * 16),
    app=SHOP.id,
    version=1,
    kind=ReleaseKind.DEPLOY,
    description="Deploy",
    build=None,
    commit=None,
    config=ConfigId("c" * 16),
    manifest=manifest(release="migrate"),
    origin=1,
    actor="me",
    created_at=NOW,
    content_hash="",
)


async def blocks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param((b"one\ntwo\n",), ["one", "two"], id="two lines in a block"),
        pytest.param((b"on", b"e\nt", b"wo"), ["one", "two"], id="lines over blocks, no end"),
        pytest.param((b"a\r\n\n",), ["a", ""], id="carriage return, empty line"),
        pytest.param((b"\xff\n",), ["\ufffd"], id="not UTF-8"),
        pytest.param((b"x" * (LINE_LIMIT + 1),), ["x" * LINE_LIMIT, "x"], id="too long"),
        pytest.param((), [], id="nothing"),
    ],
)
async def test_blocks_become_lines(parts: tuple[bytes, ...], expected: list[str]) -> None:
    assert [line async for line in lines(blocks(*parts))] == expected


async def test_a_release_command_that_never_ends_is_ended() -> None:
    clock = FakeClock()
    supervisor = FakeSupervisor(clock, behaviours={"migrate": IDLES})
    running = asyncio.create_task(
        run_release_phase(SHOP, RELEASE, command="migrate", supervisor=supervisor, clock=clock, say=print)
    )
    await clock.until(lambda: bool(supervisor.one_offs))
    clock.move(RELEASE_PHASE_LIMIT)
    with pytest.raises(OperationTimedOutError, match="still running after 3600 s"):
        await running
    assert supervisor.one_offs[0].left
