"""Starting the leader of an instance: what it gets as a value, and the one place that starts it."""

import errno
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paas.domain.build import Slug
from paas.domain.instance import InstanceSpec, ProcessIdentity
from paas.engines.process import kernel, proc
from paas.engines.process.scratch import Scratch
from paas.errors import DiskFullError, EngineUnavailableError, InvalidError, PaasError

INSTANCE_MARKER = "MINI_INSTANCE_ID"
HOME_MARKER = "MINI_HOME_ID"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
LOOPBACK = "127.0.0.1"

_SHELL = "/bin/sh"
_TAKE_TERMINAL = ': <"$1"; exec /bin/sh -c "$0"'
"""The leader of a session takes the first terminal that it opens as its own (credentials(7))."""


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a leader gets but its open files."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path


def launch_of(
    spec: InstanceSpec, slug: Slug, *, slug_folder: Path, scratch: Scratch, home_id: str, terminal: str | None
) -> Launch:
    """Return what the leader of `spec` gets; raises InvalidError for a command that nothing can run.

    The app's own variables win over the slug's, and only the two markers over the app's.
    """
    if not spec.command.strip() or "\0" in spec.command:
        raise InvalidError(
            f"The command of {spec.name} is empty or holds a NUL byte: write it in the Procfile."
        )
    given = {**dict(slug.environment), **dict(spec.environment)}
    folders = [str(slug_folder / folder) for folder in slug.path]
    environment = {
        "HOME": str(scratch.app),
        "TMPDIR": str(scratch.temporary),
        "HOST": LOOPBACK,
        **given,
        "PATH": ":".join([*folders, given.get("PATH", SYSTEM_PATH)]),
        INSTANCE_MARKER: spec.id,
        HOME_MARKER: home_id,
    }
    argv: tuple[str, ...] = (_SHELL, "-c", spec.command)
    if terminal is not None:
        argv = (_SHELL, "-c", _TAKE_TERMINAL, spec.command, terminal)
    return Launch(argv, environment, scratch.app)


def spawn(launch: Launch, *, stdin: int, output: int, lock: int) -> ProcessIdentity:
    """Start a leader in a session of its own and return who it is; raises OSError where the machine refuses.

    The caller closes its own three files.
    """
    kernel.forbid_new_privileges()
    process = subprocess.Popen(
        launch.argv,
        stdin=stdin,
        stdout=output,
        stderr=output,
        pass_fds=[lock],
        cwd=launch.folder,
        env=launch.environment,
        start_new_session=True,
        umask=0o022,
    )
    # From here on the pidfd alone decides when it is reaped. Popen must not: its destructor hands what still
    # runs to a list that every later Popen polls.
    process.returncode = 0
    kernel.confine(process.pid)
    identity = proc.identity(process.pid)
    if identity is None:
        raise EngineUnavailableError("A process that was just started cannot be seen in /proc: mount it.")
    return identity


def translated(error: OSError) -> PaasError:
    """Return what the kernel's refusal means to a user."""
    if error.errno == errno.E2BIG:
        return InvalidError(
            "The command and config are larger than the kernel takes: shorten a config value."
        )
    if error.errno == errno.ENOSPC:
        return DiskFullError()
    return EngineUnavailableError(f"The machine could not start an instance: {error.strerror}.")
