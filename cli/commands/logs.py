"""Logs: the last lines, and those that come."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from cli.client import Query, app_path
from cli.documents import Formation, LogLine
from cli.follow import resumed
from cli.invocation import Invocation, invocation
from cli.parser import Commands
from cli.times import moment, parsed, rfc3339
from paas.errors import InvalidError

commands = Commands()

_BESIDE_TYPES = ("run", "release", "router")
"""Who writes to a log and is no long-running type: one-offs, the release phase, the router."""


@commands.add("logs", example="mini logs -t -p web")
def logs(
    ctx: typer.Context,
    tail: Annotated[bool, typer.Option("-t", "--tail", help="Go on with the lines that come.")] = False,
    number: Annotated[int, typer.Option("-n", "--number", min=0, help="How many of the last lines.")] = 100,
    process: Annotated[
        str | None, typer.Option("-p", "--process", metavar="TYPE[.N]", help="Only of this type or instance.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("-s", "--source", metavar="app|mini", help="Only of the app, or of mini.")
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", metavar="vN", help="Only of this release.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="10m, or a time.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="TIME", help="10m, or a time.")] = None,
    grep: Annotated[
        str | None,
        typer.Option("--grep", metavar="RE", help="Only lines that this regular expression finds."),
    ] = None,
) -> None:
    """Show the log."""
    mini = invocation(ctx)
    if source not in (None, "app", "mini"):
        raise InvalidError(f"--source is app or mini; got {source!r}.")
    end = _moment(mini, until, option="--until")
    wanted: dict[str, Query] = {
        "lines": number,
        "source": source,
        "instance": process,
        "release": release,
        "since": _sent(_moment(mini, since, option="--since")),
        "until": _sent(end),
        "grep": grep,
    }
    if process is not None:
        _warn_of_unknown(mini, process)
    for line in _followed(mini, wanted, end=end) if tail else _stored(mini, wanted):
        mini.output.record(line, _formatted(line))


def _stored(mini: Invocation, wanted: dict[str, Query]) -> Iterator[LogLine]:
    return mini.client.stream(app_path(mini.app, "logs"), LogLine, **wanted)


def _followed(mini: Invocation, wanted: dict[str, Query], *, end: datetime | None) -> Iterator[LogLine]:
    path = app_path(mini.app, "logs")
    return resumed(
        lambda after: mini.client.stream(path, LogLine, **wanted, follow=True, after=after),
        cursor=lambda line: line["sequence"],
        ended=lambda: end is not None and end <= mini.now,
    )


def _warn_of_unknown(mini: Invocation, process: str) -> None:
    # No error: lines of a type that an earlier release had are still there.
    kind = process.partition(".")[0]
    types = mini.client.get(app_path(mini.app, "formation"), Formation)["types"]
    if kind not in (*types, *_BESIDE_TYPES):
        known = ", ".join(sorted(types)) or "none yet"
        mini.output.warn(f"{mini.app} has no process type {kind!r} now; its types: {known}.")


def _formatted(line: LogLine) -> str:
    return f"{rfc3339(parsed(line['at']))} {line['source']}[{line['instance']}]: {line['text']}"


def _moment(mini: Invocation, text: str | None, *, option: str) -> datetime | None:
    return None if text is None else moment(text, mini.now, option=option)


def _sent(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time)
