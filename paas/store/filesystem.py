"""The folder that the database lives in: private to its user, on a local disk. It never reads what is in it."""

import ctypes
import os
import stat
from pathlib import Path

from paas.errors import InvalidError, PaasError, UnsupportedError

_NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "CIFS",
    0x01021997: "9P",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x0BD00BD0: "Lustre",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
}
"""Magic numbers of statfs(2) whose shared memory does not reach beyond one machine, which WAL needs."""


def make_private(folder: Path) -> None:
    """Make `folder` (and its parents) where it is missing, and give it mode 0700.

    Raises InvalidError for a folder that belongs to another user, or that is shared, such as /tmp.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & stat.S_ISVTX:
        raise InvalidError(f"{folder} belongs to others too. Choose a folder of your own with MINI_HOME.")
    folder.chmod(0o700)


def make_private_file(path: Path) -> None:
    """Make `path` an empty file of mode 0600 where it is missing: SQLite gives its -wal and -shm the same mode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def filesystem_type(path: Path) -> int:
    """Return the magic number of the filesystem that holds `path` (statfs(2), f_type)."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = (ctypes.c_long * 64)()
    if libc.statfs(os.fsencode(path), ctypes.byref(buffer)) != 0:
        raise PaasError(f"The filesystem of {path} cannot be read: {os.strerror(ctypes.get_errno())}.")
    return int(buffer[0]) & 0xFFFFFFFF


def refuse_network(path: Path, magic: int) -> None:
    """Raise UnsupportedError where `magic` is a network filesystem."""
    if name := _NETWORK.get(magic):
        raise UnsupportedError(
            f"{path} is on a network filesystem ({name}), where SQLite can lose data. "
            "Choose a folder on a local disk with MINI_HOME."
        )
