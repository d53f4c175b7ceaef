"""The control plane's process: takes a home, composes the parts, serves the API, and lets go in order.

`python -I -m api.server` reads its settings from `MINI_*` and runs in the foreground.
"""

import asyncio
import getpass
import logging
import os
import platform
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

import uvicorn

from api.app import create_app
from api.engines import equipment, settled_engine
from api.housekeeping import HOUR, MINUTE, housekeeping
from api.listeners import (
    BACKLOG,
    PeerCheckedProtocol,
    bound,
    listen_tcp,
    listen_unix,
    saying_what_is_remembered,
)
from api.ownership import admin_token, take_home
from api.services import Services
from builds.repository import Repositories
from builds.service import BuildService
from paas import __version__
from paas.clock import SystemClock
from paas.domain.event import EventKind
from paas.errors import PaasError, UnsupportedError, exit_code
from paas.logs.client import LogPlane
from paas.router.processes import Routers
from paas.server_log import say_on_stderr
from paas.settings import ADDRESSES, Settings
from paas.store.database import Store
from paas.supervisor.loop import Supervisor
from paas.threads import in_thread
from releases.deploy import Deployer
from releases.lease import Leases
from releases.outputs import Outputs
from releases.service import ReleaseService
from releases.traffic import Traffic

log = logging.getLogger("mini")

OLDEST_KERNEL = (5, 4)
INSTANCE_MARKERS = ("MINI_INSTANCE_ID", "MINI_HOME_ID")
"""What marks the processes of an instance: a server that was started from within a one-off is none of its family."""

_TURN = 0.001
"""Seconds for which one thread may keep the interpreter from the others: Python's own 5 ms are what a request would wait
for each thing that is done beside it."""

_STREAMS_END_WITHIN = 3
_LAST_ANSWERS_WITHIN = 1
"""Seconds that are left to ask how a deployment has ended that the stop of the server ended."""


def main() -> None:
    """Run the control plane until it is told to stop; exits with the code of the error that ended it."""
    sys.setswitchinterval(_TURN)
    say_on_stderr()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        check_platform(platform.system(), platform.release())
        settings = Settings.from_environment(os.environ)
        take_home(settings)
        for marker in INSTANCE_MARKERS:
            os.environ.pop(marker, None)
        asyncio.run(_serve(settings))
    except PaasError as error:
        print(error.message, file=sys.stderr)
        sys.exit(exit_code(error.code))


def check_platform(system: str, kernel: str) -> None:
    """Raise UnsupportedError on anything but Linux 5.4 or newer."""
    numbers = tuple(int(part) for part in kernel.split("-", maxsplit=1)[0].split(".")[:2] if part.isdigit())
    if system != "Linux" or numbers < OLDEST_KERNEL:
        raise UnsupportedError(f"mini runs on Linux 5.4 or newer (WSL 2 too); this is {system} {kernel}.")


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the control plane has an order to keep."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Stop:
    """Whether, and how, the server was asked to stop."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.keep_apps = False

    def __call__(self, keep_apps: bool) -> None:
        self.keep_apps = keep_apps
        self.asked.set()


async def _serve(settings: Settings) -> None:
    stop = _Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, False)
    async with _control_plane(settings, stop) as (services, listeners):
        config = uvicorn.Config(
            create_app(services, user=getpass.getuser(), token=admin_token(settings.token_file)),
            http=PeerCheckedProtocol,
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            lifespan="off",
            access_log=False,
            log_level="warning",
            log_config=None,
            backlog=BACKLOG,
            server_header=False,
            timeout_graceful_shutdown=_STREAMS_END_WITHIN,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=listeners))
        log.info("control plane is ready", extra={"home": str(settings.home)})
        await asyncio.wait(
            {serving, asyncio.create_task(stop.asked.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        # While the door is still open: whoever waits for a deployment is told how it ended.
        if await services.deployer.close():
            await asyncio.sleep(_LAST_ANSWERS_WITHIN)
        logging.getLogger("uvicorn.error").addFilter(_is_an_error)
        server.should_exit = True
        await serving


def _is_an_error(record: logging.LogRecord) -> bool:
    """Return False for a stream that the stop of the server cut: those that follow a log go on until then."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


