"""Config vars: show, set, unset, edit. One call is one release."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Config, Deployment
from cli.envfile import read_env, write_env
from cli.follow import complete
from cli.invocation import Invocation, invocation
from cli.output import aligned, heading
from cli.parser import Commands
from cli.times import seconds
from paas.domain.names import config_key
from paas.errors import InvalidError, NotFoundError

commands = Commands()
config = Commands("config", about="Show and change config vars.", example="mini config -s > .env")
commands.add_typer(config)

WaitLock = Annotated[
    str, typer.Option("--wait-lock", metavar="TIME", help="How long to queue behind another deployment.")
]


@config.add("list", example="mini config -s > .env")
def list_config(
    ctx: typer.Context,
    shell: Annotated[bool, typer.Option("-s", "--shell", help="As a shell reads it.")] = False,
) -> None:
    """Show the config vars of the release that serves."""
    mini = invocation(ctx)
    variables = _current(mini)
    if shell:
        lines = write_env(variables).splitlines()
    else:
        rows = aligned([f"{name}:", value] for name, value in variables.items())
        lines = [heading(f"{mini.app} Config Vars"), *rows]
    mini.output.result(variables, lines)


@config.add("get", example="mini config get DATABASE_URL")
def get(
    ctx: typer.Context, names: Annotated[list[str], typer.Argument(metavar="K...", help="Their names.")]
) -> None:
    """Print the values of config vars, one a line."""
    mini = invocation(ctx)
    variables = _current(mini)
    if missing := [name for name in names if name not in variables]:
        raise NotFoundError(f"{mini.app} has no config var {', '.join(missing)}; see `mini config`.")
    chosen = {name: variables[name] for name in names}
    mini.output.result(chosen, chosen.values())


@config.add("set", example="mini config set DEBUG=0 TOKEN=-")
def set_config(
    ctx: typer.Context,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="K=V...", help="What to set; K=- reads the value from stdin."),
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from-file", metavar="F", help="Set what this .env file sets.")
    ] = None,
    wait_lock: WaitLock = "15m",
) -> None:
    """Set config vars, and restart with them.

    All together make one new release, without a build.
    """
    mini = invocation(ctx)
    changes: dict[str, str | None] = {**_from_file(from_file)} if from_file else {}
    changes.update(_pairs(pairs or []))
    if not changes:
        raise InvalidError("Name what to set: `mini config set K=V`, or --from-file .env.")
    _change(mini, changes, sentence="Setting config vars and restarting", wait_lock=wait_lock)


@config.add("unset", example="mini config unset DEBUG")
def unset(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="K...", help="Their names.")],
    wait_lock: WaitLock = "15m",
) -> None:
    """Unset config vars, and restart without them."""
    changes: dict[str, str | None] = {config_key(name): None for name in names}
    _change(invocation(ctx), changes, sentence="Unsetting config vars and restarting", wait_lock=wait_lock)


@config.add("edit", example="EDITOR=nano mini config edit")
def edit(ctx: typer.Context, wait_lock: WaitLock = "15m") -> None:
    """Edit all config vars in your editor."""
    from cli.editor import edited

    mini = invocation(ctx)
    before = _current(mini)
    with edited(before, mini.environ) as after:
        changes: dict[str, str | None] = {name: None for name in before if name not in after}
        changes.update({name: value for name, value in after.items() if before.get(name) != value})
        if changes:
            _change(mini, changes, sentence="Setting config vars and restarting", wait_lock=wait_lock)
        else:
            mini.output.progress("Nothing was changed.")
            mini.output.result({"changed": False}, [])


def _current(mini: Invocation) -> dict[str, str]:
    return mini.client.get(app_path(mini.app, "config"), Config)["variables"]


def _change(mini: Invocation, changes: dict[str, str | None], *, sentence: str, wait_lock: str) -> None:
    body = {"changes": changes, "wait_lock": seconds(wait_lock, option="--wait-lock")}
    begun = mini.client.change("PATCH", app_path(mini.app, "config"), Deployment, body=body)
    ended = complete(mini, begun, sentence=f"{sentence} {mini.app}...")
    mini.output.result(ended, [_outcome(ended)])


def _outcome(ended: Deployment) -> str:
    if ended["changed"]:
        return f"done, v{ended['release']}"
    return "no change" if ended["serving"] is None else f"no change, still v{ended['serving']}"


def _pairs(pairs: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidError(
                f"{name!r} has no value: write {name}=VALUE, or {name}=- to read it from stdin."
            )
        if config_key(name) in values:
            raise InvalidError(f"{name} is given twice.")
        values[name] = value
    from_stdin = [name for name, value in values.items() if value == "-"]
    if len(from_stdin) > 1:
        raise InvalidError(f"Only one value can be read from stdin, not {' and '.join(from_stdin)}.")
    return {name: _stdin() if name in from_stdin else value for name, value in values.items()}


def _stdin() -> str:
    return sys.stdin.read().removesuffix("\n")


def _from_file(path: Path) -> dict[str, str]:
    try:
        return read_env(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as error:
        raise InvalidError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise InvalidError(f"{path} is not UTF-8 text.") from None
