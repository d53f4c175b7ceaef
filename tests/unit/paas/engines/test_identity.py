"""Handles and records of processes: what they say, and that they never mean another one."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from paas.domain.instance import ProcessIdentity
from paas.engines.process import memory, pidfd, proc
from tests.eventually import eventually


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        yield child
        child.kill()


def identity(child: subprocess.Popen[bytes]) -> ProcessIdentity:
    found = proc.identity(child.pid)
    assert found is not None
    return found


def test_a_process_is_found_by_its_pid_and_its_start_time_alone(child: subprocess.Popen[bytes]) -> None:
    who = identity(child)
    assert proc.find(who) is not None
    assert proc.find(replace(who, start_time=who.start_time + 1)) is None
    assert proc.find(replace(who, boot_id="another")) is None


def test_a_pid_that_changed_hands_is_not_signalled(child: subprocess.Popen[bytes]) -> None:
    who = identity(child)
    stale = replace(who, start_time=who.start_time + 1)
    assert pidfd.open_checked(stale) is None
    pidfd.send(stale, signal.SIGKILL)
    assert child.poll() is None


def test_a_zombie_cannot_be_taken_for_a_running_process(child: subprocess.Popen[bytes]) -> None:
    who = identity(child)
    pidfd.send(who, signal.SIGKILL)
    eventually(lambda: (found := proc.find(who)) and found.dead)
    assert pidfd.open_checked(who) is None


@pytest.mark.parametrize("send", [pidfd.send_group, pidfd.send_group_without_flag])
def test_a_group_is_signalled_by_its_leaders_handle(child: subprocess.Popen[bytes], send: object) -> None:
    assert callable(send)
    handle = os.pidfd_open(child.pid)
    send(handle, identity(child), signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    send(handle, ProcessIdentity(proc.boot_id(), child.pid, 0), signal.SIGTERM)
    os.close(handle)


def test_a_code_is_known_before_and_after_the_child_is_reaped() -> None:
    with subprocess.Popen(["sh", "-c", "exit 42"]) as child:
        handle = os.pidfd_open(child.pid)
        assert eventually(lambda: pidfd.exit_code(handle, ProcessIdentity("", child.pid, 0))) == 42
        pidfd.reap(handle)
    assert pidfd.exit_code(handle, ProcessIdentity("", child.pid, 0)) == 42
    pidfd.close(handle)


@pytest.mark.parametrize(
    ("record", "named"),
    [
        pytest.param(
            b"3,1,5000000,-;Out of memory: Killed process 77 (app) total-vm:1kB", True, id="machine"
        ),
        pytest.param(
            b"3,1,5000000,-;Memory cgroup out of memory: Killed process 77 (app)", True, id="cgroup"
        ),
        pytest.param(b"3,1,5000000,-;Out of memory: Killed process 78 (app)", False, id="another pid"),
        pytest.param(b"3,1,1000000,-;Out of memory: Killed process 77 (app)", False, id="before its start"),
        pytest.param(b"6,1,5000000,-;something else", False, id="no such record"),
    ],
)
def test_the_kernels_log_names_whom_it_killed_for_memory(record: bytes, named: bool) -> None:
    started = 4 * os.sysconf("SC_CLK_TCK")
    assert memory.names(record, ProcessIdentity("boot", 77, started)) is named
