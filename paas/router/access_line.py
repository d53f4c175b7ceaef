"""The line of one request in Heroku's words, in the pieces that stay the same from one request to the next. Pure.

A line cannot be mistaken for another: no quote of a client's stands in it.
"""

from paas.router.refusal import Refusal

_PATH_LIMIT = 4096


def line_beginning(method: bytes, target: bytes, host: bytes, refusal: Refusal | None = None) -> bytes:
    """Return all of it up to the request id, of a request that ended well or for `refusal`."""
    # A target has printable ASCII only, or it was refused: what is left to escape is the quote.
    path = target
    if b'"' in path or len(path) > _PATH_LIMIT:
        path = path[:_PATH_LIMIT].replace(b'"', b"%22") + (
            b"\xe2\x80\xa6" if len(path) > _PATH_LIMIT else b""
        )
    at = b"at=info" if refusal is None else _error(refusal)
    return b"".join((at, b" method=", method, b' path="', path, b'" host=', host, b" request_id="))


def line_client(peer: str) -> bytes:
    """Return what follows the id: who asked."""
    return f' fwd="{peer}"'.encode("ascii")


def line_backend(instance: str, connect: float | None) -> bytes:
    """Return what follows, up to the milliseconds of service: who answered, where somebody was reached, and how many
    seconds that took."""
    milliseconds = "" if connect is None else f"{connect * 1000:.0f}ms"
    return f" instance={instance} connect={milliseconds} service=".encode()


def line_end(status: bytes, size: bytes) -> bytes:
    """Return what follows, the line's end included. `size` are bytes of the answer's body; both in digits."""
    return b"".join((b"ms status=", status, b" bytes=", size, b"\n"))


def _error(refusal: Refusal) -> bytes:
    code = f" code={refusal.code}" if refusal.code else ""
    return f'at=error{code} desc="{refusal.description}"'.encode()
