"""Whether the kernel killed a process because memory ran out. It says so only where the kernel says it."""

import os
import re
from pathlib import Path

from paas.domain.instance import ProcessIdentity

_KILLED = re.compile(rb"^\d+,\d+,(\d+),[^;]*;.*Killed process (\d+) ")
"""A record of /dev/kmsg: priority, sequence, microseconds since boot, flags; then the text."""
_RECORD = 8192
_SLACK = 1.0


def kills() -> int:
    """Return how often the kernel has killed for memory since boot, 0 where that cannot be read. Reading whom is slow, so
    it is done on a rise."""
    try:
        counts = Path("/proc/vmstat").read_text()
    except OSError:
        return 0
    for line in counts.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill":
            return int(value)
    return 0


def killed_for_memory(who: ProcessIdentity) -> bool:
    """Return whether the kernel's log names this process; False too where the log may not be read."""
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return any(names(record, who) for record in _records(log))
    finally:
        os.close(log)


def names(record: bytes, who: ProcessIdentity) -> bool:
    """Return whether one record says that `who` was killed, and not an earlier process of that pid."""
    match = _KILLED.match(record)
    if match is None or int(match[2]) != who.pid:
        return False
    return int(match[1]) / 1e6 >= who.start_time / os.sysconf("SC_CLK_TCK") - _SLACK


def _records(log: int) -> list[bytes]:
    records = []
    while True:
        try:
            records.append(os.read(log, _RECORD))
        except BlockingIOError:
            return records
        except BrokenPipeError:  # overwritten while we read: the next read goes on behind the gap
            continue