@asynccontextmanager
async def _control_plane(
    settings: Settings, stop: _Stop
) -> AsyncIterator[tuple[Services, list[socket.socket]]]:
    """Compose the parts, each after those it needs; let go of them in the reverse order."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = Store.open(settings, clock=clock)
        stack.callback(store.close)
        told = {name: os.environ[name] for name in ADDRESSES if os.environ.get(name)}
        remembered = store.meta.addresses()
        settings = _with_addresses(settings, remembered, told)
        with saying_what_is_remembered(remembered.keys() - told.keys()):
            tcp = listen_tcp(settings.listen)
        stack.callback(tcp.close)
        await stack.enter_async_context(
            housekeeping(lambda: in_thread(store.reclaim_ballast), every=MINUTE, clock=clock)
        )
        engine_choice = await settled_engine(store, settings.engine)

        logs = LogPlane(settings, clock=clock)
        await logs.start()
        stack.push_async_callback(logs.stop)
        routers = Routers(settings, clock=clock, log_fifo=logs.platform_fifo)
        with saying_what_is_remembered(remembered.keys() - told.keys()):
            await routers.start()
        stack.push_async_callback(routers.stop)
        await in_thread(
            store.meta.remember_addresses, told
        )  # not before: one that is taken would fail every start

        engine, builder = equipment(engine_choice, settings, home_id=store.meta.home_id(), clock=clock)
        stack.push_async_callback(engine.close)
        supervisor = Supervisor(
            store=store,
            engine=engine,
            routing=routers,
            lines=logs,
            clock=clock,
            settings=settings,
            spawn_environment=os.environ,
        )
        repositories = Repositories(settings)
        builds = BuildService(
            store=store,
            settings=settings,
            clock=clock,
            builder=builder,
            repositories=repositories,
        )
        outputs = Outputs(settings, clock=clock)
        deployer = Deployer(
            store=store,
            supervisor=supervisor,
            builds=builds,
            engine=engine,
            repositories=repositories,
            outputs=outputs,
            settings=settings,
            clock=clock,
        )
        await deployer.recover()
        await in_thread(
            store.events.append,
            EventKind.SERVER_STARTED,
            app=None,
            actor=getpass.getuser(),
            cause=f"mini {__version__} started on the {engine_choice} engine",
        )
        await supervisor.start()
        stack.push_async_callback(_stop_supervisor, supervisor, stop)
        stack.push_async_callback(deployer.close)
        traffic = Traffic(store=store, supervisor=supervisor, settings=settings, clock=clock)
        await stack.enter_async_context(housekeeping(traffic.renew, every=HOUR, clock=clock))
        prune_all_soon = deployer.retention.prune_all_soon
        await stack.enter_async_context(housekeeping(prune_all_soon, every=HOUR, clock=clock))
        services = Services(
            settings=settings,
            clock=clock,
            store=store,
            repositories=repositories,
            builds=builds,
            supervisor=supervisor,
            logs=logs,
            routers=routers,
            outputs=outputs,
            deployer=deployer,
            pushing=Leases(clock=clock),
            releases=ReleaseService(
                store=store,
                supervisor=supervisor,
                repositories=repositories,
                logs=logs,
                deployer=deployer,
                engine=engine,
                traffic=traffic,
                settings=settings,
            ),
            traffic=traffic,
            engine=engine_choice,
            silence=engine.silence,
            api_address=str(bound(tcp)),
            started_at=clock.now(),
            stop=stop,
        )
        unix = listen_unix(settings.control_socket)
        stack.callback(settings.control_socket.unlink, missing_ok=True)
        yield services, [unix, tcp]


def _with_addresses(settings: Settings, remembered: Mapping[str, str], told: Mapping[str, str]) -> Settings:
    listening = Settings.from_environment({**remembered, **told})
    return replace(settings, listen=listening.listen, http=listening.http, https=listening.https)


async def _stop_supervisor(supervisor: Supervisor, stop: _Stop) -> None:
    await supervisor.stop(keep_apps=stop.keep_apps)


if __name__ == "__main__":
    main()
