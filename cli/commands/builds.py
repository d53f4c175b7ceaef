"""Builds: list, show, print the output of, cancel."""

from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Build
from cli.invocation import Invocation, invocation
from cli.output import aligned, heading
from cli.parser import Commands
from cli.times import shown

commands = Commands()
builds = Commands("builds", about="List, show and cancel builds.", example="mini builds -n 5")
commands.add_typer(builds)

BuildId = Annotated[str, typer.Argument(metavar="ID", help="The build, or the beginning of its id.")]


@builds.add("list", example="mini builds -n 5")
def list_builds(
    ctx: typer.Context, number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many.")] = 15
) -> None:
    """List the newest builds."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "builds"), list[Build], limit=number)
    if not found:
        mini.output.progress(f"{mini.app} has no builds yet.")
    mini.output.result(found, aligned(_row(mini, build) for build in found))


@builds.add("info", example="mini builds info 3f2c")
def info(ctx: typer.Context, build_id: BuildId) -> None:
    """Show a build."""
    mini = invocation(ctx)
    build = mini.client.get(app_path(mini.app, "builds", build_id), Build)
    mini.output.result(build, [heading(f"Build {build['id']}"), *aligned(_facts(mini, build))])


@builds.add("output", example="mini builds output 3f2c")
def output(ctx: typer.Context, build_id: BuildId) -> None:
    """Print a build's output, to its end."""
    mini = invocation(ctx)
    for line in mini.client.text(app_path(mini.app, "builds", build_id, "output"), follow=True):
        mini.output.record({"text": line}, line)


@builds.add("cancel", example="mini builds cancel 3f2c")
def cancel(ctx: typer.Context, build_id: BuildId) -> None:
    """Cancel a build that runs."""
    mini = invocation(ctx)
    build = mini.client.change("POST", app_path(mini.app, "builds", build_id, "cancel"), Build)
    mini.output.result(build, [f"{build['id']} {build['state']}"])


def _row(mini: Invocation, build: Build) -> list[str]:
    begun = shown(build["created_at"], mini.now)
    return [build["id"][:12], build["state"], build["commit"][:7], build["ref"], begun]


def _facts(mini: Invocation, build: Build) -> list[list[str]]:
    return [
        ["Commit:", f"{build['commit']} ({build['ref']})"],
        ["State:", f"{build['state']} {build['reason']}".strip()],
        ["Builder:", build["builder"]],
        ["Artifact:", build["artifact"] or "none"],
        ["Types:", ", ".join(build["process_types"]) or "none"],
        ["By:", build["actor"]],
        ["Begun:", shown(build["created_at"], mini.now)],
        ["Ended:", shown(build["ended_at"], mini.now) if build["ended_at"] else "not yet"],
    ]
