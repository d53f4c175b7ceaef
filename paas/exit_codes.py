"""How a process ended that was never a child of this one: since 6.15 the kernel tells whoever holds a pidfd.

It waits for nothing, and never guesses: what the kernel does not tell stays unknown.
"""

import fcntl
import os
import struct

_INFO = struct.Struct("=QQ11Ii")
"""`struct pidfd_info` as first published, 64 bytes: mask, cgroup id, eleven ids, wait status (linux/pidfd.h)."""
_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11
_INFO_EXIT = 1 << 3


def of_reaped(pidfd: int) -> int | None:
    """Return the exit code of a process that its parent has reaped, a signal as the negative number; None where nobody
    can know it (yet). The pidfd must have been open when the process ended."""
    info = bytearray(_INFO.pack(_INFO_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:  # ENOTTY, EINVAL: a kernel that does not tell
        return None
    mask, *_, status = _INFO.unpack(info)
    return os.waitstatus_to_exitcode(status) if mask & _INFO_EXIT else None
