"""What this process asks of the kernel for itself and for its children, by calls that Python has no name for."""

import ctypes
import os
import resource
from pathlib import Path

_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVILEGES = 38
_OPEN_FILES = 65_536
_OOM_SCORE_STEP = 200
_OOM_SCORE_MAX = 1000

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """From now on descendants that lose their parent become our children instead of init's."""
    _prctl(_SET_CHILD_SUBREAPER)


def forbid_new_privileges() -> None:
    """From now on what the calling thread starts gains nothing by set-uid programs. It cannot be undone."""
    _prctl(_SET_NO_NEW_PRIVILEGES)


def forbid_core_dumps() -> None:
    """From now on neither we nor what we start writes its memory, secrets included, to a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def confine(pid: int) -> None:
    """Give a fresh child its limits: as many files as is sensible, and first in line when memory runs out."""
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        soft = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        own = int(Path("/proc/self/oom_score_adj").read_text())
        Path(f"/proc/{pid}/oom_score_adj").write_text(str(min(own + _OOM_SCORE_STEP, _OOM_SCORE_MAX)))
    except (ProcessLookupError, PermissionError, FileNotFoundError):
        pass  # it has ended already, or the machine forbids it: an instance runs without as well


def _prctl(option: int) -> None:
    if _libc.prctl(option, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
