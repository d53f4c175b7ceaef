"""One invocation of `mini`: its global options, and from them the server, the app and the output."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import typer

from cli.output import Output, complain
from paas.errors import InvalidError

if TYPE_CHECKING:
    from datetime import datetime

    from cli.client import Client


@dataclass
class Invocation:
    """What every command is given. The parser sets the options; commands only read."""

    environ: Mapping[str, str]
    clock: "Callable[[], datetime]"
    app_option: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    start: bool = True

    @cached_property
    def output(self) -> Output:
        return Output(json_wanted=self.json, quiet=self.quiet)

    @property
    def is_served(self) -> bool:
        """Whether there is a server to ask without one being started."""
        from cli.target import is_ready, target_from

        return is_ready(target_from(self.environ))

    @cached_property
    def client(self) -> "Client":
        """The client of the server, which is started where it is local and does not run."""
        from cli.client import Client
        from cli.target import reach

        target = reach(self.environ, say=self.notice, start=self.start)
        return Client(target, trace=self._trace if self.verbose else None)

    @cached_property
    def app(self) -> str:
        """The app that the command is for; raises InvalidError naming the apps there are."""
        if name := self.find_app():
            return name
        raise InvalidError(f"No app is named. Use -a APP, or set MINI_APP. {_choice(self._app_names())}")

    @property
    def now(self) -> "datetime":
        return self.clock()

    def find_app(self) -> str | None:
        """Return the app of -a, else MINI_APP, else the git remote `mini` of this repository, else None."""
        if name := self.app_option or self.environ.get("MINI_APP"):
            return name
        from cli.git import app_of_remote

        return app_of_remote()

    def notice(self, text: str) -> None:
        """Say something about mini itself on stderr, unless quiet."""
        if not self.quiet:
            print(f" •    {text}", file=sys.stderr, flush=True)

    def confirm(self, app: str, confirmed: str | None, *, what: str) -> None:
        """Return when the user has typed the app's name, or gave it with --confirm; raises InvalidError otherwise."""
        if confirmed is None:
            if not sys.stdin.isatty():
                raise InvalidError(f"{what} Confirm it with --confirm {app}; nothing was changed.")
            complain(f"{what}\nType {app} to go on:")
            confirmed = sys.stdin.readline().strip()
        if confirmed != app:
            raise InvalidError(f"{confirmed!r} is not {app!r}; nothing was changed.")

    def _trace(self, text: str) -> None:
        print(f" •    {text}", file=sys.stderr, flush=True)

    def _app_names(self) -> list[str]:
        from cli.documents import App

        return [app["name"] for app in self.client.get("/v1/apps", list[App])]


def invocation(ctx: typer.Context) -> Invocation:
    """Return the invocation that a command runs in."""
    found = ctx.find_object(Invocation)
    if found is None:
        raise RuntimeError("the command was not started by cli.main")
    return found


def _choice(names: list[str]) -> str:
    return f"Apps: {', '.join(names)}." if names else "There is no app yet: make one with `mini create NAME`."
