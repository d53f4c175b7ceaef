"""Keeps one log plane running and connected for as long as the control plane lives. It knows nothing of its requests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from paas.clock import Clock
from paas.errors import OperationTimedOutError
from paas.logs.connection import Listener, PlaneConnection
from paas.logs.process import LogProcess
from paas.logs.wire import PROTOCOL, Message, number
from paas.settings import Settings

log = logging.getLogger(__name__)

HELLO_LIMIT = 5.0
GOING_LIMIT = 2.0
"""How long a plane may take to end once its connection is lost, in seconds."""

STOP_LIMIT = 15.0
SOUND_AFTER = 0.02
"""A plane that was connected for so many seconds is started again at once."""

LONGEST_PAUSE = 5.0

Greeting = Callable[[PlaneConnection], Awaitable[None]]


class Keeper:
    """Starts or adopts the log plane, watches it, and starts it again whenever it dies.

    `greet` is called with every new connection, to say again what the plane has to know.
    """

    def __init__(self, settings: Settings, *, clock: Clock, greet: Greeting, listener: Listener) -> None:
        self._settings = settings
        self._clock = clock
        self._greet = greet
        self._listener = listener
        self._connection: PlaneConnection | None = None
        self._connected = asyncio.Event()
        self._process: LogProcess | None = None
        self._runner: asyncio.Task[None] | None = None
        self._is_leaving = False

    @property
    def pid(self) -> int | None:
        """The running plane's pid; None between two of them."""
        return self._process.pid if self._process else None

    @property
    def connection(self) -> PlaneConnection | None:
        """The connection, where there is one now."""
        return self._connection

    async def start(self, *, within: float) -> None:
        """Return once a log plane is there; raises OperationTimedOutError otherwise, and goes on trying."""
        self._runner = asyncio.create_task(self._run())
        await self._wait_until_connected(within)

    async def call(self, op: str, *, within: float, **fields: str | int) -> Message:
        """Return the answer to a request that may be repeated, which is done over every restart of the plane.

        Raises OSError for a refusal, OperationTimedOutError after `within` seconds.
        """
        deadline = self._clock.monotonic() + within
        while True:
            await self._wait_until_connected(deadline - self._clock.monotonic())
            if self._connection is None:
                continue
            with suppress(ConnectionError):
                return await self._connection.request(op, **fields)
            self._connected.clear()

    async def stop(self) -> None:
        """Stop the plane, which stores all that was written; kill it where it does not end in time."""
        if self._runner is None:
            return
        self._is_leaving = True
        request = asyncio.create_task(self.call("stop", within=STOP_LIMIT))
        await asyncio.wait([request, self._runner], return_when=asyncio.FIRST_COMPLETED)
        request.cancel()
        await asyncio.wait([request, self._runner], timeout=STOP_LIMIT)
        if self._process:
            self._process.kill()
        await self.detach()

    async def detach(self) -> None:
        """Let the plane run on without this control plane."""
        if self._runner:
            self._runner.cancel()
            await asyncio.wait([self._runner])
            self._runner = None

    async def _wait_until_connected(self, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                await self._connected.wait()
        except TimeoutError:
            where = self._settings.server_logs / "logs.log"
            raise OperationTimedOutError(f"The log plane does not answer. Look into {where}.") from None

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                process, connection = await self._reach()
                was_sound = await self._hold(process, connection)
            except (OSError, TimeoutError) as error:
                log.warning("log plane not reached", extra={"reason": str(error)})
                was_sound = False
            except Exception:  # the boundary: a plane that nobody keeps would be the last one
                log.exception("log plane not kept by a mistake of mini")
                was_sound = False
            if self._is_leaving:
                return
            failures = 0 if was_sound else failures + 1
            if failures:
                await self._clock.sleep(min(LONGEST_PAUSE, 0.02 * 2**failures))

    async def _reach(self) -> tuple[LogProcess, PlaneConnection]:
        path = self._settings.log_socket
        try:
            connection = await PlaneConnection.open(path, listener=self._listener)
        except (FileNotFoundError, ConnectionRefusedError):
            process = await LogProcess.launch(self._settings)
            log.info("log plane started", extra={"pid": process.pid})
            try:
                return process, await PlaneConnection.open(path, listener=self._listener)
            except OSError:
                process.close()
                raise
        try:
            process = LogProcess(connection.peer)
        except OSError:
            await connection.close()
            raise
        await self._recognise(process, connection)
        return process, connection

    async def _recognise(self, process: LogProcess, connection: PlaneConnection) -> None:
        """Raise OSError, with the process gone, unless it is a living log plane of this version."""
        try:
            async with asyncio.timeout(HELLO_LIMIT):
                if number(await connection.request("hello"), "version") == PROTOCOL:
                    return
                await connection.request("stop")
                await process.ended()
        except (OSError, TimeoutError):
            process.kill()
        await connection.close()
        process.close()
        raise ConnectionResetError(
            "The log plane that ran was of another version, or did not answer; it is gone."
        )

    async def _hold(self, process: LogProcess, connection: PlaneConnection) -> bool:
        """Return when the plane has ended: whether it was sound before."""
        self._process, self._connection = process, connection
        began = self._clock.monotonic()
        try:
            with suppress(ConnectionError):
                await self._greet(connection)
                self._connected.set()
                await connection.ended()
            self._connected.clear()
            await self._see_off(process)
        finally:
            self._connected.clear()
            self._process = self._connection = None
            await connection.close()
            process.close()
        return self._clock.monotonic() - began > SOUND_AFTER

    async def _see_off(self, process: LogProcess) -> None:
        try:
            async with asyncio.timeout(GOING_LIMIT):
                await process.ended()
        except TimeoutError:
            process.kill()
            await process.ended()
        log.info("log plane ended", extra={"pid": process.pid})
