"""Running git on our own bare repositories, so that nothing a user pushed or configured is ever executed.

It never fetches, checks out or recurses into submodules.
"""

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from paas.domain.ids import Commit
from paas.errors import InvalidError, OperationTimedOutError, PaasError

GIT_TIME_LIMIT = 120.0

_COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_SETTINGS = (
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "protocol.allow=never",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
)

_RECEIVE_SETTINGS = (
    "core.logAllRefUpdates=always",
    "transfer.fsckObjects=true",
    "receive.shallowUpdate=true",
    "receive.maxInputSize=1073741824",
    "receive.autogc=false",
    "receive.denyNonFastForwards=false",
    "receive.advertisePushOptions=false",
)

# Old tools wrote these into histories that are harmless and cannot be changed any more.
_KNOWN_BENIGN = (
    "badFilemode",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeEmail",
    "missingTaggerEntry",
    "multipleAuthors",
    "zeroPaddedFilemode",
)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Where git keeps the objects of a push that is not accepted yet (git-receive-pack(1), quarantine)."""

    object_directory: str
    alternates: str

    def environment(self, directory: Path) -> dict[str, str]:
        """Return what shows those objects to git; raises InvalidError where they are not of that repository."""
        objects = (directory / "objects").resolve()
        inside = Path(self.object_directory).resolve()
        known = inside.parent == objects and inside.name.startswith(("tmp_objdir-", "incoming-"))
        if not known or any(
            Path(entry).resolve() != objects for entry in self.alternates.split(":") if entry
        ):
            raise InvalidError(
                f"{self.object_directory!r} is no quarantine of this app's repository; push again."
            )
        return {"GIT_OBJECT_DIRECTORY": str(inside), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects)}


class GitError(PaasError):
    """git failed on one of mini's own repositories. Look into `mini server logs`."""

    code = "internal"


@dataclass(frozen=True, slots=True)
class Git:
    """One bare repository, with the objects of a push under way where there is one."""

    directory: Path
    quarantine: Quarantine | None = None

    def argv(self, *arguments: str) -> list[str]:
        """Return the command for a git command that reads: no hook runs."""
        return git_argv(self.directory, *arguments, settings=("core.hooksPath=/dev/null",))

    def environment(self) -> dict[str, str]:
        """Return the environment for it: nothing of the server's but PATH."""
        quarantine = self.quarantine.environment(self.directory) if self.quarantine else {}
        return git_environment() | quarantine

    def run(self, *arguments: str, given: bytes = b"", time_limit: float = GIT_TIME_LIMIT) -> bytes:
        """Return what git wrote; raises GitError with its words, OperationTimedOutError after `time_limit`."""
        with self.start(*arguments) as process:
            return self.answer(process, arguments[0], given=given, time_limit=time_limit)

    def answer(
        self,
        process: subprocess.Popen[bytes],
        command: str,
        *,
        given: bytes,
        time_limit: float = GIT_TIME_LIMIT,
    ) -> bytes:
        """Return what a git command that was started wrote, once it was given its input; raises as `run` does."""
        try:
            output, complaint = process.communicate(given, timeout=time_limit)
        except subprocess.TimeoutExpired as error:
            end_group(process)
            message = f"git {command} took longer than {time_limit:g} s and was ended; try again."
            raise OperationTimedOutError(message) from error
        if process.returncode:
            words = complaint.decode(errors="replace").strip()
            raise GitError(f"git {command} failed in {self.directory.name}: {words}")
        return output

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a git command with pipes, in a session of its own; the caller ends it."""
        return subprocess.Popen(
            self.argv(*arguments),
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def commit_id(text: str) -> Commit:
    """Return `text` as a full commit id; raises InvalidError."""
    if not _COMMIT_ID.fullmatch(text):
        raise InvalidError(f"{text!r} is no full commit id: 40 or 64 hexadecimal digits.")
    return Commit(text)


def git_argv(directory: Path, *arguments: str, settings: tuple[str, ...]) -> list[str]:
    """Return a git command for a repository with mini's own settings in front of whatever its config says."""
    chosen = [part for setting in (*_SETTINGS, *settings) for part in ("-c", setting)]
    return ["git", f"--git-dir={directory}", *chosen, *arguments]


def git_environment() -> dict[str, str]:
    """Return the environment in which git reads no configuration but the repository's own."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def receive_pack_argv(directory: Path, *, hooks: Path) -> list[str]:
    """Return the command that takes a push: objects checked, size bounded, no hook but ours."""
    benign = tuple(f"receive.fsck.{message}=ignore" for message in _KNOWN_BENIGN)
    settings = (f"core.hooksPath={hooks}", *_RECEIVE_SETTINGS, *benign)
    return [*git_argv(directory, settings=settings), "receive-pack", str(directory)]


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads its own group, and all of the group; nothing where it has ended and was waited for."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
