"""The pre-receive hook: git asks here whether a push is taken, while its objects are in quarantine.

What git starts is a few lines of shell, since every push waits for its start: it passes git's question on over one pipe,
and what comes back over another to whoever pushes. Who does not answer refuses; of a refused push nothing stays.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from builds.git import Git, Quarantine
from builds.tree import check_limits, read_tree
from builds.updates import Update, parse_updates
from paas.errors import InvalidError, PaasError
from paas.threads import in_thread

SCRIPT = """\
#!/bin/sh
# git has put what was pushed into quarantine. mini's control plane, at the other ends of two pipes, says what becomes of it.
{ printf '%s\\n' "$GIT_QUARANTINE_PATH" && cat && echo; } >"/proc/self/fd/$MINI_HOOK_ASKS" || exit 1
while IFS= read -r line; do
    case $line in
        taken) exit 0 ;;
        refused) exit 1 ;;
        *) printf '%s\\n' "${line#|}" >&2 ;;
    esac
done <"/proc/self/fd/$MINI_HOOK_HEARS"
echo ' !     The control plane went away during the push; push again.' >&2
exit 1
"""

_QUESTION_LIMIT = 4 * 1024 * 1024

Say = Callable[[str], Awaitable[None]]
"""Shows a line to who pushes; raises ConnectionError where nobody is left to see it."""


@dataclass(frozen=True, slots=True)
class Push:
    """What a push would change. Without objects of its own, as where it only deletes, it has no quarantine."""

    updates: list[Update]
    quarantine: Quarantine | None


Decide = Callable[[Push, Say], Awaitable[bool]]
"""Returns whether a push that is within the limits is taken; raises a PaasError that says why it is not."""


class Hook:
    """The control plane's ends of the pipes to one push's hook. Enter it before git is started, leave it when git has
    ended."""

    def __init__(self) -> None:
        self._asks = self._hears = -1

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._question = asyncio.StreamReader(limit=_QUESTION_LIMIT)
        with ExitStack() as unless_whole:  # where descriptors run out, these are the last to keep
            unless_whole.callback(self.handed_over)
            asked, self._asks = os.pipe()
            asking = unless_whole.enter_context(os.fdopen(asked, "rb", buffering=0))
            self._hears, told = os.pipe()
            answering = unless_whole.enter_context(os.fdopen(told, "wb", buffering=0))
            self._listening, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(self._question), asking
            )
            unless_whole.callback(self._listening.close)
            telling, protocol = await loop.connect_write_pipe(
                lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), answering
            )
            unless_whole.pop_all()
        self._telling = asyncio.StreamWriter(telling, protocol, None, loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        self._telling.close()
        self.handed_over()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What git is to inherit."""
        return (self._asks, self._hears)

    @property
    def environment(self) -> dict[str, str]:
        """What tells the hook of them."""
        return {"MINI_HOOK_ASKS": str(self._asks), "MINI_HOOK_HEARS": str(self._hears)}

    def handed_over(self) -> None:
        """Give up the ends that git has inherited by now: they are to end with it."""
        for descriptor in self.descriptors:
            if descriptor >= 0:
                os.close(descriptor)
        self._asks = self._hears = -1

    async def answer(self, directory: Path, decide: Decide) -> None:
        """Answer git's question about a push into the repository at `directory`, if it comes to ask one: what breaks the
        limits is refused, of anything else `decide` says. Where this raises, the push is refused."""
        try:
            taken = await self._taken(directory, decide)
            self._telling.write(b"taken\n" if taken else b"refused\n")
        except ConnectionError:
            pass  # git was ended, and the hook with it
        finally:
            self._telling.close()

    async def _taken(self, directory: Path, decide: Decide) -> bool:
        try:
            push = await self._asked(directory)
            await in_thread(_judge, directory, push)
            return await decide(push, self._say)
        except PaasError as error:
            await self._say(f" !     {error.message}")
            return False

    async def _asked(self, directory: Path) -> Push:
        try:
            text = (await self._question.readuntil(b"\n\n")).decode(errors="replace")
        except asyncio.IncompleteReadError as error:  # git refused the push by itself, or was ended
            raise ConnectionResetError from error
        except asyncio.LimitOverrunError as error:
            self._listening.close()  # the hook still writes
            raise InvalidError("The push changes too many refs at once. Push one branch.") from error
        objects, _, updates = text.partition("\n")
        path = (directory / objects).resolve() if objects else None
        quarantine = Quarantine(str(path), str(path.parent)) if path else None
        return Push(parse_updates(updates.strip("\n")), quarantine)

    async def _say(self, text: str) -> None:
        self._telling.writelines(f"|{line}\n".encode() for line in text.split("\n"))
        await self._telling.drain()


def _judge(directory: Path, push: Push) -> None:
    for update in push.updates:
        if not update.deletes:
            check_limits(read_tree(Git(directory, push.quarantine), update.new))
