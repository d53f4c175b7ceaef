"""Who owns a home: one control plane, by a lock of the kernel that no crash can leave behind."""

import fcntl
import os
import secrets
from pathlib import Path

from paas.errors import HomeInUseError, InvalidError
from paas.settings import Settings


def take_home(settings: Settings) -> int:
    """Make the state directory where there is none and lock it; return the descriptor that holds the lock.

    Raises HomeInUseError where a living control plane has it, InvalidError where it cannot be made.
    """
    try:
        for folder in (settings.home, settings.runtime, settings.server_logs, settings.control_socket.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidError(f"{error.filename} cannot be a directory of mini: {error.strerror}.") from error
    lock = os.open(settings.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise HomeInUseError(
            f"Another server already runs on {settings.home}. "
            "See `mini server status`, or start a second one with another MINI_HOME."
        ) from error
    return lock


def admin_token(path: Path) -> str:
    """Return the admin token of a home; a random one is written at the first start, mode 0600."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"mini_{secrets.token_urlsafe(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    return path.read_text().strip()
