"""Write the documents that follow from the code: docs/cli.md. `--check` only says whether they are current."""

import sys
from pathlib import Path

from typer import _click as click

from cli.catalog import ALIASES, SECTIONS
from cli.parser import Group, root

DOCS = Path(__file__).resolve().parent
CLI = DOCS / "cli.md"
_WIDTH = 100

_INTRODUCTION = """\
# The command line

<!-- Written by docs/generate.py from the program itself: change the help there, then run `make docs`. -->

Data goes to stdout; progress, warnings, errors and prompts to stderr. With `--json` a command prints one document, that of a
deployment that failed too; `logs`, `events`, `builds output`, `releases output` and `server logs` are streams and print one
document a line (NDJSON); `run` without `-d` and `local` print what the command prints. Errors stay plain text
on stderr: the exit code, of the table below, tells of which kind they are. Times are UTC with microseconds. `-a`, `--json`,
`-q`, `-v` and `--no-start` are taken before and after the command.

The app is the one of `-a`, else of `MINI_APP`, else of the git remote `mini` of the repository that you are in.
A release is `v41` or `41`; `@` is the one that serves, `@~1` the one that served before it.
The server is the local one of `MINI_HOME`, started by the first command that needs it (`--no-start` or
`MINI_NO_START=1` turn that off), or a remote one where `MINI_URL` and `MINI_TOKEN` name it.

| exit | meaning |
|---|---|
| 0 / 1 | done / error, or findings of a check |
| 2 | usage or validation; nothing was changed |
| 3 / 4 | not found / not allowed |
| 5 | another deployment of the app holds the lease |
| 6 | the control plane cannot be reached |
| 10 / 11 / 12 | the build failed / the release command failed / it did not become healthy: the old release still serves |
| 13 | cancelled or timed out |
| 14 | the artifact of that release is gone; nothing was changed |
| 130 | interrupted |

`mini run` exits with what the command exits with, 128 and the number of the signal that ended it, 125 where mini itself
failed, 126 or 127 where the command could not be run or found, and 124 where `--timeout` ended it.
"""


def command_line() -> str:
    """Return docs/cli.md."""
    top = root()
    context = click.Context(top, info_name="mini", terminal_width=_WIDTH, max_content_width=_WIDTH)
    parts = [_INTRODUCTION, _colon_forms()]
    for title, entries in SECTIONS.items():
        parts.append(f"## {title[0].upper()}{title[1:]}\n")
        for entry in entries:
            command = top.get_command(context, entry.name)
            if command is not None:
                parts += _described(command, context, entry.name)
    return "\n".join(parts)


def _described(command: click.Command, parent: click.Context, name: str) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    lines = [line for line in command.get_help(context).splitlines() if not _is_global(line)]
    text = "\n".join(lines).replace("Options:\n\n", "").replace("\n\n\n", "\n\n").strip()
    parts = [f"### `{context.command_path}`\n", f"```\n{text}\n```\n"]
    if isinstance(command, Group):
        for child, found in command.commands.items():
            parts += _described(found, context, child)
    return parts


def _is_global(line: str) -> bool:
    return line.strip().startswith(
        ("--help", "-a, --app", "--json", "-q, --quiet", "-v, --verbose", "--no-start")
    )


def _colon_forms() -> str:
    forms = ", ".join(f"`{alias}` is `{command}`" for alias, command in ALIASES.items())
    return (
        f"Colon forms are taken too: `config:set` is `config set`, and likewise for every group; {forms}.\n"
    )


def main(arguments: list[str]) -> int:
    """Write the documents, or with `--check` return 1 where one is not current."""
    text = command_line()
    if arguments == ["--check"]:
        if CLI.exists() and CLI.read_text() == text:
            return 0
        print(f"{CLI.name} is not current: run `make docs`", file=sys.stderr)
        return 1
    CLI.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
