"""Writing a commit's tree into a folder of its own. It never follows a link, and never writes outside the folder."""

import errno
import os
from pathlib import Path
from threading import Event

from builds.objects import Entry, ObjectReader
from builds.tree import MAX_BYTES, MAX_PATH, Tree
from paas.errors import BuildFailedError, DiskFullError, OperationCancelledError

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_MAX = 1024


def export(tree: Tree, reader: ObjectReader, folder: Path, *, stop: Event) -> None:
    """Write the tree's files below `folder`, which must not exist; `check_limits` has passed it.

    Raises BuildFailedError for what cannot or may not be written, DiskFullError, and OperationCancelledError soon
    after `stop` is set. What was written by then is left to the caller.
    """
    folder.mkdir(parents=True)
    root = os.fsencode(folder)
    links: list[tuple[bytes, Entry]] = []
    for path, entry in tree.walk():
        if stop.is_set():
            raise OperationCancelledError
        if entry.is_link:
            links.append((path, entry))
        else:
            _write(tree, reader, root + b"/" + path, path, entry)
    # Links come last, so that no file can be written through one.
    for path, entry in links:
        _link(reader, root, path, entry)
    for path, _ in links:
        _refuse_outside(root, path)


def _write(tree: Tree, reader: ObjectReader, target: bytes, path: bytes, entry: Entry) -> None:
    try:
        if entry.is_folder:
            os.mkdir(target, 0o755)  # noqa: PTH102 - paths are bytes here: git's names need not be text
        else:
            _write_file(tree, reader, target, path, entry)
    except OSError as error:
        raise _refusal(error, path) from error


def _write_file(tree: Tree, reader: ObjectReader, target: bytes, path: bytes, entry: Entry) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(target, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o755 if entry.is_executable else 0o644)
        for block in reader.blocks(entry.id, limit=MAX_BYTES):
            refuse_pointer(block, path, size=tree.sizes[entry.id])
            file.write(block)


def refuse_pointer(block: bytes, path: bytes, *, size: int) -> None:
    """Raise BuildFailedError where a file of `size` bytes, which begins with `block`, stands for another one."""
    if size <= _LFS_POINTER_MAX and block.startswith(_LFS_POINTER):
        raise BuildFailedError(
            f"{_shown(path)} is a Git LFS pointer: its content is on another server, where mini does not "
            "fetch it. Commit the file itself (git lfs migrate export), or load it when the app starts."
        )


def _link(reader: ObjectReader, root: bytes, path: bytes, entry: Entry) -> None:
    target = reader.read(entry.id, limit=MAX_PATH)
    try:
        os.symlink(target, root + b"/" + path)  # noqa: PTH211 - bytes, as above
    except (OSError, ValueError) as error:
        raise _refusal(error, path) from error


def _refuse_outside(root: bytes, path: bytes) -> None:
    link = root + b"/" + path
    target = os.readlink(link)  # noqa: PTH115 - bytes, as above
    home = os.path.realpath(root)
    if target.startswith(b"/") or not (os.path.realpath(link) + b"/").startswith(home + b"/"):
        raise BuildFailedError(
            f"{_shown(path)} is a symbolic link to {_shown(target)}, which is outside the repository. "
            "Commit the file itself instead."
        )


def _refusal(error: OSError | ValueError, path: bytes) -> BuildFailedError | DiskFullError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError()
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    return BuildFailedError(f"{_shown(path)} cannot be written: {why}. Rename it in the commit.")


def _shown(path: bytes) -> str:
    return ascii(path.decode(errors="replace"))[1:-1]
