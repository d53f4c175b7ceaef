"""Domains and routes: which hosts reach which app."""

from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Domain, Route
from cli.invocation import invocation
from cli.output import aligned, heading
from cli.parser import Commands

commands = Commands()
domains = Commands(
    "domains", about="List, add and remove domains.", example="mini domains add shop.example.com"
)
commands.add_typer(domains)

Host = Annotated[str, typer.Argument(metavar="HOST", help="Such as shop.example.com, or *.example.com.")]


@domains.add("list", example="mini domains")
def list_domains(ctx: typer.Context) -> None:
    """List the app's hosts."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "domains"), list[Domain])
    mini.output.result(found, [heading(f"{mini.app} Domains"), *(domain["host"] for domain in found)])


@domains.add("add", example="mini domains add shop.example.com")
def add(ctx: typer.Context, host: Host) -> None:
    """Send a host's requests to the app."""
    mini = invocation(ctx)
    mini.output.begin(f"Adding {host} to {mini.app}...")
    added = mini.client.change("POST", app_path(mini.app, "domains"), Domain, body={"host": host})
    mini.output.result(added, ["done"])


@domains.add("remove", example="mini domains remove shop.example.com")
def remove(ctx: typer.Context, host: Host) -> None:
    """Send a host's requests to the app no longer."""
    mini = invocation(ctx)
    mini.output.begin(f"Removing {host} from {mini.app}...")
    mini.client.change("DELETE", app_path(mini.app, "domains", host), type(None))
    mini.output.result({"removed": host}, ["done"])


@commands.add("routes", example="mini routes")
def routes(ctx: typer.Context) -> None:
    """List where requests go, for all apps."""
    mini = invocation(ctx)
    found = mini.client.get("/v1/routes", list[Route])
    rows = [[route["host"], route["app"], " ".join(route["backends"]) or "nothing is up"] for route in found]
    mini.output.result(found, aligned(rows))
