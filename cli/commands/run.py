"""Run: a one-off command in the release and config that serve."""

from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Run
from cli.invocation import Invocation, invocation
from cli.output import command_shown
from cli.parser import Commands
from paas.domain.names import config_key
from paas.errors import InvalidError, OperationTimedOutError, PaasError, RunFailedError

commands = Commands()

TIMED_OUT = 124
"""What timeout(1) exits with."""


@commands.add("run", example="mini run -e DEBUG=1 -- python manage.py shell", passes_rest=True)
def run(
    ctx: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(metavar="CMD...", help="The command; a first word that is a type runs that type's."),
    ],
    detach: Annotated[
        bool, typer.Option("-d", "--detach", help="Do not wait; its output goes to the log.")
    ] = False,
    env: Annotated[
        list[str] | None, typer.Option("-e", "--env", metavar="K=V", help="A variable for this run alone.")
    ] = None,
    release: Annotated[str | None, typer.Option("--release", metavar="vN", help="In this release.")] = None,
    no_tty: Annotated[
        bool, typer.Option("--no-tty", help="Without a terminal, even if there is one.")
    ] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", min=0.001, help="End it after so many seconds.")
    ] = None,
) -> None:
    """Run a one-off command.

    Terminal, input, signals and exit code are passed through. Everything from the first word on is the command's.
    mini's own failures exit with 125, a --timeout with 124, both as timeout(1) has it.
    """
    mini = invocation(ctx)
    request: dict[str, object] = {"command": command, "environment": _environment(env or [])}
    request |= {"release": release, "timeout": timeout}
    path = app_path(mini.app, "runs")
    try:
        if detach:
            return _detached(mini, path, request)
        code = _attached(mini, f"{path}/attach", request, terminal=not no_tty)
    except OperationTimedOutError as error:
        mini.output.warn(error.message)
        code = TIMED_OUT
    except RunFailedError:
        raise
    except PaasError as error:
        raise RunFailedError(error.message) from error
    raise typer.Exit(code)


def _detached(mini: Invocation, path: str, request: dict[str, object]) -> None:
    started = mini.client.change("POST", path, Run, body=request)
    mini.output.progress(
        f"Running {command_shown(started['command'])} as {started['name']}: see `mini logs -p {started['name']}`."
    )
    mini.output.result(started, [started["name"]])


def _attached(mini: Invocation, path: str, request: dict[str, object], *, terminal: bool) -> int:
    from cli.attach import attach

    return attach(mini.client.target, path, request, terminal=terminal)


def _environment(pairs: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidError(f"-e takes K=V; got {name!r}.")
        values[config_key(name)] = value
    return values
