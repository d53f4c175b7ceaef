"""What reaches a terminal of what an app printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.escapes import safe


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain ünïcode 🎉\ttab", "plain ünïcode 🎉\ttab", id="text"),
        pytest.param("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", id="colour"),
        pytest.param("\x1b[38;2;1;2;3mrgb", "\x1b[38;2;1;2;3mrgb\x1b[0m", id="colour that is left on"),
        pytest.param("a\x1b[2Jb", "ab", id="clear screen"),
        pytest.param("a\x1b[1;1Hb", "ab", id="cursor"),
        pytest.param("a\x1b]0;title\x07b", "ab", id="title"),
        pytest.param("a\x1b]52;c;ZXZpbA==\x1b\\b", "ab", id="clipboard"),
        pytest.param("a\x1b]8;;http://evil\x07b", "ab", id="link"),
        pytest.param("a\x1bPq#0\x1b\\b", "ab", id="device control"),
        pytest.param("a\x1b_x\x1b\\b", "ab", id="application command"),
        pytest.param("a\x9b31mb\x9d0;t\x07c", "abc", id="C1"),
        pytest.param("a\x1b]0;never ends", "a", id="unfinished"),
        pytest.param("good\revil\x0b\x08x\x00", "goodevilx", id="control characters"),
        pytest.param("a\x1b", "a", id="lone escape"),
        pytest.param("a\x1bcb", "ab", id="reset"),
        pytest.param("\x1b[>0m\x1b[?25l", "", id="private sequences that look like colours"),
    ],
)
def test_colours_pass_and_nothing_else(text: str, expected: str) -> None:
    assert safe(text) == expected


@given(st.text(alphabet=st.sampled_from("\x1b[]P_^X0;1mHJ?\x07\\\x9b\x9d\x9ca\r\n\t ")))
def test_whatever_comes_only_colours_are_left(text: str) -> None:
    import re

    rest = re.sub(r"\x1b\[[0-9;:]*m", "", safe(text))
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", rest)
