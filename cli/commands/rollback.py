"""Rollback: a new release that carries an earlier one."""

from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Deployment, RollbackPreview
from cli.follow import complete
from cli.invocation import invocation
from cli.parser import Commands
from cli.times import seconds

commands = Commands()


@commands.add("rollback", example="mini rollback v41")
def rollback(
    ctx: typer.Context,
    release: Annotated[
        str | None, typer.Argument(metavar="vN", help="Where to; else to what served before this one.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
    wait_lock: Annotated[
        str, typer.Option("--wait-lock", metavar="TIME", help="How long to queue behind another deployment.")
    ] = "15m",
) -> None:
    """Go back to an earlier release.

    It becomes a new release with that one's code and config vars; repeated without vN, it goes further back.
    """
    mini = invocation(ctx)
    limit = seconds(wait_lock, option="--wait-lock")
    path = app_path(mini.app, "rollbacks")
    preview = mini.client.change("POST", path, RollbackPreview, body={"release": release, "dry_run": True})
    if dry_run:
        mini.output.result(preview, _previewed(mini.app, preview))
        return
    # What was announced is what is done, whatever is released in between.
    body = {"release": f"v{preview['target']}", "wait_lock": limit}
    begun = mini.client.change("POST", path, Deployment, body=body)
    ended = complete(mini, begun, sentence=f"Rolling back {mini.app} to v{preview['target']}...")
    mini.output.result(ended, [f"done, v{ended['release']}"])
    mini.output.warn("Affects code and config vars; not scale, domains or data.")
    mini.output.warn(f"To undo, run: mini rollback v{preview['current']}")


def _previewed(app: str, preview: RollbackPreview) -> list[str]:
    return [
        f"Would roll back {app} from v{preview['current']} to v{preview['target']}.",
        f"Commit: {preview['commit'] or 'none'}",
        *(f"Config: {change['key']} {change['change']}" for change in preview["config_changes"]),
    ]
