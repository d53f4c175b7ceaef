"""The server: start, stop, status, logs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from cli.client import Client
from cli.documents import Server
from cli.invocation import Invocation, invocation
from cli.output import ENGINE_IS_SILENT, aligned, heading
from cli.parser import Commands
from cli.target import LocalTarget, RemoteTarget, Target, reach, target_from
from cli.times import shown
from paas.errors import EngineMismatchError, InvalidError, PaasError, UnreachableError
from paas.settings import EngineChoice, Settings

commands = Commands()
server = Commands("server", about="Start, stop and look at the server.", example="mini server status")
commands.add_typer(server)

_STOP_LIMIT = 120.0
_TAIL = 100


@server.add("start", example="mini server start --http 127.0.0.1:8080")
def start(
    ctx: typer.Context,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay in front until it ends.")] = False,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine", metavar="auto|docker|process|swarm", help="Settled for good at the first start."
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="ADDR:PORT", help="Where the API listens; port 0 takes a free one."),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(
            "--http", metavar="ADDR:PORT", help="Where the router listens; port 0 takes a free one."
        ),
    ] = None,
    https: Annotated[
        str | None,
        typer.Option(
            "--https",
            metavar="ADDR:PORT|off",
            help="Where the router listens for HTTPS; without it 127.0.0.1:8443, if that is free.",
        ),
    ] = None,
) -> None:
    """Start the server of this machine.

    Other commands start it too, when it does not run. Its addresses are remembered for starts that are told none.
    """
    from cli.starter import run_in_foreground, start_server

    mini = invocation(ctx)
    environ = _with_settings(mini.environ, engine=engine, listen=listen, http=http, https=https)
    Settings.from_environment(environ)  # what cannot be read is said, whether it would be used or not
    target = _local(target_from(environ))
    if target.answers():
        _check_engine(target, engine)
        mini.output.progress(f"The server of {target.paths.home} runs already.")
        if listen or http or https:
            mini.output.warn("Its addresses stay as they are: stop it first to give it others.")
    elif foreground:
        run_in_foreground(environ)
    else:
        mini.output.progress(f"Starting the server of {target.paths.home} …")
        start_server(target, environ)
    _show(mini, Client(target).get("/v1/server", Server))


@server.add("stop", example="mini server stop --keep-apps")
def stop(
    ctx: typer.Context,
    keep_apps: Annotated[
        bool, typer.Option("--keep-apps", help="Let the apps run on; no requests reach them until it starts.")
    ] = False,
) -> None:
    """Stop the server, and the apps with it."""
    from cli.waiting import comes_true

    mini = invocation(ctx)
    target = _local(target_from(mini.environ))
    if not target.answers() and target.left_planes():
        mini.output.progress("The control plane was killed; it is started again to stop what it left.")
        reach(mini.environ, say=mini.output.progress)
    if not target.answers():
        mini.output.progress(f"No server runs on {target.paths.home}.")
        mini.output.result({"stopped": False}, [])
        return
    client = Client(target)
    pid = client.get("/v1/server", Server)["pids"]["control"]
    mini.output.begin("Stopping the server...")
    client.change("POST", "/v1/server/stop", dict[str, bool], body={"keep_apps": keep_apps})
    if not comes_true(lambda: not _lives(pid), within=_STOP_LIMIT, every=0.05):
        raise PaasError(
            f"The server (pid {pid}) did not end within {_STOP_LIMIT:.0f} s; see `mini server logs`."
        )
    mini.output.result({"stopped": True}, ["done"])


@server.add("status", example="mini server status --json")
def status(ctx: typer.Context) -> None:
    """Show the server; exits with 6 where none runs."""
    mini = invocation(ctx)
    target = target_from(mini.environ)
    if isinstance(target, LocalTarget) and not target.answers():
        raise UnreachableError(f"No server runs on {target.paths.home}. Start it with `mini server start`.")
    _show(mini, Client(target).get("/v1/server", Server))


@server.add("logs", example="mini server logs -t")
def logs(
    ctx: typer.Context,
    tail: Annotated[bool, typer.Option("-t", "--tail", help="Go on with the lines that come.")] = False,
    number: Annotated[int, typer.Option("-n", "--number", min=0, help="How many of the last lines.")] = _TAIL,
) -> None:
    """Show what the server itself printed."""
    mini = invocation(ctx)
    for line in _lines(target_from(mini.environ), number, tail=tail):
        mini.output.record({"text": line}, line)


def _lines(target: Target, number: int, *, tail: bool) -> Iterator[str]:
    if isinstance(target, RemoteTarget) or target.answers():
        return Client(target).text("/v1/server/logs", lines=number, follow=tail)
    # A server that does not come up is the one whose log is wanted most.
    log = target.paths.server_logs / "control.log"
    if not log.exists():
        raise UnreachableError(
            f"No server ever ran on {target.paths.home}. Start it with `mini server start`."
        )
    lines = log.read_text(errors="replace").splitlines()
    return (f"control: {line}" for line in lines[len(lines) - min(number, len(lines)) :])


def _with_settings(environ: Mapping[str, str], **options: str | None) -> dict[str, str]:
    chosen = {f"MINI_{name.upper()}": value for name, value in options.items() if value is not None}
    return {**environ, **chosen}


def _check_engine(target: LocalTarget, engine: str | None) -> None:
    settled = Client(target).get("/v1/server", Server)["engine"]
    if engine not in (None, EngineChoice.AUTO, settled):
        raise EngineMismatchError(
            f"The server of {target.paths.home} runs on the {settled} engine, settled at its first start. For the "
            f"{engine} engine start a server with another MINI_HOME and push your apps to it."
        )


def _local(target: Target) -> LocalTarget:
    if isinstance(target, RemoteTarget):
        raise InvalidError(f"MINI_URL names the server at {target}: unset it to start or stop one here.")
    return target


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # Where nobody reaps it (a container without an init) an ended process stays in state Z.
    return stat.rpartition(")")[2].split()[0] != "Z"


def _show(mini: Invocation, found: Server) -> None:
    pids, count = found["pids"], found["instances"]
    if count is None:
        mini.output.progress(ENGINE_IS_SILENT)
    rows = [
        ["Version:", found["version"]],
        ["Home:", found["home"]],
        ["Engine:", found["engine"]],
        ["Socket:", found["socket"]],
        ["API:", found["api"]],
        ["HTTP:", found["http"]],
        ["HTTPS:", found["https"] or "off"],
        [
            "Pids:",
            f"control {pids['control']}, router {' '.join(map(str, pids['router']))}, logs {pids['logs']}",
        ],
        [
            "Running:",
            f"{'an unknown number of' if count is None else count} instances of {found['apps']} apps",
        ],
        ["Since:", shown(found["started_at"], mini.now)],
    ]
    mini.output.result(found, [heading("mini server"), *aligned(rows)])
