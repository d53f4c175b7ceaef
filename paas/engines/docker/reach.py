"""Whether a container answers at its address, or at the port that Docker publishes for it."""

import asyncio
from asyncio import StreamReader, StreamWriter

_LIMIT = 1.0
_STAYS = 0.1
"""Docker's proxy accepts for an app that does not listen, and hangs up as soon as it has found that out."""


async def listens(address: str) -> bool:
    """Return whether a connection to a container's own address is made; only what listens there can take it."""
    if connection := await _connect(address):
        connection[1].close()
    return connection is not None


async def stays(address: str) -> bool:
    """Return whether a connection to a published port is made, and stays."""
    connection = await _connect(address)
    if connection is None:
        return False
    reader, writer = connection
    try:
        async with asyncio.timeout(_STAYS):
            return bool(await reader.read(1))
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        writer.close()


async def _connect(address: str) -> tuple[StreamReader, StreamWriter] | None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_LIMIT):
            return await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return None
