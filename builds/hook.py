"""The pre-receive hook: what may be pushed, and the deployment that a push to main asks the control plane for.

It runs as `python -I -m builds.hook`, started by git in the app's repository while the pushed objects are in
quarantine: exit code 1 refuses the push and nothing of it stays. It writes nothing itself; standard library alone.
"""

import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from builds.git import Git, Quarantine
from builds.tree import check_limits, read_tree
from paas.errors import InvalidError, OperationCancelledError, PaasError

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
    def deletes(self) -> bool:
        return not self.new.strip("0")

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")


def parse_updates(text: str) -> list[Update]:
    """Return the updates that git names on standard input; raises InvalidError for a ref that mini does not take."""
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


def main() -> None:
    """Judge one push; exits 0 to take it and 1 to refuse it."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        sys.exit(0 if _receive(sys.stdin.read()) else 1)
    except OperationCancelledError:
        sys.exit(1)
    except PaasError as error:
        _say(f" !     {error.message}")
        sys.exit(1)


def _receive(text: str) -> bool:
    """Return whether the push is taken."""
    updates = parse_updates(text)
    # git starts the hook in the repository, with the quarantine in its environment.
    directory = Path(os.environ["GIT_DIR"]).resolve()
    quarantine = _quarantine()
    for update in updates:
        if not update.deletes:
            check_limits(read_tree(Git(directory, quarantine), update.new))
    if os.environ.get("MINI_PUSH_DEPLOY") != "1":
        return True
    deployed = to_deploy(updates)
    for update in updates:
        if update is not deployed and not update.deletes and not _STORED_COMMIT.fullmatch(update.ref):
            _say(
                f" !     {update.branch} is stored, not deployed. To deploy it: git push mini {update.branch}:main"
            )
    return deployed is None or _deploy(deployed, quarantine)


def _deploy(update: Update, quarantine: Quarantine | None) -> bool:
    from builds.control import ControlPlane  # its imports take longer than judging a push that is only stored

    plane = ControlPlane(os.environ["MINI_CONTROL_SOCKET"], app=os.environ["MINI_PUSH_APP"])
    deployment = plane.deploy(update.new, ref=update.branch, quarantine=quarantine)
    line = ""
    try:
        for line in plane.output(deployment):
            _say(line)
        outcome = plane.outcome(deployment)
    except (OperationCancelledError, BrokenPipeError):
        plane.cancel(deployment)
        return False
    if outcome.succeeded:
        _say(f"v{outcome.release}  {outcome.url}")
    elif outcome.reason not in line:
        _say(f" !     {outcome.reason}")
    return outcome.succeeded


def _quarantine() -> Quarantine | None:
    objects = os.environ.get("GIT_QUARANTINE_PATH")
    if objects is None:
        return None
    return Quarantine(str(Path(objects).resolve()), str(Path(objects).resolve().parent))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
    raise OperationCancelledError


if __name__ == "__main__":
    main()
