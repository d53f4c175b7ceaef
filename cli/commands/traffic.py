"""Traffic: maintenance and sticky sessions."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Maintenance, Stickiness
from cli.invocation import invocation
from cli.parser import Commands

commands = Commands()


class Switch(StrEnum):
    """What is asked for."""

    ON = "on"
    OFF = "off"


Wanted = Annotated[
    Switch | None, typer.Argument(metavar="[on|off]", help="What is wanted; without it, how it is.")
]


@commands.add("maintenance", example="mini maintenance on")
def maintenance(ctx: typer.Context, wanted: Wanted = None) -> None:
    """Show, start and end maintenance.

    Every request gets a page that says so, with status 503; instances run on, and so do `mini run` and `mini push`.
    """
    mini = invocation(ctx)
    path = app_path(mini.app, "maintenance")
    if wanted is None:
        found = mini.client.get(path, Maintenance)
        mini.output.result(found, [_switch(on=found["maintenance"])])
        return
    mini.output.begin(f"Turning maintenance {wanted} for {mini.app}...")
    body = {"maintenance": wanted is Switch.ON}
    mini.output.result(mini.client.change("PUT", path, Maintenance, body=body), ["done"])


@commands.add("sticky", example="mini sticky on")
def sticky(ctx: typer.Context, wanted: Wanted = None) -> None:
    """Show, start and end sticky sessions.

    A browser stays with the instance that answered it first, by a cookie, for as long as that instance takes requests.
    """
    mini = invocation(ctx)
    path = app_path(mini.app, "stickiness")
    if wanted is None:
        found = mini.client.get(path, Stickiness)
        mini.output.result(found, [_switch(on=found["sticky"])])
        return
    mini.output.begin(f"Turning sticky sessions {wanted} for {mini.app}...")
    body = {"sticky": wanted is Switch.ON}
    mini.output.result(mini.client.change("PUT", path, Stickiness, body=body), ["done"])


def _switch(*, on: bool) -> str:
    return Switch.ON if on else Switch.OFF
