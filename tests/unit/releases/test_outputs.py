"""Outputs of deployments: replayed, followed, kept over a crash, bounded."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.ids import DeploymentId
from paas.settings import Settings
from releases import outputs as module
from releases.outputs import OutputKind, OutputLine, Outputs
from tests.eventually import eventually_async

pytestmark = pytest.mark.anyio

ID = DeploymentId("d" * 16)


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    return Outputs(Settings(tmp_path), clock=SystemClock())


async def read(outputs: Outputs, *, after: int = 0) -> list[OutputLine]:
    return [line async for line in outputs.follow(ID, after=after)]


async def test_an_ended_output_is_replayed_from_its_file(outputs: Outputs) -> None:
    output = outputs.open(ID)
    output.step("Building 3f2c1ab (main)")
    output.line("fetching")
    output.error('it failed: ü \u2028 "quoted"')
    await outputs.close(ID)
    lines = await read(outputs)
    assert [line.sequence for line in lines] == [1, 2, 3]
    assert [line.kind for line in lines] == [OutputKind.STEP, OutputKind.OUTPUT, OutputKind.ERROR]
    assert lines[2].text == 'it failed: ü \u2028 "quoted"'
    assert await read(outputs, after=2) == lines[2:]


async def test_a_follower_gets_what_was_and_what_comes_until_the_end(outputs: Outputs) -> None:
    output = outputs.open(ID)
    output.step("one")
    following = asyncio.create_task(read(outputs))
    late = asyncio.create_task(read(outputs, after=2))
    for text in ("two", "three"):
        await asyncio.sleep(0)
        output.step(text)
    await outputs.close(ID)
    assert [line.text for line in await following] == ["one", "two", "three"]
    assert [line.text for line in await late] == ["three"]


async def test_an_unknown_output_is_empty(outputs: Outputs) -> None:
    assert await read(outputs) == []


async def test_an_output_goes_on_after_a_crash_that_tore_its_last_line(
    tmp_path: Path, outputs: Outputs
) -> None:
    output = outputs.open(ID)
    output.step("one")
    await outputs.close(ID)
    with outputs.path(ID).open("a") as file:
        file.write('{"sequence": 2, "at": "2026')
    again = Outputs(Settings(tmp_path), clock=SystemClock())
    (await again.reopen(ID)).error("the control plane was restarted")
    await again.close(ID)
    assert [line.text for line in await read(again)] == ["one", "the control plane was restarted"]


async def test_a_first_line_that_a_crash_tore_is_cut_too(outputs: Outputs) -> None:
    outputs.path(ID).parent.mkdir(parents=True)
    outputs.path(ID).write_text('{"sequence": 1, "at": "2026')
    (await outputs.reopen(ID)).error("the control plane was restarted")
    await outputs.close(ID)
    assert [line.text for line in await read(outputs)] == ["the control plane was restarted"]


async def test_a_line_that_is_none_is_left_out(outputs: Outputs) -> None:
    outputs.open(ID).step("one")
    await outputs.close(ID)
    with outputs.path(ID).open("ab") as file:
        file.write(b'{"sequence": 2, "at": "20{"sequence": 3}\n{"sequence": 4}\n5\n\0\xff\n')
    assert [line.text for line in await read(outputs)] == ["one"]
    (await outputs.reopen(ID)).error("the control plane was restarted")
    await outputs.close(ID)
    assert [line.text for line in await read(outputs)] == ["one", "the control plane was restarted"]


async def test_a_disk_that_was_full_for_a_while_leaves_no_half_a_line(
    outputs: Outputs, caplog: pytest.LogCaptureFixture
) -> None:
    async def given_up() -> bool:
        return "output lines not kept" in caplog.text

    output = outputs.open(ID)
    following = asyncio.create_task(read(outputs))
    with files_of_at_most(100_000):
        for text in ("x" * 60_000, "y" * 60_000):
            output.line(text)
        await eventually_async(given_up)
    output.step("after")
    await outputs.close(ID)
    assert [line.text[:5] for line in await following] == ["xxxxx", "yyyyy", "after"]
    kept = outputs.path(ID).read_text().splitlines()
    assert [line.text for line in await read(outputs)] == ["after"]
    assert len(kept) == 1


async def test_who_was_shown_what_a_crash_lost_still_hears_what_comes_after_it(
    tmp_path: Path, outputs: Outputs
) -> None:
    output = outputs.open(ID)
    for text in ("one", "two", "three"):
        output.step(text)
    await outputs.close(ID)
    cursor = (await read(outputs))[-1].sequence
    first = outputs.path(ID).read_text().splitlines(keepends=True)[0]
    outputs.path(ID).write_text(first)  # the others never came to the disk
    again = Outputs(Settings(tmp_path), clock=SystemClock())
    reopened = await again.reopen(ID)
    following = asyncio.create_task(read(again, after=cursor))
    reopened.error("the control plane was restarted")
    await again.close(ID)
    assert [line.text for line in await following] == ["the control plane was restarted"]
    assert [line.text for line in await read(again, after=cursor)] == ["the control plane was restarted"]
    assert [line.text for line in await read(again, after=1)] == ["the control plane was restarted"]


async def test_what_a_build_prints_is_bounded_and_the_steps_still_come(outputs: Outputs) -> None:
    output = outputs.open(ID)
    for _ in range(module.OUTPUT_LIMIT // 60_000 + 10):
        output.line("x" * 60_000)
    output.step("the end")
    await outputs.close(ID)
    lines = await read(outputs)
    assert sum(len(line.text) for line in lines) < module.OUTPUT_LIMIT + 70_000
    assert [line.kind for line in lines[-2:]] == [OutputKind.WARNING, OutputKind.STEP]


async def test_a_file_that_cannot_be_written_stops_nobody(tmp_path: Path, outputs: Outputs) -> None:
    (tmp_path / "outputs").write_text("no folder")
    output = outputs.open(ID)
    following = asyncio.create_task(read(outputs))
    output.step("one")
    await asyncio.sleep(0)
    await outputs.close(ID)
    assert [line.text for line in await following] == ["one"]


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: a full disk, as far as what is written now can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
