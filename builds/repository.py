"""The bare repositories, one per app. This module makes, removes and reads them; it takes no push itself."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Lock

from builds.git import Git, GitError, Quarantine, git_environment, receive_pack_argv
from builds.hook import SCRIPT
from builds.source import Source
from paas.domain.ids import AppId, Commit
from paas.errors import InvalidError, NotFoundError
from paas.settings import Settings
from paas.threads import in_thread

_COMMIT_ISH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@~^{}-]{0,255}")


class Repositories:
    """Where each app's pushed commits are kept. Safe to use from the event loop: git runs on threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._making = Lock()

    def path(self, app: AppId) -> Path:
        """Return the app's repository; it may not have been made yet."""
        return self._settings.repositories / f"{app}.git"

    async def ensure(self, app: AppId) -> None:
        """Make the app's repository and the hooks of all of them, where they are not there. Repeating is fine."""
        await in_thread(self._ensure, app)

    async def remove(self, app: AppId) -> None:
        """Remove the app's repository; nothing where there is none."""
        await in_thread(shutil.rmtree, self.path(app), ignore_errors=True)

    async def resolve(self, app: AppId, commit_ish: str, *, quarantine: Quarantine | None = None) -> Commit:
        """Return the commit that a branch, tag or id names; raises InvalidError or NotFoundError."""
        return await in_thread(self._resolve, Git(self.path(app), quarantine), commit_ish)

    @asynccontextmanager
    async def source(
        self, app: AppId, commit: Commit, *, quarantine: Quarantine | None = None
    ) -> AsyncIterator[Callable[[], Awaitable[Source]]]:
        """Begin to open the commit's source, and close it at the end. What is yielded returns it, or raises
        BuildFailedError where its tree is refused; until that is called, the caller may do something else."""
        opening = asyncio.ensure_future(in_thread(Source, Git(self.path(app), quarantine), commit))
        try:
            yield lambda: asyncio.shield(opening)
        finally:  # the thread goes on, and what it opens is nobody's
            opening.add_done_callback(_close)

    async def log(self, app: AppId, *, since: Commit, until: Commit, limit: int = 50) -> list[str]:
        """Return one line for each commit after `since` up to `until`, newest first; none where they are unrelated."""
        return await in_thread(self._log, Git(self.path(app)), since, until, limit)

    def receive_pack_argv(self, app: AppId) -> list[str]:
        """Return the command that takes one push over its standard input and output."""
        return receive_pack_argv(self.path(app), hooks=self._hooks)

    def receive_pack_environment(self, *, actor: str) -> dict[str, str]:
        """Return its environment, with who pushes, for git's reflog."""
        return git_environment() | {"GIT_COMMITTER_NAME": actor, "GIT_COMMITTER_EMAIL": "mini"}

    @property
    def _hooks(self) -> Path:
        return self._settings.repositories / "hooks"

    def _ensure(self, app: AppId) -> None:
        directory = self.path(app)
        with self._making:
            self._settings.repositories.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._write_hook()
            if (directory / "HEAD").exists():
                return
            making = directory.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            _initialise(making)
            making.rename(directory)

    def _write_hook(self) -> None:
        """Write `pre-receive` where it is not as it should be: an earlier mini may have written another one."""
        hook = self._hooks / "pre-receive"
        if hook.exists() and hook.read_text() == SCRIPT:
            return
        self._hooks.mkdir(mode=0o700, exist_ok=True)
        self._hooks.chmod(0o700)
        written = self._hooks / f"pre-receive.{os.getpid()}"
        written.write_text(SCRIPT)
        written.chmod(0o500)
        written.rename(hook)
        self._hooks.chmod(0o500)

    def _resolve(self, git: Git, commit_ish: str) -> Commit:
        if not _COMMIT_ISH.fullmatch(commit_ish):
            raise InvalidError(f"{commit_ish!r} is no name of a commit: give a branch, a tag or an id.")
        # Over standard input a name can never be an option.
        answer = (
            git.run("cat-file", "--batch-check", given=f"{commit_ish}^{{commit}}\n".encode()).decode().split()
        )
        if len(answer) == 3 and answer[1] == "commit":
            return Commit(answer[0])
        if answer[-1:] == ["ambiguous"]:
            raise InvalidError(f"{commit_ish!r} begins more than one commit's id; give more digits.")
        raise NotFoundError(f"There is no commit {commit_ish!r} in the app's repository; push it first.")

    def _log(self, git: Git, since: Commit, until: Commit, limit: int) -> list[str]:
        try:
            git.run("merge-base", "--is-ancestor", since, until)
            shown = git.run(
                "log", f"-{limit}", "--format=%h %s", "--end-of-options", f"{since}..{until}", "--"
            )
        except GitError:
            return []
        return shown.decode(errors="replace").splitlines()


def _close(opened: "asyncio.Future[Source]") -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()


def _initialise(directory: Path) -> None:
    """Make an empty bare repository without templates, so without a single hook."""
    directory.mkdir(mode=0o700)
    Git(directory).run("init", "--bare", "--quiet", "--template=", "--initial-branch=main")
