"""Protocol Buffers' wire format: what is written is read again, and what is none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builds.protobuf import WireError, decode, encode

VALUES = st.one_of(st.integers(min_value=1, max_value=2**64 - 1), st.binary(max_size=300))
FIELDS = st.lists(st.tuples(st.integers(min_value=1, max_value=2**29 - 1), VALUES), max_size=8)


@given(FIELDS)
def test_what_is_written_is_read_again(fields: list[tuple[int, int | bytes]]) -> None:
    assert list(decode(encode(*fields))) == fields


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(message: bytes) -> None:
    try:
        fields = list(decode(message))
    except WireError:
        return
    assert all(number > 0 for number, _ in fields)


@given(FIELDS, st.integers(min_value=1, max_value=20))
def test_a_message_that_was_cut_off_is_never_read_as_another(
    fields: list[tuple[int, int | bytes]], missing: int
) -> None:
    cut = encode(*fields)[:-missing]
    try:
        found = list(decode(cut))
    except WireError:
        return
    assert found == fields[: len(found)]


def test_a_zero_is_no_field_and_nothing_but_a_text_is_one() -> None:
    assert encode((1, 0)) == b""
    assert encode((1, b"")) == b"\x0a\x00"


def test_numbers_of_a_fixed_size_are_passed_over_as_their_bytes() -> None:
    message = b"\x09" + bytes(8) + b"\x15" + bytes(4) + b"\x18\x96\x01"
    assert list(decode(message)) == [(1, bytes(8)), (2, bytes(4)), (3, 150)]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"\x00\x01", id="a field without a number"),
        pytest.param(b"\x0b", id="a group, which nobody writes any more"),
        pytest.param(b"\x0a\x05ab", id="a text that ends too soon"),
        pytest.param(b"\x08\xff", id="a number that ends too soon"),
        pytest.param(b"\x08" + b"\xff" * 10, id="a number without an end"),
        pytest.param(b"\x08" + b"\xff" * 9 + b"\x7f", id="a number of more than 64 bits"),
        pytest.param(b"\x08", id="a field without a value"),
    ],
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        list(decode(message))
