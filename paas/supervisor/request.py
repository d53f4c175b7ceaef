"""One HTTP request of a health check, over asyncio streams. It follows no redirect and keeps no connection."""

import asyncio

from paas.domain.process import Check

_BODY_LIMIT = 1 << 20
_HEAD_LIMIT = 64 * 1024


async def ask(address: str, check: Check, *, host: str, timeout: float) -> str | None:
    """Return None where the instance answers `check` as it should within `timeout`, else what went wrong."""
    try:
        async with asyncio.timeout(timeout):
            status, body = await _get(
                address, check.path or "/", host=host, wants_body=check.content is not None
            )
    except TimeoutError:
        return f"did not answer GET {check.path} within {timeout:g} s"
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return f"gave no answer to GET {check.path}: {str(error) or 'the connection was closed'}"
    if not 200 <= status < 400:
        return f"answered GET {check.path} with {status}"
    if check.content is not None and check.content.encode() not in body:
        return f"answered GET {check.path} without {check.content!r} in it"
    return None


async def connects(port: int) -> bool:
    """Return whether anything at all listens on `port` of this machine's loopback address."""
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _get(address: str, path: str, *, host: str, wants_body: bool) -> tuple[int, bytes]:
    name, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(name.strip("[]"), int(port), limit=_HEAD_LIMIT)
    try:
        writer.write(_request(path, host))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        body = (
            await _body(reader, chunked="transfer-encoding: chunked" in head.lower()) if wants_body else b""
        )
        return int(head.split(" ", 2)[1][:3]), body
    except IndexError:
        raise ValueError("it is not HTTP") from None
    finally:
        writer.close()


def _request(path: str, host: str) -> bytes:
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: mini", "Accept: */*", "Connection: close")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


async def _body(reader: asyncio.StreamReader, *, chunked: bool) -> bytes:
    """Return the body's first MiB; an instance that keeps the connection open is cut off by the time limit."""
    if not chunked:
        return await _up_to_the_limit(reader)
    body = b""
    while len(body) < _BODY_LIMIT:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            break
        if not 0 < size <= _BODY_LIMIT:
            raise ValueError("a chunk of its body is too large")
        body += (await reader.readexactly(size + 2))[:-2]
    return body


async def _up_to_the_limit(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) < _BODY_LIMIT and (block := await reader.read(_HEAD_LIMIT)):
        body += block
    return body
