"""The build context: exactly a commit's files, made from git objects, as a tar stream or in a folder."""

import asyncio
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import IO, cast

from builds.dockerignore import parse_dockerignore
from builds.export import refuse_pointer
from builds.objects import Entry
from builds.source import Source
from paas.errors import OperationCancelledError
from paas.threads import in_thread

DOCKERFILE = ".mini.dockerfile"
"""The name, within the stream, of the Dockerfile to build by. It never gets into the image, nor does what a commit has
by this name, be it a folder."""

_IGNORE = ".dockerignore"
_BLOCK = 256 * 1024
_RECORD = 512


@dataclass(frozen=True, slots=True)
class Context:
    """What is sent to Docker: the text of a Dockerfile, and the commit's files but what `.dockerignore` and `without`
    name."""

    dockerfile: str
    without: tuple[str, ...] = ()

    def stream(self, source: Source, *, modified: int, stop: Event) -> Iterator[bytes]:
        """Yield the tar in blocks; every file is `modified` at that time, since git keeps none.

        Raises BuildFailedError for a file that may not be sent, and OperationCancelledError soon after `stop` is set.
        """
        return _blocks(self._members(source, modified=modified, stop=stop))

    async def write(self, source: Source, folder: Path, *, modified: int) -> None:
        """Write the same files into an empty folder; raises as `stream` does. Cancelling it leaves some of them."""
        stop = Event()
        task = asyncio.ensure_future(in_thread(self._unpack, source, folder, modified, stop))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait({task})
            raise

    def _unpack(self, source: Source, folder: Path, modified: int, stop: Event) -> None:
        stream = cast("IO[bytes]", _Pieces(self.stream(source, modified=modified, stop=stop)))
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
            # It is our own; git has refused two entries of one name, so nothing is written through a link.
            tar.extraction_filter = lambda member, _: member
            tar.extractall(folder)  # noqa: S202 - see above

    def _members(self, source: Source, *, modified: int, stop: Event) -> Iterator[bytes]:
        written = source.text(_IGNORE)
        ignore = parse_dockerignore("\n".join([written or "", *self.without]))
        for path, entry in source.tree.walk():
            if stop.is_set():
                raise OperationCancelledError
            name = path.decode(errors="surrogateescape")
            if name.partition("/")[0] not in (DOCKERFILE, _IGNORE) and not ignore.excludes(name):
                yield from _member(source, path, entry, modified=modified)
        yield from _text(DOCKERFILE, self.dockerfile, modified=modified)
        yield from _text(_IGNORE, _own_ignore(written), modified=modified)
        yield bytes(2 * _RECORD)


class _Pieces:
    """A file of what an iterator yields, as far as `tarfile` needs one."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int) -> bytes:
        return next(self._pieces, b"")


def _blocks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces put together: whatever is yielded is sent by itself, and each file has three."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= _BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _own_ignore(written: str | None) -> str:
    """Return the .dockerignore to send: Docker itself takes away the two files that this names, where they match,
    once it has read the Dockerfile."""
    return f"{DOCKERFILE}\n{_IGNORE}\n" if written is None else f"{written}\n{DOCKERFILE}\n"


def _member(source: Source, path: bytes, entry: Entry, *, modified: int) -> Iterator[bytes]:
    if entry.is_folder:
        yield _header(path, modified=modified, kind=tarfile.DIRTYPE, mode=0o755)
    elif entry.is_link:
        target = b"".join(source.blocks(entry))
        yield _header(path, modified=modified, kind=tarfile.SYMTYPE, mode=0o777, target=target)
    else:
        size = source.tree.sizes[entry.id]
        yield _header(path, modified=modified, size=size, mode=0o755 if entry.is_executable else 0o644)
        for block in source.blocks(entry):
            refuse_pointer(block, path, size=size)
            yield block
        yield bytes(-size % _RECORD)


def _text(name: str, text: str, *, modified: int) -> Iterator[bytes]:
    content = text.encode()
    yield _header(name.encode(), modified=modified, size=len(content), mode=0o644)
    yield content + bytes(-len(content) % _RECORD)


def _header(
    path: bytes,
    *,
    modified: int,
    mode: int,
    kind: bytes = tarfile.REGTYPE,
    size: int = 0,
    target: bytes = b"",
) -> bytes:
    info = tarfile.TarInfo(path.decode(errors="surrogateescape"))
    info.type, info.size, info.mode, info.mtime = kind, size, mode, modified
    info.linkname = target.decode(errors="surrogateescape")
    # GNU's form keeps names of any length and any bytes as they are.
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
