"""How BuildKit takes a folder: it is told of each file, asks for those that it does not have, and says when it has all.

It reads no file and opens no connection: what is in a folder is given, and packets come and go as bytes.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from builds.protobuf import WireError, decode, encode, text_of
from paas.errors import BuildFailedError

_STAT, _REQUEST, _DATA, _FIN, _ERROR = range(5)
_FOLDER, _LINK = 1 << 31, 1 << 27
"""The kinds of files as Go numbers them."""

Blocks = Callable[[], Iterator[bytes]]


def _nothing() -> Iterator[bytes]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Item:
    """One file, link or folder within a folder. All of them together come in the order of their paths, part by part,
    each after the folders it is in."""

    path: bytes
    mode: int
    modified: int
    """In nanoseconds. Two different contents of one path may never have one time: BuildKit takes a file that it has
    from an earlier build for the same if time, size and mode are."""
    size: int = 0
    target: bytes = b""
    blocks: Blocks = _nothing


def folder_of(path: bytes, *, modified: int) -> Item:
    """Return the item of a folder."""
    return Item(path, _FOLDER | 0o755, modified)


def link_of(path: bytes, target: bytes, *, modified: int) -> Item:
    """Return the item of a symbolic link."""
    return Item(path, _LINK | 0o777, modified, size=len(target), target=target)


def file_of(path: bytes, size: int, blocks: Blocks, *, modified: int, executable: bool = False) -> Item:
    """Return the item of a file; `blocks` is called once it is asked for."""
    return Item(path, 0o755 if executable else 0o644, modified, size=size, blocks=blocks)


class Sending:
    """One folder on its way."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._files: list[Item] = []
        self._work: deque[Iterator[bytes]] = deque([self._told(items)])
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether BuildKit has all, and was told so."""
        return self._is_over and not self._work

    def next(self) -> bytes | None:
        """Return the next packet to send, which may be empty; None where there is none for now. Raises what reading a
        file raises."""
        while self._work:
            for packet in self._work[0]:
                return packet
            self._work.popleft()
        return None

    def take(self, packet: bytes) -> None:
        """Take what BuildKit says; raises BuildFailedError where that is a complaint, WireError where it is nothing."""
        fields = dict(decode(packet))
        kind = fields.get(1, _STAT)
        number = fields.get(3, 0)
        if kind == _REQUEST:
            if not isinstance(number, int) or number >= len(self._files):
                raise WireError("BuildKit asks for a file that it was not told of.")
            self._work.append(self._content(number))
        elif kind == _FIN:
            self._is_over = True
            self._work.append(iter([encode((1, _FIN))]))
        elif kind == _ERROR:
            raise BuildFailedError(f"Docker does not take the commit's files: {text_of(fields.get(4))}.")

    def abandon(self) -> None:
        """Read the file that is just being sent to its end, as whoever reads from git must."""
        if self._work:
            deque(self._work[0], maxlen=0)

    def _told(self, items: Iterable[Item]) -> Iterator[bytes]:
        for item in items:
            self._files.append(item)
            yield encode((1, _STAT), (2, _stat(item)))
        yield encode((1, _STAT))

    def _content(self, number: int) -> Iterator[bytes]:
        for block in self._files[number].blocks():
            yield encode((1, _DATA), (3, number), (4, block))
        yield encode((1, _DATA), (3, number))


def _stat(item: Item) -> bytes:
    named = encode((1, item.path), (2, item.mode), (5, item.size), (6, item.modified))
    return named + (encode((7, item.target)) if item.target else b"")
