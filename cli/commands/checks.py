"""Health checks: what an app asks for, and how its instances answer now."""

import typer

from cli.client import app_path
from cli.documents import Check, CheckResult
from cli.invocation import Invocation, invocation
from cli.output import aligned, paint
from cli.parser import Commands

commands = Commands()
checks = Commands("checks", about="Show and run health checks.", example="mini checks run")
commands.add_typer(checks)


@checks.add("list", example="mini checks")
def list_checks(ctx: typer.Context) -> None:
    """Show the health checks of the release that serves."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "checks"), list[Check])
    if not found:
        _say_there_are_none(mini)
    mini.output.result(found, aligned(_row(check) for check in found))


@checks.add("show", example="mini checks show")
def show(ctx: typer.Context) -> None:
    """Show the health checks, as `mini checks` alone does."""
    list_checks(ctx)


@checks.add("run", example="mini checks run")
def run(ctx: typer.Context) -> None:
    """Ask every instance now; exits with 1 where one does not answer well."""
    mini = invocation(ctx)
    results = mini.client.change("POST", app_path(mini.app, "checks", "run"), list[CheckResult])
    if not results and mini.client.get(app_path(mini.app, "checks"), list[Check]):
        mini.output.progress(f"No instance of {mini.app} that has a check is up: see `mini ps`.")
    elif not results:
        _say_there_are_none(mini)
    rows = [
        [
            paint("ok  ", "green") if result["ok"] else paint("fail", "red"),
            result["instance"],
            result["message"],
        ]
        for result in results
    ]
    mini.output.result(results, aligned(rows))
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


def _say_there_are_none(mini: Invocation) -> None:
    mini.output.progress(f"{mini.app} sets no checks: web is healthy when it listens on its PORT.")


def _row(check: Check) -> list[str]:
    how = f"GET {check['path']}" if check["path"] else "listens"
    times = f"{check['attempts']} attempts, every {check['interval']:g} s, {check['timeout']:g} s each"
    return [check["type"], check["kind"], how, times]
