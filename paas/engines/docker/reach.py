"""Whether anything answers at an address, for containers whose sockets cannot be seen from here."""

import asyncio

_LIMIT = 1.0
_STAYS = 0.1
"""Docker's proxy accepts for an app that does not listen, and hangs up as soon as it has found that out."""


async def accepts(address: str) -> bool:
    """Return whether a connection to `address` is made, and stays."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_LIMIT):
            reader, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError):
        return False
    try:
        async with asyncio.timeout(_STAYS):
            return bool(await reader.read(1))
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        writer.close()
