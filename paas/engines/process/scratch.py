"""The folder of one instance: its own copy of the slug's tree, its temporary files, its lock. It starts nothing."""

import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paas.domain.build import Slug
from paas.domain.ids import InstanceId
from paas.errors import ConflictError, DiskFullError, EngineUnavailableError

SLUG_TREE = "tree"
SLUG_COMPLETE = ".complete"
"""The marker that a build leaves in a slug's folder when all of it is there."""


def is_whole(slug: Path) -> bool:
    """Return whether a slug and every environment that it is linked to are complete."""
    if not (slug / SLUG_COMPLETE).is_file():
        return False
    return all((link / SLUG_COMPLETE).is_file() for link in slug.iterdir() if link.is_symlink())


class Scratch:
    """What one instance may write to. `app` is its working directory and home, `temporary` its TMPDIR.

    Whatever runs of the instance holds the lock: it is inherited, and free only once nothing is left.
    """

    def __init__(self, root: Path, id: InstanceId) -> None:
        self.folder = root / id
        self.app = self.folder / "app"
        self.temporary = self.folder / "tmp"
        self.lock = self.folder / "lock"

    @contextmanager
    def made(self) -> Iterator[int]:
        """Make the folder and give the lock, to be inherited by what is started inside; without that, it is gone again.

        Raises ConflictError where the instance runs already.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._take_lock()
        if lock is None:
            raise ConflictError(f"Instance {self.folder.name} runs already; it is not started twice.")
        try:
            yield lock
        except BaseException:
            self.remove()
            raise
        finally:
            os.close(lock)

    def locked(self) -> bool:
        """Return whether anything that inherited the lock still runs."""
        if not self.lock.exists():
            return False
        lock = self._take_lock()
        if lock is not None:
            os.close(lock)
        return lock is None

    def fill(self, slug_folder: Path, slug: Slug) -> None:
        """Copy the slug's tree, and link the folders of the slug that are shared. A name the tree has stays its own.

        Raises DiskFullError where it does not fit; nothing in the copy is hard-linked to the slug.
        """
        self.temporary.mkdir(mode=0o700, exist_ok=True)
        _copy(slug_folder / SLUG_TREE, self.app)
        for name, target in slug.links:
            link = self.app / name
            if not os.path.lexists(link):
                link.symlink_to(slug_folder / target)

    def remove(self) -> None:
        """Remove all of it; nothing where it is gone already."""
        shutil.rmtree(self.folder, onerror=_make_writable)

    def _take_lock(self) -> int | None:
        lock = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target, onerror=_make_writable)
    done = subprocess.run(
        ["cp", "-a", "--reflink=auto", "--", source, target],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        check=False,
    )
    if done.returncode and os.strerror(errno.ENOSPC) in done.stderr:
        raise DiskFullError
    if done.returncode:
        raise EngineUnavailableError(f"The slug {source} could not be copied: {done.stderr.strip()}")


def _make_writable(
    _call: object, path: str, error: tuple[type[BaseException], BaseException, object]
) -> None:
    """Go on where a folder of the app's own forbids its removal; what is gone is as it should be."""
    if isinstance(error[1], FileNotFoundError):
        return
    failed = Path(path)
    for folder in (failed.parent, failed):
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(0o700)
    if failed.is_dir() and not failed.is_symlink():
        shutil.rmtree(failed, onerror=_make_writable)
    else:
        failed.unlink(missing_ok=True)
