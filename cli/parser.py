"""How a command line is read: options that are taken everywhere, groups with a default, modules loaded late.

The one place that knows typer's insides. It never runs a command by itself.
"""

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from typing import TypeVar

import typer
from typer import _click as click
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_group

from cli.catalog import CATALOG, SECTIONS, expanded
from cli.invocation import Invocation

F = TypeVar("F", bound=Callable[..., None])

DEFAULT = "list"
"""The command of a group that runs where none is named."""


class Commands(typer.Typer):
    """The commands of one module, or of one group."""

    def __init__(self, name: str | None = None, *, about: str | None = None, example: str = "") -> None:
        super().__init__(
            name=name,
            help=about,
            epilog=_example(example) if example else None,
            cls=Group,
            rich_markup_mode=None,
            add_completion=False,
        )
        if name is None:
            self.callback()(_nothing)

    def add(self, name: str, *, example: str, passes_rest: bool = False) -> Callable[[F], F]:
        """Return the decorator that adds a command, with an example for its help.

        With `passes_rest`, everything from the first word that is no option is left to the command.
        """
        settings = {"allow_interspersed_args": not passes_rest}
        return self.command(name, cls=Command, epilog=_example(example), context_settings=settings)


class Command(TyperCommand):
    """A command that takes the global options beside its own."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_GLOBAL]


class Group(TyperGroup):
    """A group that takes the global options too, and lists where no command is named."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *_GLOBAL]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if DEFAULT in self.commands and not ctx.resilient_parsing:
            args = with_command(args, self.commands)
        return super().parse_args(ctx, args)


class Root(Group):
    """All of `mini`: a command's module is imported when that command is asked for."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, expanded(args))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = CATALOG.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"cli.commands.{entry.module}")
        return get_group(module.commands).get_command(ctx, cmd_name)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(CATALOG)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(entry.name, entry.help) for entry in entries])


def root() -> Root:
    """Return the whole command line."""
    return Root(
        name="mini",
        commands={name: Command(name) for name in CATALOG},
        help="Run Procfile apps on this machine: push a git repository, get a running app.",
        epilog=_example("mini push"),
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def with_command(arguments: Sequence[str], known: Collection[str]) -> list[str]:
    """Return a group's arguments with its command in front: the one that they name, else `list`."""
    words = list(arguments)
    if "--help" in words or "-h" in words:
        return words
    position = next((at for at, word in enumerate(words) if word in known and not _is_value(words, at)), None)
    if position is not None:
        return [words.pop(position), *words]
    return words if words and not words[0].startswith("-") else [DEFAULT, *words]


def _example(command: str) -> str:
    return f"Example: {command}"


def _is_value(words: Sequence[str], at: int) -> bool:
    return at > 0 and words[at - 1] in ("-a", "--app")


def _nothing() -> None:
    """A module's commands have no command of their own in front."""


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    invocation = ctx.find_object(Invocation)
    if invocation is None or value in (None, False):
        return
    match param.name:
        case "app":
            invocation.app_option = str(value)
        case "json":
            invocation.json = True
        case "quiet":
            invocation.quiet = True
        case "verbose":
            invocation.verbose = True
        case "no_start":
            invocation.start = False


def _complete_app(incomplete: str) -> list[str]:
    from cli.completion import app_names

    return [name for name in app_names() if name.startswith(incomplete)]


def _flag(*names: str, about: str) -> TyperOption:
    return TyperOption(
        param_decls=list(names),
        is_flag=True,
        default=False,
        expose_value=False,
        callback=_remember,
        help=about,
    )


_GLOBAL: tuple[click.Parameter, ...] = (
    TyperOption(
        param_decls=["-a", "--app"],
        metavar="APP",
        expose_value=False,
        callback=_remember,
        autocompletion=lambda _ctx, _args, incomplete: _complete_app(incomplete),
        help="The app; else MINI_APP, else the git remote `mini`.",
    ),
    _flag("--json", about="Print JSON: one document, or one a line for a stream."),
    _flag("-q", "--quiet", about="Print no progress."),
    _flag("-v", "--verbose", about="Print each request to the server, with its id."),
    _flag("--no-start", about="Do not start the server; also MINI_NO_START=1."),
)
