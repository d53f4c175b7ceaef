"""Builds by `docker buildx`: quicker than Docker's classic builder, and with caches that outlive a build. It is used
where the machine has it, and never needed. It decides nothing about images.

What goes into an image is the same either way: the context is written to a folder here, since BuildKit heeds a
.dockerignore in a folder alone.
"""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp

from builds.base import Say
from builds.context import Context
from builds.daemon import THIS_MACHINE, ImageRequest
from builds.progress import Progress
from builds.shell import CommandFailedError, Shell
from builds.source import Source
from builds.steps import disk_full
from paas.errors import BuildFailedError, DiskFullError
from paas.threads import in_thread

_DRIVER = "docker"
"""The driver that builds within the daemon, where its images are; any other would need a registry between the two."""
_PASSED = (
    "HOME",
    "PATH",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


def inspect_argv() -> tuple[str, ...]:
    """Return the command that says where the default builder builds."""
    return ("docker", "buildx", "inspect", "default")


def build_argv(request: ImageRequest, folder: Path) -> tuple[str, ...]:
    """Return the command that builds what is in `folder`. The values of arguments are in its environment alone."""
    return (
        *("docker", "buildx", "build", "--builder", "default", "--load", "--progress", "plain"),
        *("--tag", request.tag, "--file", str(folder / request.dockerfile)),
        *(word for name in sorted(request.arguments) for word in ("--build-arg", name)),
        *(() if request.cached else ("--no-cache",)),
        str(folder),
    )


class Buildx:
    """The `docker buildx` that `environ` leads to, if any. Contexts are written below `scratch`."""

    def __init__(self, environ: Mapping[str, str], *, scratch: Path) -> None:
        self._environment = {
            **{name: environ[name] for name in _PASSED if name in environ},
            "DOCKER_HOST": environ.get("DOCKER_HOST") or THIS_MACHINE,
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }
        self._scratch = scratch
        self._asking = asyncio.Lock()
        self._clean = False
        self._works = False

    async def works(self) -> bool:
        """Return whether it is here and builds within the daemon; asked until it does: a daemon that was restarting,
        or a buildx that was not installed yet, is no answer for good."""
        async with self._asking:
            if not self._clean:
                await in_thread(shutil.rmtree, self._scratch, ignore_errors=True)
                self._clean = True
            self._works = self._works or await self._answers()
            return self._works

    async def build(
        self, request: ImageRequest, context: Context, source: Source, *, modified: int, say: Say
    ) -> None:
        """Build to the end; raises BuildFailedError, DiskFullError. Cancelling it ends the build in the daemon too."""
        progress = Progress()

        def take(line: str) -> None:
            for shown in progress.read(line):
                say(shown)

        shell = Shell({**self._environment, **request.arguments}, say=take)
        await in_thread(self._scratch.mkdir, parents=True, exist_ok=True)
        folder = Path(await in_thread(mkdtemp, dir=self._scratch))
        try:
            await context.write(source, folder, modified=modified)
            await shell.run(*build_argv(request, folder), folder=folder)
            for shown in progress.end():
                say(shown)
        except CommandFailedError as error:
            raise progress.failure(error.lines) from error
        except DiskFullError as error:
            raise disk_full() from error
        except OSError:
            self._works = False  # the command may have gone
            raise
        finally:
            await asyncio.shield(in_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _answers(self) -> bool:
        shell = Shell(self._environment, say=lambda _: None)
        try:
            said = await shell.ask(*inspect_argv(), folder=Path("/"))
        except (BuildFailedError, OSError):
            return False
        return any(line.split() == ["Driver:", _DRIVER] for line in said.splitlines())
