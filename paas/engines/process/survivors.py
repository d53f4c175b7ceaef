"""What an earlier control plane left running on this machine. It reads /proc, and kills only what nobody expects."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from paas.domain.ids import InstanceId
from paas.domain.instance import ExitStatus, Identity, ProcessIdentity
from paas.engines.base import Found
from paas.engines.process import proc
from paas.engines.process.family import Family
from paas.engines.process.scratch import Scratch
from paas.engines.process.spawn import HOME_MARKER, INSTANCE_MARKER


def leaders_of(root: Path, known: Mapping[InstanceId, Identity | None]) -> dict[InstanceId, ProcessIdentity]:
    """Return the leaders that still run, of the instances that should exist."""
    found = {}
    for id, identity in known.items():
        leader = _leader_of(root, id, identity)
        if leader:
            found[id] = leader
    return found


def unreaped(known: Mapping[InstanceId, Identity | None]) -> dict[InstanceId, Found]:
    """Return those that have ended, as long as their parent does not know it yet: /proc tells how until then."""
    found = {}
    for id, identity in known.items():
        process = proc.find(identity) if isinstance(identity, ProcessIdentity) else None
        if process and process.dead and identity:
            status = ExitStatus(os.waitstatus_to_exitcode(process.wait_status))
            found[id] = Found(id, identity, status)
    return found


def strangers(root: Path, home_id: str, *, adopted: Iterable[InstanceId]) -> set[InstanceId]:
    """Return the ids of this home's instances that left a process or a folder behind, but for those adopted."""
    marked = {
        proc.variable(process.pid, INSTANCE_MARKER)
        for process in proc.scan()
        if proc.variable(process.pid, HOME_MARKER) == home_id
    }
    folders = {folder.name for folder in root.iterdir()} if root.is_dir() else set()
    return {InstanceId(id) for id in marked | folders if id} - set(adopted)


def family_of(root: Path, id: InstanceId) -> Family:
    """Return the family of an instance whose leader nobody knows."""
    return Family(id, None, scratch=Scratch(root, id))


def _leader_of(root: Path, id: InstanceId, identity: Identity | None) -> ProcessIdentity | None:
    if identity is None:
        return family_of(root, id).find_leader()
    if not isinstance(identity, ProcessIdentity):
        return None
    process = proc.find(identity)
    return identity if process and not process.dead else None
