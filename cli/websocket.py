"""Opening a WebSocket of the API, local or remote. It knows nothing of what is said on it."""

from typing import TYPE_CHECKING

from cli.target import LocalTarget, Target

if TYPE_CHECKING:
    from websockets.asyncio.client import connect

MESSAGE_LIMIT = 4 * 1024 * 1024
OPEN_LIMIT = 30.0


def open_websocket(target: Target, path: str) -> "connect":
    """Return a WebSocket to `path` that is open inside its `async with`; failing to open raises as websockets does."""
    from websockets.asyncio.client import connect, unix_connect

    # No proxy: the API is on this machine, or is named by an address that is meant.
    if isinstance(target, LocalTarget):
        return unix_connect(
            str(target.socket),
            f"ws://localhost{path}",
            max_size=MESSAGE_LIMIT,
            open_timeout=OPEN_LIMIT,
            compression=None,
            proxy=None,
        )
    scheme = "wss" if target.tls else "ws"
    headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}
    return connect(
        f"{scheme}://{target.host}:{target.port}{path}",
        additional_headers=headers,
        max_size=MESSAGE_LIMIT,
        open_timeout=OPEN_LIMIT,
        compression=None,
        proxy=None,
    )
