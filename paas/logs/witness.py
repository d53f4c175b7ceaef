"""A witness: how instances ended, written down while no control plane is there to see it. It ends no process.

An instance's `SOURCE.exit` holds its exit code. It stays until the instance is finished.
"""

import os
from contextlib import suppress
from pathlib import Path

from paas import exit_codes


class Witness:
    """Holds a pidfd of each leader. The owner polls them and says which one hung up: that one was reaped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sources: dict[int, str] = {}

    def watch(self, source: str, *, pid: int, start_time: int) -> int | None:
        """Return the pidfd to poll for a hang-up; None where the process is gone, or watched already."""
        if source in self._sources.values():
            return None
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        # The pid may have become another one's before it was opened: from here on it cannot any more.
        if _start_time(pid) != start_time:
            os.close(pidfd)
            return None
        self._sources[pidfd] = source
        return pidfd

    def has(self, pidfd: int) -> bool:
        """Return whether this is one of its own."""
        return pidfd in self._sources

    def testify(self, pidfd: int) -> None:
        """Write down how the process ended, where the kernel tells, and let go of it."""
        source = self._sources.pop(pidfd)
        code = exit_codes.of_reaped(pidfd)
        os.close(pidfd)
        if code is not None:
            path = exit_file(self._folder, source)
            draft = path.with_suffix(".draft")
            with suppress(OSError):  # a full disk: its exit stays unknown
                draft.write_text(str(code))
                draft.rename(path)

    def forget(self, source: str) -> None:
        """Forget a source that is finished."""
        exit_file(self._folder, source).unlink(missing_ok=True)
        pidfd = next((each for each, of in self._sources.items() if of == source), None)
        if pidfd is not None:
            del self._sources[pidfd]
            os.close(pidfd)


def exit_file(folder: Path, source: str) -> Path:
    """Return where a source's exit code is written down."""
    return folder / f"{source}.exit"


def _start_time(pid: int) -> int | None:
    """Return field 22 of /proc/PID/stat (proc(5))."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(text.rpartition(")")[2].split()[19])
