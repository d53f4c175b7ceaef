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
        try:
            return self._stock.pop()
        except IndexError:
            self._stock = os.urandom(_BYTES * _AT_ONCE).hex(" ", _BYTES).encode("ascii").split()
            return self._stock.pop()
