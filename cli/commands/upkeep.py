"""Upkeep: doctor and garbage collection."""

from typing import Annotated

import typer

from cli.documents import Collected, Finding
from cli.invocation import invocation
from cli.output import aligned, paint
from cli.parser import Commands

commands = Commands()

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}
_UNITS = ("B", "KiB", "MiB", "GiB")


@commands.add("doctor", example="mini doctor")
def doctor(ctx: typer.Context) -> None:
    """Check the machine and the server; exits with 1 where something is wrong."""
    mini = invocation(ctx)
    findings = mini.client.get("/v1/doctor", list[Finding])
    rows = [[finding["level"].ljust(7), finding["check"], finding["message"]] for finding in findings]
    lines = [
        paint(line[:7], _COLOURS[finding["level"]]) + line[7:]
        for line, finding in zip(aligned(rows), findings, strict=True)
    ]
    mini.output.result(findings, lines)
    if any(finding["level"] == "error" for finding in findings):
        raise typer.Exit(1)


@commands.add("gc", example="mini gc --dry-run")
def gc(
    ctx: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=1, max=1000, help="How many artifacts of each app stay."),
    ] = None,
) -> None:
    """Remove what nothing needs any more.

    What runs, and what `mini rollback` alone goes back to, is never removed. To go back to an earlier release whose
    artifact is gone, push its commit again.
    """
    mini = invocation(ctx)
    collected = mini.client.change("POST", "/v1/gc", list[Collected], body={"dry_run": dry_run, "keep": keep})
    mini.output.result(collected, aligned(_row(item) for item in collected))
    mini.output.progress(f"{'Would free' if dry_run else 'Freed'} {_freed(collected)}.")


def _row(item: Collected) -> list[str]:
    size = "" if item["bytes"] is None else _size(item["bytes"])
    return [item["kind"], item["origin"] or item["name"], size]


def _freed(collected: list[Collected]) -> str:
    total = _size(sum(item["bytes"] or 0 for item in collected))
    has_images = any(item["bytes"] is None for item in collected)
    return f"{total}, and what the images share with no other" if has_images else total


def _size(count: int) -> str:
    size = float(count)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("the last unit takes every size")
