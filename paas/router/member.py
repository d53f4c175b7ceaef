"""One place for a router process: its control socket, its FIFO, and who has the place now. It decides nothing."""

import re
from contextlib import suppress
from dataclasses import dataclass

from paas.errors import UnreachableError
from paas.router.client import Found, RouterClient
from paas.router.process import RouterProcess
from paas.settings import Settings

_SOCKET = re.compile(r"router-([0-9]+)\.sock")


@dataclass(slots=True, eq=False)
class Member:
    """A place with its process; without one while none runs there."""

    slot: int
    client: RouterClient
    process: RouterProcess | None = None

    @classmethod
    def at(cls, slot: int, settings: Settings) -> "Member":
        """Return a place that nobody has yet."""
        return cls(slot, RouterClient(settings.router_socket(slot)))

    @property
    def living(self) -> RouterProcess | None:
        """Its process, where one runs now."""
        return self.process if self.process is not None and not self.process.ended else None


async def find_members(settings: Settings) -> list[tuple[Member, Found]]:
    """Return every router of this home that answers on its socket, with what it says of itself. One that has the socket
    and does not answer is ended: it would go on with an old table, and nobody could reach it."""
    found = []
    for slot in sorted(_slots(settings)):
        member = Member.at(slot, settings)
        with suppress(UnreachableError):
            member.process = await RouterProcess.find(member.client)
            try:
                found.append((member, await member.client.hello()))
            except UnreachableError:
                await _end(member.process)
    return found


async def _end(process: RouterProcess) -> None:
    process.kill()
    await process.wait()
    process.close()


def _slots(settings: Settings) -> list[int]:
    folder = settings.router_socket(0).parent
    return [int(match[1]) for path in folder.iterdir() if (match := _SOCKET.fullmatch(path.name))]
