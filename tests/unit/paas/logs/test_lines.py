"""Lines are cut from blocks of bytes, and cutting again gives the same lines."""

import pytest

from paas.domain.log import LINE_LIMIT
from paas.logs.lines import cut, platform_lines

LONG = b"x" * LINE_LIMIT


@pytest.mark.parametrize(
    ("data", "lines", "rest"),
    [
        pytest.param(b"", [], b"", id="nothing"),
        pytest.param(b"half", [], b"half", id="no whole line"),
        pytest.param(b"a\n\nb\nc", [b"a", b"", b"b"], b"c", id="whole lines and a rest"),
        pytest.param(LONG + b"\n", [LONG], b"", id="exactly the limit"),
        pytest.param(LONG, [], LONG, id="the limit, not ended yet"),
        pytest.param(LONG + b"y\nz\n", [LONG, b"y", b"z"], b"", id="one byte over the limit"),
        pytest.param(LONG + LONG + b"y", [LONG, LONG], b"y", id="a long line that is not ended"),
    ],
)
def test_a_block_is_cut_into_lines(data: bytes, lines: list[bytes], rest: bytes) -> None:
    whole = cut(data)
    assert bytes(whole.payload) == b"".join(line + b"\n" for line in lines)
    assert whole.lines == len(lines)
    assert data[whole.used :] == rest


def test_a_long_line_is_not_cut_inside_a_character() -> None:
    text = "x" + "€" * LINE_LIMIT
    pieces = bytes(cut(text.encode() + b"\n").payload).decode().split("\n")
    assert "".join(pieces) == text


def test_the_lines_of_the_platform_are_grouped_by_app_in_their_order() -> None:
    data = (
        b"1\tshop\tmini\trouter\t0\tfirst\n"
        b"2\tblog\tmini\trouter\t0\tother\n"
        b"3\tshop\tmini\trouter\t0\tsecond\twith a tab\n"
        b"4\tshop\tmini\tweb.1\t3\tup\n"
        b"5\tshop\tmini\trou"
    )
    groups, used = platform_lines(data, stored=lambda app: 0)
    assert data[used:] == b"5\tshop\tmini\trou"
    assert [(group.app, group.instance, group.version, group.lines) for group in groups] == [
        ("shop", b"router", 0, [b"1\tfirst", b"3\tsecond\twith a tab"]),
        ("blog", b"router", 0, [b"2\tother"]),
        ("shop", b"web.1", 3, [b"4\tup"]),
    ]


def test_a_line_of_the_platform_that_is_stored_already_is_passed_over() -> None:
    data = b"1\tshop\tmini\trouter\t0\tone\n2\tshop\tmini\trouter\t0\ttwo\n"
    [group], used = platform_lines(data, stored=lambda app: data.index(b"2\t"))
    assert (group.lines, group.end, used) == ([b"2\ttwo"], len(data), len(data))


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"1\t../etc\tmini\tweb.1\t0\tx", b"x\tshop\tmini\tweb.1\t0\tx"]
)
def test_what_is_no_line_of_the_platform_is_left_out(line: bytes) -> None:
    assert platform_lines(line + b"\n", stored=lambda app: 0) == ([], len(line) + 1)
