"""Git objects, read through one `git cat-file --batch`: no checkout, no attributes, no filters. It never writes."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from builds.git import Git, GitError, end_group

BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree object: a file, a symbolic link, a folder or a submodule."""

    mode: int
    name: bytes
    id: str

    @property
    def is_folder(self) -> bool:
        return self.mode == 0o040000

    @property
    def is_link(self) -> bool:
        return self.mode == 0o120000

    @property
    def is_submodule(self) -> bool:
        return self.mode == 0o160000

    @property
    def is_executable(self) -> bool:
        return bool(self.mode & 0o100)


class ObjectReader:
    """Reads objects one after the other. Use it as a context manager, from one thread at a time."""

    def __init__(self, git: Git) -> None:
        """Start git, and leave it to become ready: who reads first waits for that."""
        self.git = git
        self._process = git.start("cat-file", "--batch")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End git. Repeating it does nothing."""
        end_group(self._process)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def read(self, id: str, *, limit: int) -> bytes:
        """Return an object's content; raises GitError where it is missing or larger than `limit` bytes."""
        return b"".join(self.blocks(id, limit=limit))

    def blocks(self, id: str, *, limit: int) -> Iterator[bytes]:
        """Yield an object's content in blocks, so that a large one never fills the memory; read it to its end."""
        process = self._process
        assert process.stdin is not None  # noqa: S101 - both are pipes: Git.start asks for them
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(id.encode() + b"\n")
        process.stdin.flush()
        header = process.stdout.readline().split()
        if len(header) != 3:
            raise GitError(f"The repository {self.git.directory.name} lacks the object {id}; push again.")
        left = int(header[2])
        if left > limit:
            raise GitError(f"The object {id} has {left} bytes; {limit} is the most that is read here.")
        while left:
            block = process.stdout.read(min(left, BLOCK))
            if not block:
                raise GitError(f"git ended within the object {id}; push again.")
            left -= len(block)
            yield block
        process.stdout.read(1)


def parse_tree(content: bytes, *, id_bytes: int) -> Iterator[Entry]:
    """Yield the entries of a tree object, whose ids are 20 bytes long (SHA-1) or 32 (SHA-256)."""
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        id = content[end + 1 : end + 1 + id_bytes].hex()
        yield Entry(int(content[at:space], 8), content[space + 1 : end], id)
        at = end + 1 + id_bytes


def blob_sizes(git: Git, sizer: subprocess.Popen[bytes], ids: Iterable[str]) -> Mapping[str, int]:
    """Return the size of each blob without inflating one, as a started `cat-file --batch-check` tells them; raises
    GitError where one is missing."""
    asked = "".join(f"{id}\n" for id in ids).encode()
    sizes = {}
    for line in git.answer(sizer, "cat-file", given=asked).decode().splitlines():
        id, *rest = line.split()
        if len(rest) != 2:
            raise GitError(f"The repository {git.directory.name} lacks the object {id}; push again.")
        sizes[id] = int(rest[1])
    return sizes
