"""Whether a container has come so far that a signal reaches its command. It reads /proc of this machine and signals nobody.

Docker's `start` returns before that. Until then a signal is lost: on a first process that is not the init yet, on a child
that has not left the init's process group, on a leader that has not begun the command.
"""

from pathlib import Path

from paas.engines.docker.spec import LEADER_NAME

_PROC = Path("/proc")


def hears(init: int) -> bool:
    """Return whether a signal to a container's init reaches the command; also where that cannot be seen from here."""
    try:
        return any(not _is_leader(child) or _programs(child) for child in _programs(init))
    except OSError:
        return True


def _programs(pid: int) -> list[int]:
    """Return the children that run a program of their own: until they do, they are a copy of their parent, signals too."""
    children = (_PROC / str(pid) / "task" / str(pid) / "children").read_text().split()
    return [child for child in map(int, children) if _words(child) != _words(pid)]


def _is_leader(pid: int) -> bool:
    return _words(pid)[3:4] == [LEADER_NAME]


def _words(pid: int) -> list[str]:
    return (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
