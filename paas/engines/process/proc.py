"""What /proc says of processes (proc(5)). It only reads, and a process that is gone is never an error."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from paas.domain.instance import ProcessIdentity

_ROOT = Path("/proc")
_BLOCK = 64 * 1024
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_time: int
    """In clock ticks since boot: with the pid, it names this process and no later one."""
    wait_status: int
    """What its parent will learn; meaningful once it is dead, and only of processes of this user."""

    @property
    def dead(self) -> bool:
        """Whether it has ended, if only its parent does not know it yet."""
        return self.state in "ZX"


@cache
def boot_id() -> str:
    """Return the id of this boot of the machine."""
    return (_ROOT / "sys/kernel/random/boot_id").read_text().strip()


def read(pid: int) -> Process | None:
    """Return the process that has this pid now."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except _GONE:
        return None
    # The command's name may hold anything, spaces and brackets included: what counts is behind its last bracket.
    fields = text[text.rfind(b")") + 2 :].split()
    return Process(
        pid=pid,
        state=fields[0].decode(),
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
        wait_status=int(fields[49]),
    )


def scan() -> list[Process]:
    """Return all processes there are."""
    pids = (int(entry.name) for entry in _ROOT.iterdir() if entry.name.isdecimal())
    return [process for pid in pids if (process := read(pid)) is not None]


def variable(pid: int, name: str) -> str | None:
    """Return a variable of the environment that a process was started with; None too where it may not be seen."""
    try:
        environment = _read(f"/proc/{pid}/environ")
    except _GONE:
        return None
    key = name.encode() + b"="
    for entry in environment.split(b"\0"):
        if entry.startswith(key):
            return entry[len(key) :].decode(errors="replace")
    return None


def descriptors(pid: int) -> list[Path]:
    """Return the links in /proc/PID/fd, one for each open descriptor."""
    try:
        return list((_ROOT / str(pid) / "fd").iterdir())
    except _GONE:
        return []


def identity(pid: int) -> ProcessIdentity | None:
    """Return who has this pid now."""
    process = read(pid)
    return ProcessIdentity(boot_id(), pid, process.start_time) if process else None


def find(who: ProcessIdentity) -> Process | None:
    """Return the process that `who` means, dead or alive; None once its pid is free or another's."""
    if who.boot_id != boot_id():
        return None
    process = read(who.pid)
    return process if process and process.start_time == who.start_time else None


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        blocks = []
        while block := os.read(descriptor, _BLOCK):
            blocks.append(block)
        return b"".join(blocks)
    finally:
        os.close(descriptor)
