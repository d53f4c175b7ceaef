"""Request ids: 32 hexadecimal digits that nobody can guess. The kernel is asked once for many."""

import os

_BYTES = 16
_AT_ONCE = 256


class RequestIds:
    """A stock of random ids, filled up when it is empty."""

    __slots__ = ("_stock",)

    def __init__(self) -> None:
        self._stock: list[bytes] = []

    def next(self) -> bytes:
        """Return a fresh id."""
        if not self._stock:
            digits = os.urandom(_BYTES * _AT_ONCE).hex().encode("ascii")
            self._stock = [digits[at : at + 2 * _BYTES] for at in range(0, len(digits), 2 * _BYTES)]
        return self._stock.pop()
