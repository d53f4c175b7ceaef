"""Domains and routes: which hosts reach which app, and with which certificate."""

from pathlib import Path
from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Authority, Domain, Route
from cli.invocation import invocation
from cli.output import aligned, heading
from cli.parser import Commands
from paas.errors import InvalidError

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
    rows = [[domain["host"], _certificate(domain)] for domain in found]
    mini.output.result(found, [heading(f"{mini.app} Domains"), *aligned(rows)])


@domains.add("add", example="mini domains add shop.example.com --tls")
def add(
    ctx: typer.Context,
    host: Host,
    tls: Annotated[
        bool, typer.Option("--tls", help="Serve it over HTTPS, with a certificate of the local authority.")
    ] = False,
    cert: Annotated[
        Path | None,
        typer.Option(
            "--cert", metavar="FILE", help="Serve it over HTTPS, with this certificate and its chain."
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The private key of --cert, both in PEM.")
    ] = None,
) -> None:
    """Send a host's requests to the app.

    A domain that is there already gets the certificate. To trust the local authority, import `mini domains ca`.
    """
    mini = invocation(ctx)
    secure = _secure(cert, key) or ({} if tls else None)
    body = {"host": host, "tls": secure}
    added = mini.client.change("POST", app_path(mini.app, "domains"), Domain, body=body)
    mini.output.begin(f"Adding {host} to {mini.app}...")
    mini.output.result(added, [f"done, {added['url']}" if added["tls"] else "done"])
    if added["tls"] and added["url"].startswith("http:"):
        mini.output.warn(
            "The server does not listen for HTTPS: start it with --https, or see `mini server logs`."
        )


@domains.add("ca", example="mini domains ca > mini-ca.pem")
def authority(ctx: typer.Context) -> None:
    """Print the certificate of the local authority.

    A browser or a system that imports it trusts every certificate that this server's authority has issued.
    """
    mini = invocation(ctx)
    found = mini.client.get("/v1/authority", Authority)
    mini.output.result(found, [found["certificate"].rstrip("\n")])


@domains.add("remove", example="mini domains remove shop.example.com")
def remove(ctx: typer.Context, host: Host) -> None:
    """Send a host's requests to the app no longer."""
    mini = invocation(ctx)
    mini.client.change("DELETE", app_path(mini.app, "domains", host), type(None))
    mini.output.begin(f"Removing {host} from {mini.app}...")
    mini.output.result({"removed": host}, ["done"])


@commands.add("routes", example="mini routes")
def routes(ctx: typer.Context) -> None:
    """List where requests go, for all apps."""
    mini = invocation(ctx)
    found = mini.client.get("/v1/routes", list[Route])
    rows = [[route["host"], route["app"], _behind(route)] for route in found]
    mini.output.result(found, aligned(rows))


def _behind(route: Route) -> str:
    return "maintenance" if route["maintenance"] else " ".join(route["backends"]) or "nothing is up"


def _certificate(domain: Domain) -> str:
    if domain["tls"] is None:
        return ""
    by = "mini" if domain["tls"]["origin"] == "issued" else "files"
    return f"certificate from {by}, until {domain['tls']['expires_at'][:10]}"


def _secure(cert: Path | None, key: Path | None) -> dict[str, str] | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise InvalidError(
            "--cert and --key go together: the certificate's file and that of its private key."
        )
    return {"chain": _read(cert), "key": _read(key)}


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidError(f"{file} cannot be read: {error}.") from error
