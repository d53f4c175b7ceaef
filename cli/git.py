"""The caller's git repository, through `git` itself. It never talks to the server but by `git push`."""

import errno
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.target import Target
from paas.errors import DiskFullError, InvalidError, PaasError

REMOTE = "mini"
_SCHEME = "mini::"
_DEPLOYED = ("main", "master")
"""The branches that the server deploys; another one is stored."""
_UPLOAD_LIMIT = 1800.0
_LIMIT = 60.0
_OVERTAKEN = "reference already exists"
"""What the server's git says of a commit that another push has stored since this one began."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A commit that is to be pushed, and the name it was asked for by."""

    commit: str
    ref: str
    folder: Path

    @property
    def short(self) -> str:
        return self.commit[:7]


def top_folder() -> Path | None:
    """Return the work tree that we are in, or None outside a repository."""
    answer = _git("rev-parse", "--show-toplevel")
    return Path(answer.stdout.strip()) if answer.returncode == 0 else None


def app_of_remote() -> str | None:
    """Return the app that the remote `mini` of this repository names, or None."""
    answer = _git("config", "--get", f"remote.{REMOTE}.url")
    url = answer.stdout.strip()
    return url.removeprefix(_SCHEME) if answer.returncode == 0 and url.startswith(_SCHEME) else None


def has_remote() -> bool:
    """Return whether this repository has a remote `mini` already, wherever it points."""
    return _git("config", "--get", f"remote.{REMOTE}.url").returncode == 0


def add_remote(app: str) -> None:
    """Add the remote `mini` for `app`."""
    _must("remote", "add", REMOTE, _SCHEME + app)


def point_remote(app: str) -> None:
    """Make the remote `mini` name `app`."""
    _must("remote", "set-url", REMOTE, _SCHEME + app)


def drop_remote() -> None:
    """Remove the remote `mini`."""
    _must("remote", "remove", REMOTE)


def deploying_refspec() -> str:
    """Return what `git push mini` is to be given to deploy the branch that we are on: only main and master are deployed."""
    branch = _git("symbolic-ref", "--quiet", "--short", "HEAD").stdout.strip()
    return branch if branch in _DEPLOYED else f"{branch or 'HEAD'}:{_DEPLOYED[0]}"


def resolve(ref: str) -> Pushed:
    """Return the commit that `ref` names here; raises InvalidError where there is none, saying what to do."""
    if ref.startswith("-"):
        raise _unresolved(ref)
    branch = ("--abbrev-ref", "HEAD") if ref == "HEAD" else ()
    answer = _git("rev-parse", "--show-toplevel", f"{ref}^{{commit}}", *branch)
    said, name = answer.stdout.removesuffix("\n"), ref
    if branch:
        said, _, name = said.rpartition("\n")
    folder, _, commit = said.rpartition("\n")
    if answer.returncode != 0 or not commit.isalnum():
        raise _unresolved(ref)
    return Pushed(commit=commit, ref=name, folder=Path(folder))


@contextmanager
def changes() -> Iterator[Callable[[], bool]]:
    """Yield what waits for git's word whether the work tree has changes that are not committed: git reads all of it,
    beside whatever the caller does."""
    with _started("status", "--porcelain") as status:
        try:
            yield lambda: bool(_ended(status, "status").stdout.strip())
        finally:  # nobody may want to know any more
            status.kill()


def _unresolved(ref: str) -> InvalidError:
    if top_folder() is None:
        return InvalidError("This folder is in no git repository. Run `git init`, commit, and push again.")
    if ref.startswith("-"):
        return InvalidError(f"{ref!r} is no commit, branch or tag.")
    if _git("rev-parse", "--verify", "--quiet", "HEAD").returncode != 0:
        return InvalidError("There is no commit here yet. Commit something, then push again.")
    return InvalidError(f"{ref!r} names no commit of this repository.")


def upload(target: Target, app: str, find: Callable[[], Pushed]) -> Pushed:
    """Store the commit that `find` returns in the app's repository on the server, deploying nothing, and return it; the
    way there opens meanwhile. Raises PaasError with git's reason, and what `find` raises."""
    pushed, answer = _sent(target, app, find)
    if _OVERTAKEN in answer.stderr:
        pushed, answer = _sent(target, app, lambda: pushed)
    if answer.returncode != 0:
        if os.strerror(errno.ENOSPC) in answer.stderr:
            raise DiskFullError
        raise InvalidError(f"The commit was not taken: {_reason(answer.stderr)}")
    return pushed


def _sent(
    target: Target, app: str, find: Callable[[], Pushed]
) -> "tuple[Pushed, subprocess.CompletedProcess[str]]":
    from cli.tunnel import tunnel  # every command asks git for the app, and only this one needs it

    # Over a socket of our own and not by `git-remote-mini`, which would be one more Python to start.
    with tunnel(target, app) as end:
        pushed = find()
        # No pre-push hook: such a hook (that of git-lfs, say) would talk to a remote that it cannot know.
        answer = _git(
            *("-c", "protocol.fd.allow=always"),  # which a careful user's git forbids
            "push",
            "--quiet",
            "--no-verify",
            f"fd::{end.fileno()}/{app}",
            f"{pushed.commit}:refs/mini/commits/{pushed.commit}",
            keeping=(end.fileno(),),
            limit=_UPLOAD_LIMIT,
        )
    return pushed, answer


def folder_as_name(folder: Path) -> str:
    """Return a folder's name made into an app's name: `My_Shop 2` is `my-shop-2`; raises InvalidError if nothing is left."""
    words = re.sub(r"[^a-z0-9]+", "-", folder.name.lower())
    name = re.sub(r"^[^a-z]+", "", words)[:30].strip("-")
    if len(name) < 2:
        raise InvalidError(
            f"No app name can be made of the folder {folder.name!r}. Type `mini create NAME` first."
        )
    return name


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    for speaker in ("mini:", "remote:", "fatal:", "error:"):
        said = [line.removeprefix(speaker).strip(" !") for line in lines if line.startswith(speaker)]
        if any(said):
            return " ".join(filter(None, said))
    return " ".join(lines[-1:]) or "git gave no reason."


def _must(*arguments: str) -> None:
    answer = _git(*arguments)
    if answer.returncode != 0:
        raise PaasError(f"git {' '.join(arguments)} failed: {_reason(answer.stderr)}")


def _git(
    *arguments: str, keeping: tuple[int, ...] = (), limit: float = _LIMIT
) -> "subprocess.CompletedProcess[str]":
    with _started(*arguments, keeping=keeping) as process:
        return _ended(process, arguments[0], limit=limit)


def _started(*arguments: str, keeping: tuple[int, ...] = ()) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(
            ["git", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=keeping,
        )
    except FileNotFoundError:
        raise PaasError("git is not installed. Install it, and try again.") from None


def _ended(
    process: "subprocess.Popen[str]", command: str, *, limit: float = _LIMIT
) -> "subprocess.CompletedProcess[str]":
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.kill()
        raise PaasError(f"git {command} did not end within {limit:.0f} s.") from None
    except BaseException:
        process.kill()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
