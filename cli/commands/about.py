"""About mini itself: its version, and completion for shells."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.invocation import invocation
from cli.main import COMPLETE
from cli.parser import Commands

commands = Commands()


class Shell(StrEnum):
    """The shells that completion is for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@commands.add("completion", example="mini completion bash > ~/.local/share/bash-completion/completions/mini")
def completion(
    ctx: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
) -> None:
    """Print the completion script of a shell."""
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="mini", complete_var=COMPLETE, shell=shell.value)
    invocation(ctx).output.result({"shell": shell.value, "script": script}, [script])


@commands.add("version", example="mini version")
def version(ctx: typer.Context) -> None:
    """Print the version."""
    from paas import __version__

    invocation(ctx).output.result({"version": __version__}, [f"mini {__version__}"])
