"""Events: what happened, to which app, and why."""

from typing import Annotated

import typer

from cli.client import Query
from cli.documents import App, Event
from cli.follow import resumed
from cli.invocation import Invocation, invocation
from cli.parser import Commands
from cli.times import parsed, rfc3339

commands = Commands()


@commands.add("events", example="mini events -t")
def events(
    ctx: typer.Context,
    tail: Annotated[bool, typer.Option("-t", "--tail", help="Go on with what happens.")] = False,
    number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many of the last ones.")] = 50,
    every: Annotated[bool, typer.Option("--all", help="Of all apps, whichever is named.")] = False,
) -> None:
    """Show what happened, of one app or, where none is named, of all."""
    mini = invocation(ctx)
    wanted: dict[str, Query] = {"app": None if every else _app(mini), "limit": number}
    found = mini.client.stream("/v1/events", Event, **wanted)
    if tail:
        found = resumed(
            lambda after: mini.client.stream("/v1/events", Event, **wanted, follow=True, after=after),
            cursor=lambda event: event["id"],
            ended=lambda: False,
        )
    for event in found:
        mini.output.record(event, _formatted(event))


def _app(mini: Invocation) -> str | None:
    """Return the app that is named; None where only the git remote names it, and it is there no more."""
    name = mini.find_app()
    if name is None or mini.app_option or mini.environ.get("MINI_APP"):
        return name
    if name in {app["name"] for app in mini.client.get("/v1/apps", list[App])}:
        return name
    mini.notice(f"The git remote `mini` names {name}, which is no app any more: events of all apps.")
    return None


def _formatted(event: Event) -> str:
    return f"{rfc3339(parsed(event['at']))} {event['app'] or '-'} {event['kind']} by {event['actor']}: {event['cause']}"
