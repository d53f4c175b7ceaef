"""Opening a WebSocket of the API, local or remote. It knows nothing of what is said on it."""

from typing import TYPE_CHECKING, TypedDict

from cli.target import LocalTarget, RemoteTarget, Target

if TYPE_CHECKING:
    from websockets.asyncio.client import connect


class _Options(TypedDict):
    max_size: int
    open_timeout: float
    compression: None
    proxy: None


# No proxy: the API is on this machine, or is named by an address that is meant.
OPTIONS: _Options = {"max_size": 4 * 1024 * 1024, "open_timeout": 30.0, "compression": None, "proxy": None}


def local_uri(path: str) -> str:
    """Return what a server behind a unix socket is asked for."""
    return f"ws://localhost{path}"


def remote_uri(target: RemoteTarget, path: str) -> str:
    """Return where a server over TCP is asked for `path`."""
    return f"{'wss' if target.tls else 'ws'}://{target.host}:{target.port}{path}"


def headers(target: RemoteTarget) -> dict[str, str]:
    """Return what shows a server over TCP who asks."""
    return {"Authorization": f"Bearer {target.token}"} if target.token else {}


def open_websocket(target: Target, path: str) -> "connect":
    """Return a WebSocket to `path` that is open inside its `async with`; failing to open raises as websockets does."""
    from websockets.asyncio.client import connect, unix_connect

    if isinstance(target, LocalTarget):
        return unix_connect(str(target.socket), local_uri(path), **OPTIONS)
    return connect(remote_uri(target, path), additional_headers=headers(target), **OPTIONS)
