"""Handles on processes that can never come to mean another one (pidfd_open(2)). A bare pid is never signalled."""

import os
import signal
from contextlib import suppress

from paas import exit_codes
from paas.domain.instance import ProcessIdentity
from paas.engines.process import proc

_SIGNAL_GROUP = 1 << 2


def open_checked(who: ProcessIdentity) -> int | None:
    """Return a handle on the living process that `who` means, to be closed by the caller; None where it is gone.

    The identity is read again behind the open handle, so that a pid which changed hands in between is not taken.
    """
    try:
        handle = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return None
    process = proc.find(who)
    if process is None or process.dead:
        os.close(handle)
        return None
    return handle


def send(who: ProcessIdentity, number: int) -> None:
    """Send a signal to one process; nothing where it is gone."""
    handle = open_checked(who)
    if handle is None:
        return
    try:
        signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(handle)


def send_group(handle: int, who: ProcessIdentity, number: int) -> None:
    """Send a signal to the process group that a process leads, or led; nothing where the group is gone."""
    try:
        signal.pidfd_send_signal(handle, number, None, _SIGNAL_GROUP)
    except ProcessLookupError:
        pass
    except OSError:
        send_group_without_flag(handle, who, number)


def send_group_without_flag(handle: int, who: ProcessIdentity, number: int) -> None:
    """Do the same on kernels older than 6.9.

    Only a child that is not reaped holds its number for certain, so any other's group is signalled one by one.
    """
    if is_child(handle):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(who.pid, number)
    elif proc.find(who):
        for process in proc.scan():
            if process.group == who.pid:
                send(ProcessIdentity(who.boot_id, process.pid, process.start_time), number)


def is_child(handle: int) -> bool:
    """Return whether the process is a child of ours that is not reaped yet."""
    try:
        os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def exit_code(handle: int, who: ProcessIdentity) -> int | None:
    """Return how a process ended, a signal as the negative number; None while nobody can know it (yet).

    A child of ours stays unreaped. Of others the kernel tells while they are zombies, in /proc, and once
    they are reaped (since 6.15), by the handle.
    """
    try:
        result = os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        process = proc.find(who)
        if process and process.dead:
            return os.waitstatus_to_exitcode(process.wait_status)
        return exit_codes.of_reaped(handle)
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def reap(handle: int) -> None:
    """Let go of a child that has ended; nothing where it is none of ours."""
    with suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOHANG)


def close(handle: int) -> None:
    """Let go of a handle."""
    os.close(handle)
