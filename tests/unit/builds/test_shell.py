import asyncio
from pathlib import Path

import pytest

from builds.shell import CommandFailedError, Shell
from paas.errors import DiskFullError

pytestmark = pytest.mark.anyio


async def said_by(script: str, folder: Path, **environment: str) -> list[str]:
    lines: list[str] = []
    shell = Shell({"PATH": "/usr/bin:/bin", **environment}, say=lines.append)
    await shell.run("sh", "-c", script, folder=folder)
    return lines


async def test_both_streams_come_line_by_line_and_a_last_line_without_an_end(tmp_path: Path) -> None:
    assert await said_by("echo a; echo b >&2; printf 'c\\r\\n\\377d'", tmp_path) == ["a", "b", "c", "\ufffdd"]


async def test_a_command_gets_the_environment_that_it_is_given_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "x")
    assert not [line for line in await said_by("env", tmp_path, A="1") if line.startswith("SECRET")]


async def test_a_line_without_an_end_is_split_before_it_fills_the_memory(tmp_path: Path) -> None:
    lines = await said_by("head -c 1000000 /dev/zero | tr '\\0' x", tmp_path)
    assert sum(map(len, lines)) == 1_000_000
    assert max(map(len, lines)) <= 192 * 1024


async def test_a_command_that_fails_tells_its_code_and_last_lines(tmp_path: Path) -> None:
    with pytest.raises(CommandFailedError, match="`sh` ended with exit code 3") as failed:
        await said_by("echo why; exit 3", tmp_path)
    assert failed.value.lines == ("why",)


async def test_a_full_disk_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError):
        await said_by("echo 'error: No space left on device (os error 28)'; exit 1", tmp_path)


async def test_a_child_left_in_the_background_does_not_hold_the_build_up(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        assert await said_by("sleep 600 & echo done", tmp_path) == ["done"]
