"""`kill -9`, and the certainty that it has happened."""

import os
import select
import signal

LIMIT = 10_000


def end(pid: int) -> None:
    """Kill a process that the test itself started; return when all its threads have let go of their files.

    A leader is a zombie before its other threads have ended: until then its sockets still take connections.
    """
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        assert poll.poll(LIMIT), f"{pid} is still there"
    finally:
        os.close(handle)
