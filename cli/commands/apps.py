"""Apps: create, list, show, open, rename, destroy."""

import os
import sys
from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import App, Release
from cli.invocation import Invocation, invocation
from cli.output import ENGINE_IS_SILENT, aligned, heading
from cli.parser import Commands
from cli.times import shown
from paas.errors import InvalidError

commands = Commands()


@commands.add("create", example="mini create shop")
def create(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Its name, or -a; made up where none is given.")
    ] = None,
) -> None:
    """Create an app.

    In a git repository the remote `mini` is added, where there is none yet.
    """
    mini = invocation(ctx)
    app = mini.client.change("POST", "/v1/apps", App, body={"name": _one_name(name, mini.app_option)})
    _remember(mini, app["name"])
    mini.output.progress(f"Created {app['name']}; push to it with {_how_to_push(app['name'])}.")
    mini.output.result(app, [f"{app['name']}  {app['url']}"])


@commands.add("apps", example="mini apps --json")
def apps(ctx: typer.Context) -> None:
    """List the apps."""
    mini = invocation(ctx)
    found = mini.client.get("/v1/apps", list[App])
    if not found:
        mini.output.progress("There is no app yet: make one with `mini create NAME`.")
    rows = [[app["name"], _version(app), _up(app), app["url"]] for app in found]
    if any(app["instances"] is None for app in found):
        mini.output.progress(ENGINE_IS_SILENT)
    mini.output.result(found, aligned(rows))


@commands.add("info", example="mini info -a shop")
def info(ctx: typer.Context) -> None:
    """Show an app."""
    mini = invocation(ctx)
    app = mini.client.get(app_path(mini.app), App)
    if app["instances"] is None:
        mini.output.progress(ENGINE_IS_SILENT)
    mini.output.result(app, [heading(app["name"]), *aligned(_facts(mini, app))])


@commands.add("open", example="mini open")
def open_app(
    ctx: typer.Context,
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="vN", help="This release alone, while it runs."),
    ] = None,
) -> None:
    """Open an app in the browser.

    Its URL is printed too; without a screen it is only printed. A release that is being deployed can be opened
    as soon as it is healthy, before anybody else is sent to it.
    """
    mini = invocation(ctx)
    url = _release_url(mini, release) if release else mini.client.get(app_path(mini.app), App)["url"]
    mini.output.result({"url": url}, [url])
    if sys.stdout.isatty() and any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    ):
        import webbrowser

        webbrowser.open(url)


@commands.add("rename", example="mini rename store")
def rename(
    ctx: typer.Context, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]
) -> None:
    """Rename an app.

    Its host NAME.localhost changes with it; other domains stay.
    """
    from cli.git import app_of_remote, point_remote

    mini = invocation(ctx)
    old = mini.app
    app = mini.client.change("PATCH", app_path(old), App, body={"name": new})
    if app_of_remote() == old:
        point_remote(app["name"])
    mini.output.progress(f"Renamed {old} to {app['name']}.")
    mini.output.result(app, [f"{app['name']}  {app['url']}"])


@commands.add("destroy", example="mini destroy -a shop --confirm shop")
def destroy(
    ctx: typer.Context,
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="APP", help="The app's name, not to be asked.")
    ] = None,
) -> None:
    """Destroy an app.

    Its processes are stopped, its name is free again, and its config can never be read again. The git remote `mini` of
    this repository goes too where it names the app.
    """
    from cli.git import app_of_remote, drop_remote

    mini = invocation(ctx)
    app = mini.client.get(app_path(mini.app), App)["name"]
    mini.confirm(app, confirm, what=f"This destroys {app}, its config and its domains, for good.")
    mini.output.begin(f"Destroying {app}...")
    mini.client.change("DELETE", app_path(app), type(None))
    if app_of_remote() == app:
        drop_remote()
    mini.output.result({"destroyed": app}, ["done"])


def _release_url(mini: Invocation, reference: str) -> str:
    release = mini.client.get(app_path(mini.app, "releases", reference), Release)
    if release["url"] is not None:
        return release["url"]
    app = mini.client.get(app_path(mini.app), App)
    name = f"v{release['version']}"
    if release["current"]:
        raise InvalidError(
            f"{name} serves {app['name']}, but none of its web instances is up: see `mini ps`."
        )
    if release["status"] == "pending":
        raise InvalidError(
            f"{name} is still being deployed: it can be opened once its web instances are healthy."
        )
    raise InvalidError(
        f"{_version(app)} serves {app['name']}, and {name} does not run: `mini rollback {name}` would release it anew."
    )


def _one_name(argument: str | None, option: str | None) -> str | None:
    """Return the name that NAME or -a gives; raises InvalidError where they give two."""
    if argument and option and argument != option:
        raise InvalidError(
            f"The app would be {argument} by NAME and {option} by -a; nothing was created. Give one name."
        )
    return argument or option


def _remember(mini: Invocation, app: str) -> None:
    from cli.git import add_remote, has_remote, top_folder

    if top_folder() is not None and not has_remote():
        add_remote(app)
        mini.output.progress("Added the git remote `mini`.")


def _how_to_push(app: str) -> str:
    from cli.git import app_of_remote, deploying_refspec

    if app_of_remote() != app:
        return f"`mini push -a {app}`"
    return f"`mini push`, or `git push mini {deploying_refspec()}`"


def _version(app: App) -> str:
    return f"v{app['release']}" if app["release"] is not None else "no release yet"


def _up(app: App) -> str:
    return "unknown" if app["instances"] is None else f"{app['instances']} up"


def _facts(mini: Invocation, app: App) -> list[list[str]]:
    return [
        ["URL:", app["url"]],
        ["Domains:", ", ".join(app["domains"])],
        ["Release:", _version(app)],
        ["Commit:", app["commit"] or "none yet"],
        [
            "Formation:",
            " ".join(f"{kind}={count}" for kind, count in app["formation"].items()) or "empty",
        ],
        ["Instances:", _up(app)],
        ["Git remote:", app["repository"]],
        ["Created:", shown(app["created_at"], mini.now)],
    ]
