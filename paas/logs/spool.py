"""A spool: bytes on their way from a FIFO to a log, in a file, so that no crash loses or doubles one.

The kernel moves them out of the FIFO into the file in one step (splice(2)); they leave the spool when they are in a
log. It never looks at what the bytes say.

The file is `SOURCE.ID.BASE.spool`: BASE is the offset of its first byte, counted from the source's first byte ever,
and ID is random and what records in a log name. Of two files of one source the one with the higher BASE holds.
"""

import os
import secrets
from pathlib import Path

KEEP = 256 * 1024
"""How many stored bytes a spool may carry with it before its file is replaced."""


class Spool:
    """One source's spool. One owner; not shared between threads."""

    def __init__(self, path: Path) -> None:
        self._begin(path)

    @classmethod
    def open(cls, folder: Path, source: str) -> "Spool":
        """Return the spool of `source` with all that an earlier process left in it, or a new one."""
        found = sorted((p for p in folder.glob("*.spool") if _source_of(p) == source), key=_base_of)
        for old in found[:-1]:
            old.unlink()
        return cls(found[-1] if found else folder / f"{source}.{secrets.token_hex(8)}.0.spool")

    def take(self, fifo: int, limit: int) -> int:
        """Move up to `limit` bytes from `fifo` to the end of the spool; return how many there were.

        Raises OSError where the disk is full; then nothing has moved.
        """
        try:
            count = os.splice(
                fifo, self._file, limit, offset_dst=self.end - self.base, flags=os.SPLICE_F_NONBLOCK
            )
        except BlockingIOError:
            return 0
        self.end += count
        return count

    def read(self, start: int) -> bytes:
        """Return all bytes from the offset `start` on."""
        return os.pread(self._file, self.end - start, start - self.base)

    def release(self, start: int) -> None:
        """Say that all before the offset `start` is in a log; from time to time the file shrinks to what is not."""
        if start - self.base < KEEP:
            return
        fresh = self._path.with_name(f"{self.source}.{self.id:016x}.{start}.spool")
        draft = fresh.with_name(f"{self.source}.draft")
        draft.write_bytes(self.read(start))
        draft.rename(fresh)
        self.remove()
        self._begin(fresh)

    def renew(self) -> None:
        """Throw away all that is in it and begin again under a new id; that takes no room on the disk."""
        os.ftruncate(self._file, 0)
        self.close()
        self._begin(self._path.rename(self._path.with_name(f"{self.source}.{secrets.token_hex(8)}.0.spool")))

    def close(self) -> None:
        """Let go of the file, which stays for the next process."""
        os.close(self._file)

    def remove(self) -> None:
        """Let go of the file and remove it."""
        self.close()
        self._path.unlink(missing_ok=True)

    def _begin(self, path: Path) -> None:
        self._path = path
        self.source, token, base, _ = path.name.rsplit(".", 3)
        self.id = int(token, 16)
        self.base = int(base)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.end = self.base + os.fstat(self._file).st_size


def ids_in(folder: Path) -> set[int]:
    """Return the ids of all spools that earlier processes left."""
    return {int(path.name.rsplit(".", 3)[1], 16) for path in folder.glob("*.spool")}


def sweep(folder: Path, sources: set[str]) -> None:
    """Remove what spools of other sources than `sources` left behind, and drafts of a crash."""
    for draft in folder.glob("*.draft"):
        draft.unlink()
    for path in folder.glob("*.spool"):
        if _source_of(path) not in sources:
            path.unlink()


def _source_of(path: Path) -> str:
    return path.name.rsplit(".", 3)[0]


def _base_of(path: Path) -> int:
    return int(path.name.rsplit(".", 3)[2])
