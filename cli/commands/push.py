"""Push: a commit of this repository becomes a release. What happens with it is the server's story."""

from functools import cache
from pathlib import Path
from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import App, Deployment
from cli.follow import watch
from cli.git import add_remote, changes, folder_as_name, has_remote, resolve, upload
from cli.invocation import Invocation, invocation
from cli.parser import Commands
from cli.times import seconds
from paas.errors import InvalidError, NameTakenError

commands = Commands()


@commands.add("push", example="mini push -m 'new checkout'")
def push(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="A branch, tag or commit.")] = "HEAD",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Build afresh, even what already runs.")
    ] = False,
    message: Annotated[
        str, typer.Option("-m", "--message", metavar="MSG", help="The release's description.")
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Do not wait; print the deployment's id.")] = False,
    wait_lock: Annotated[
        str, typer.Option("--wait-lock", metavar="TIME", help="How long to queue behind another deployment.")
    ] = "15m",
) -> None:
    """Build a commit and release it.

    The commit is built, never the work tree. Without an app, one named after the folder is created.
    Ctrl-C cancels. `git push mini main` does the same.
    """
    mini = invocation(ctx)
    body = {"message": message, "no_cache": no_cache, "wait_lock": seconds(wait_lock, option="--wait-lock")}
    find = cache(lambda: resolve(ref))
    if not mini.is_served:  # none is started for what cannot be pushed
        find()
    with changes() as are_there_changes:
        app = mini.find_app() or _create(mini, find().folder)
        pushed = upload(mini.client.target, app, find)
        if are_there_changes():
            mini.output.warn(
                f"The work tree has changes that are not committed: {pushed.short} is pushed without them."
            )
    request = {**body, "commit": pushed.commit, "ref": pushed.ref}
    deployment = mini.client.change("POST", app_path(app, "deployments"), Deployment, body=request)
    if detach:
        mini.output.result(deployment, [deployment["id"]])
    else:
        ended = watch(mini, deployment)
        mini.output.result(ended, [f"v{ended['release'] or ended['serving']}  {ended['url']}"])


def _create(mini: Invocation, folder: Path) -> str:
    name = folder_as_name(folder)
    try:
        app = mini.client.change("POST", "/v1/apps", App, body={"name": name})["name"]
    except NameTakenError:
        raise InvalidError(
            f"The app {name} exists already. Type `mini push -a {name}` to push to it, "
            "or `mini create NAME` to make another one here."
        ) from None
    if not has_remote():
        add_remote(app)
    mini.output.progress(f"Created {app}, and the git remote `mini`.")
    return app
