"""Every process of one instance, wherever it went: found, signalled, killed and reaped. It never guesses by pid.

A process belongs to the instance when it is in the leader's session, or was started with the instance's id in its
environment, or descends from one that does, or holds the instance's lock.
"""

import os
import signal
from collections.abc import Iterable

from paas.domain.ids import InstanceId
from paas.domain.instance import ProcessIdentity
from paas.engines.process import pidfd, proc
from paas.engines.process.orphans import reap
from paas.engines.process.proc import Process
from paas.engines.process.scratch import Scratch
from paas.engines.process.spawn import INSTANCE_MARKER


class Family:
    """The processes of one instance. `leader` is None where no one knows who that was."""

    def __init__(self, id: InstanceId, leader: ProcessIdentity | None, *, scratch: Scratch) -> None:
        self._id = id
        self._leader = leader
        self._scratch = scratch
        self._seen: set[ProcessIdentity] = set()

    def alive(self) -> list[Process]:
        """Return those that run now, by kin."""
        return [each for each in self._members() if not each.dead]

    def any_alive(self) -> bool:
        """Return whether any runs now, by kin."""
        return bool(self.alive())

    def find_leader(self) -> ProcessIdentity | None:
        """Return who leads, where nobody wrote it down: the first of those that lead a session."""
        found = self.alive() or self._holders()
        leaders = [each for each in found if each.pid == each.session]
        return _identity(min(leaders, key=lambda each: each.start_time)) if leaders else None

    def signal(self, number: int, *, beyond_group: int | None = None) -> None:
        """Send a signal to all that run, but not to the members of one group."""
        for process in self.alive():
            if process.group != beyond_group:
                pidfd.send(_identity(process), number)

    def kill(self) -> bool:
        """Kill what runs, and reap what came to us as an orphan; return whether anything ran. To be repeated."""
        members = self._members()
        for process in members:
            if process.dead and process.parent == os.getpid() and _identity(process) != self._leader:
                reap(process.pid)
        targets = [each for each in members if not each.dead] or self._holders()
        for process in targets:
            pidfd.send(_identity(process), signal.SIGKILL)
        self._seen |= {_identity(process) for process in targets}
        return bool(targets)

    def _members(self) -> list[Process]:
        """Return its processes, by kin or because they were seen to be its: what is dead shows no environment."""
        processes = [each for each in proc.scan() if not _ours(each)]
        session = self._session(processes)
        since = self._leader.start_time if self._leader else 0
        members = {
            each.pid
            for each in processes
            if each.session == session
            or _identity(each) in self._seen
            or (each.start_time >= since and proc.variable(each.pid, INSTANCE_MARKER) == self._id)
        }
        found = _with_descendants(members, processes)
        self._seen |= {_identity(each) for each in found}
        return found

    def _session(self, processes: Iterable[Process]) -> int | None:
        """Return the number of the session while it is the instance's for sure: its leader is there, dead or alive."""
        return next((each.pid for each in processes if _identity(each) == self._leader), None)

    def _holders(self) -> list[Process]:
        """Return those that only the lock gives away: daemons that left the session and overwrote their environment."""
        if not self._scratch.locked():
            return []
        lock = str(self._scratch.lock)
        return [each for each in proc.scan() if not _ours(each) and not each.dead and _holds(each.pid, lock)]


def _ours(process: Process) -> bool:
    """Return whether it belongs to this server's own session, which is never an instance's."""
    return process.session == os.getsid(0) or process.pid == os.getpid()


def _identity(process: Process) -> ProcessIdentity:
    return ProcessIdentity(proc.boot_id(), process.pid, process.start_time)


def _with_descendants(members: set[int], processes: list[Process]) -> list[Process]:
    grown = True
    while grown:
        children = {each.pid for each in processes if each.parent in members} - members
        members |= children
        grown = bool(children)
    return [each for each in processes if each.pid in members]


def _holds(pid: int, path: str) -> bool:
    for link in proc.descriptors(pid):
        try:
            if str(link.readlink()) == path:
                return True
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return False
