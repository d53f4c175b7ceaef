"""Protocol Buffers' wire format, as far as BuildKit speaks it: messages as numbered fields. It knows no message."""

from collections.abc import Iterator

from paas.errors import PaasError

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BYTES = 10
_BITS64 = (1 << 64) - 1

Value = int | bytes
"""A number, or the bytes of a text or of a message within the message."""


class WireError(PaasError):
    """A message of BuildKit cannot be read."""


def encode(*fields: tuple[int, Value]) -> bytes:
    """Return a message of these fields; a number of zero is no field at all, as everybody takes it for granted."""
    return b"".join(_field(number, value) for number, value in fields if value != 0)


def decode(message: bytes) -> Iterator[tuple[int, Value]]:
    """Yield a message's fields in their order; raises WireError for what is none."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise WireError("A message of BuildKit has a field without a number.")
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _DELIMITED:
            size, at = _varint(message, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise WireError(f"A message of BuildKit has a field of the unknown kind {kind}.")
        if at + size > len(message):
            raise WireError("A message of BuildKit ends within a field.")
        yield number, message[at : at + size]
        at += size


def text_of(value: Value | None) -> str:
    """Return the text of a field; "" where there is none."""
    return value.decode(errors="replace") if isinstance(value, bytes) else ""


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return _number(number << 3 | _VARINT) + _number(value)
    return _number(number << 3 | _DELIMITED) + _number(len(value)) + value


def _number(value: int) -> bytes:
    value &= _BITS64
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends."""
    value = 0
    for place, byte in enumerate(message[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if value > _BITS64:
                break
            return value, at + place + 1
    raise WireError("A message of BuildKit has a number without an end.")
