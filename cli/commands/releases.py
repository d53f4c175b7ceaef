"""Releases: list, show, print the output of, compare."""

from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import App, ConfigChange, OutputLine, Release, ReleaseDiff
from cli.invocation import Invocation, invocation
from cli.output import aligned, command_shown, heading, marked
from cli.parser import Commands
from cli.times import shown

commands = Commands()
releases = Commands("releases", about="List and show releases.", example="mini releases")
commands.add_typer(releases)

ReleaseReference = Annotated[
    str, typer.Argument(metavar="vN", help="v41 or 41; @ is the one that serves, @~1 the one before it.")
]
_CHANGES = {"added": "+", "removed": "-", "changed": "~"}


@releases.add("list", example="mini releases -n 5")
def list_releases(
    ctx: typer.Context, number: Annotated[int, typer.Option("-n", "--number", min=1, help="How many.")] = 15
) -> None:
    """List the newest releases."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "releases"), list[Release], limit=number)
    if not found:
        mini.output.progress(f"{mini.app} has no releases yet: make one with `mini push`.")
    mini.output.result(found, _listed(mini, found))


@releases.add("info", example="mini releases info v41")
def info(ctx: typer.Context, release: ReleaseReference = "@") -> None:
    """Show a release; the one that serves, where none is named."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "releases", release), Release)
    mini.output.result(found, [heading(f"{mini.app} v{found['version']}"), *aligned(_facts(mini, found))])


@releases.add("output", example="mini releases output v41")
def output(ctx: typer.Context, release: ReleaseReference = "@") -> None:
    """Print what a release's deployment printed."""
    mini = invocation(ctx)
    for line in mini.client.stream(app_path(mini.app, "releases", release, "output"), OutputLine):
        mini.output.record(line, marked(line["kind"], line["text"]))


@commands.add("diff", example="mini diff v41 v43")
def diff(
    ctx: typer.Context,
    a: Annotated[
        str | None, typer.Argument(metavar="vA", help="From this release; else the one before.")
    ] = None,
    b: Annotated[
        str | None, typer.Argument(metavar="vB", help="To this release; else the one that serves.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the values of config vars.")] = False,
) -> None:
    """Show what differs between two releases."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "diff"), ReleaseDiff, a=a, b=b, reveal=reveal)
    mini.output.result(found, [heading(f"{mini.app} v{found['a']} → v{found['b']}"), *_differences(found)])


def _differences(found: ReleaseDiff) -> list[str]:
    lines = []
    if found["commit_a"] != found["commit_b"]:
        lines.append(f"Commit: {_short(found['commit_a'])} → {_short(found['commit_b'])}")
        lines += [f"  {commit}" for commit in found["commits"]]
    for title, changes in (("Config vars:", found["config"]), ("Process types:", found["process_types"])):
        if changes:
            lines += [title, *(f"  {_change(change)}" for change in changes)]
    return lines or ["Nothing differs."]


def _change(change: ConfigChange) -> str:
    mark, key = _CHANGES[change["change"]], change["key"]
    match change["change"]:
        case "added":
            return f"{mark} {key}: {change['after']}"
        case "removed":
            return f"{mark} {key}: {change['before']}"
        case _:
            return f"{mark} {key}: {change['before']} → {change['after']}"


def _short(commit: str | None) -> str:
    return commit[:7] if commit else "none"


def _listed(mini: Invocation, found: list[Release]) -> list[str]:
    if not found:
        return []
    rows = [
        [
            f"v{release['version']}",
            _described(release),
            f"{release['actor']} ",
            shown(release["created_at"], mini.now),
        ]
        for release in found
    ]
    return [heading(f"{mini.app} Releases - {_current(mini, found)}"), *aligned(rows)]


def _current(mini: Invocation, found: list[Release]) -> str:
    version = next((release["version"] for release in found if release["current"]), None)
    if version is None:
        version = mini.client.get(app_path(mini.app), App)["release"]
    return f"Current: v{version}" if version is not None else "None serves"


def _facts(mini: Invocation, found: Release) -> list[list[str]]:
    return [
        ["Change:", found["description"]],
        ["Status:", _status(found)],
        ["Commit:", found["commit"] or "none"],
        ["By:", found["actor"]],
        ["When:", shown(found["created_at"], mini.now)],
        ["Config vars:", ", ".join(found["config_keys"]) or "none"],
        ["Rollback:", _rollback(found)],
        *([f"{kind}:", command_shown(command)] for kind, command in found["process_types"].items()),
    ]


def _rollback(release: Release) -> str:
    if release["current"]:
        return "serves now"
    return "can be gone back to" if release["rollback_target"] else "cannot be gone back to"


def _described(release: Release) -> str:
    return (
        release["description"]
        if release["status"] == "succeeded"
        else f"{release['description']}  {_status(release)}"
    )


def _status(release: Release) -> str:
    reason = release["reason"].partition(":")[0].rstrip(".")
    return reason or release["status"]
