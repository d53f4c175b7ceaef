"""The release phase: the Procfile's `release` command, once, in the new release and its config, before the switch.

It never decides what becomes of the release: it returns, or says why it failed.
"""

from collections.abc import AsyncIterator

from paas.clock import Clock
from paas.domain.app import App
from paas.domain.instance import ExitStatus
from paas.domain.log import LINE_LIMIT
from paas.domain.names import RELEASE
from paas.domain.release import Release
from paas.engines.base import Attachment
from paas.errors import OperationTimedOutError, ReleaseFailedError, RunFailedError
from releases.deadline import within
from releases.ports import Say, SupervisorPart

RELEASE_PHASE_LIMIT = 3600.0
"""Seconds that a release command may take: long migrations are its purpose."""


async def run_release_phase(
    app: App, release: Release, *, command: str, supervisor: SupervisorPart, clock: Clock, say: Say
) -> None:
    """Return when the release command has ended well; each of its lines goes to `say`, and to the app's log.

    Raises ReleaseFailedError for any other exit, and OperationTimedOutError over RELEASE_PHASE_LIMIT.
    """
    try:
        one_off = await supervisor.attach(
            app, release, command=command, type=RELEASE, environment={}, terminal=None
        )
        async with one_off:
            status = await within(_watch(one_off.attachment, say), RELEASE_PHASE_LIMIT, clock=clock)
    except TimeoutError:
        raise OperationTimedOutError(
            f"release command was still running after {RELEASE_PHASE_LIMIT:g} s and was ended"
        ) from None
    except RunFailedError as error:
        raise ReleaseFailedError(f"release command failed: {error.message}") from error
    if status.code != 0:
        raise ReleaseFailedError(f"release command failed ({status})")


async def _watch(attachment: Attachment, say: Say) -> ExitStatus:
    await attachment.close_input()
    async for line in lines(attachment.output()):
        say(line)
    return await attachment.wait()


async def lines(blocks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Yield the lines that arrive in blocks, one over LINE_LIMIT in parts; the last needs no end."""
    rest = b""
    async for block in blocks:
        *complete, rest = (rest + block).split(b"\n")
        for line in complete:
            yield _text(line)
        while len(rest) >= LINE_LIMIT:
            yield _text(rest[:LINE_LIMIT])
            rest = rest[LINE_LIMIT:]
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
