"""The refs that a push would change, and which of them mini takes. It reads what git names and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from paas.errors import InvalidError

_ID = r"(?:[0-9a-f]{40}|[0-9a-f]{64})"
_BRANCH = re.compile(r"refs/heads/[A-Za-z0-9_][A-Za-z0-9._/+@#-]{0,199}")
_STORED_COMMIT = re.compile(rf"refs/mini/commits/({_ID})")
_LINE = re.compile(rf"({_ID}) ({_ID}) (\S+)")
DEPLOYED = ("refs/heads/main", "refs/heads/master")


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that the push would change. An id of zeros stands for none."""

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")


def parse_updates(text: str) -> list[Update]:
    """Return the updates that git names, one a line; raises InvalidError for a ref that mini does not take."""
    updates = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            raise InvalidError(f"git named an update that cannot be read: {line!r}. Push one branch.")
        update = Update(*match.groups())
        _check_ref(update)
        updates.append(update)
    return updates


def to_deploy(updates: Sequence[Update]) -> Update | None:
    """Return the update that is deployed, if one is; raises InvalidError where there are two."""
    wanted = [update for update in updates if update.ref in DEPLOYED and not update.deletes]
    if len(wanted) > 1:
        raise InvalidError("main and master were pushed at once, and one of them can be deployed. Push one.")
    return wanted[0] if wanted else None


def only_stored(updates: Sequence[Update]) -> list[Update]:
    """Return the updates of branches that are stored and not deployed."""
    return [
        update
        for update in updates
        if not update.deletes and update.ref not in DEPLOYED and not _STORED_COMMIT.fullmatch(update.ref)
    ]


def _check_ref(update: Update) -> None:
    stored = _STORED_COMMIT.fullmatch(update.ref)
    if stored and not update.deletes and stored[1] != update.new:
        raise InvalidError(f"{update.ref} must hold the commit that it names.")
    if not stored and not _BRANCH.fullmatch(update.ref):
        raise InvalidError(
            f"mini takes branches alone, and no such name as {update.ref!r}. Push one: git push mini main."
        )
    if update.deletes and update.ref in DEPLOYED:
        raise InvalidError(f"{update.branch} is what is deployed; it cannot be deleted. Use `mini destroy`.")
