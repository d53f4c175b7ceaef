"""The release phase's lines."""

from collections.abc import AsyncIterator

import pytest

from paas.domain.log import LINE_LIMIT
from releases.phase import lines

pytestmark = pytest.mark.anyio


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
