"""A ping: whether a Docker daemon answers right now. It says nothing of what runs there."""

import asyncio

from paas.engines.docker.hijack import Door, connected

_LIMIT = 1.0
_REQUEST = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"


async def ping(door: Door, *, within: float = _LIMIT) -> None:
    """Return once it has answered; raises OSError or TimeoutError.

    It has a connection of its own, since all others may be held up by questions that were asked before.
    """
    async with asyncio.timeout(within):
        connection = await connected(door)
        try:
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, _REQUEST)
            if not await loop.sock_recv(connection, len(_REQUEST)):
                raise ConnectionResetError("it ended the connection")
        finally:
            connection.close()
