"""A file of 16 MiB that is given up when the disk is full, so that the way out can still be recorded."""

import errno
import os
import shutil
from pathlib import Path

SIZE = 16 * 1024 * 1024
ROOM = 4 * SIZE
"""Free bytes below which the ballast is not made again."""


class Ballast:
    """The ballast of one state directory. Making it and dropping it can be repeated."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def drop(self) -> None:
        """Give its room back to the disk."""
        self._path.unlink(missing_ok=True)

    def restore(self) -> None:
        """Make it again where it is missing and the disk has room; do nothing otherwise."""
        if self._whole() or shutil.disk_usage(self._path.parent).free < ROOM:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SIZE)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            self.drop()
        finally:
            os.close(descriptor)

    def _whole(self) -> bool:
        return self._path.exists() and self._path.stat().st_size == SIZE
