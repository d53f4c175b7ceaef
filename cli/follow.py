"""Following a deployment to its end: its output, Ctrl-C, and what came out. It never begins one."""

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import typer

from cli.client import app_path
from cli.documents import Deployment, DeploymentEnd, OutputLine
from cli.invocation import Invocation
from cli.output import complain
from cli.waiting import pause
from paas.errors import PaasError, UnreachableError

T = TypeVar("T")

_ENDED = ("succeeded", "failed", "cancelled")
_ATTEMPTS = 120
_BETWEEN = 0.25
"""A server that restarts is back in a second or two; one that stays away is given up after half a minute."""


def watch(mini: Invocation, begun: Deployment) -> Deployment:
    """Show the output as it comes, then what came out where it did not say so; return the deployment when it has
    succeeded."""
    shown: list[str] = []

    def show(line: OutputLine) -> None:
        mini.output.output_line(line["kind"], line["text"])
        shown[:] = [line["text"]]

    ended = _succeeded(mini, follow(mini, begun, show=show), said=shown)
    if not ended["changed"] and ended["reason"] not in shown:
        mini.output.progress(ended["reason"])
    return ended


def complete(mini: Invocation, begun: Deployment, *, sentence: str) -> Deployment:
    """Show `sentence` and wait; the output is shown where it fails, or with -v. Returns the deployment."""
    lines: list[OutputLine] = []
    mini.output.begin(sentence)
    ended = follow(mini, begun, show=lines.append)
    if ended["state"] != "succeeded" or mini.verbose or any(line["kind"] == "warning" for line in lines):
        mini.output.break_line()
        for line in lines:
            mini.output.output_line(line["kind"], line["text"])
    return _succeeded(mini, ended, said=[line["text"] for line in lines])


def follow(mini: Invocation, begun: Deployment, *, show: Callable[[OutputLine], None]) -> Deployment:
    """Return the deployment once it has ended; Ctrl-C cancels it and raises KeyboardInterrupt."""
    path = app_path(begun["app"], "deployments", begun["id"])
    latest = begun

    def lines(after: int | None) -> Iterator[OutputLine]:
        nonlocal latest
        for record in mini.client.stream(f"{path}/output", dict[str, object], after=after):
            if "deployment" in record:
                latest = cast(DeploymentEnd, record)["deployment"]
            else:
                yield cast(OutputLine, record)

    def has_ended() -> bool:
        nonlocal latest
        if latest["state"] not in _ENDED:  # the stream of a server that stops ends early
            latest = mini.client.get(path, Deployment)
        return latest["state"] in _ENDED

    if begun["state"] in _ENDED and not begun["changed"]:
        return begun
    try:
        for line in resumed(lines, cursor=lambda line: line["sequence"], ended=has_ended):
            show(line)
    except KeyboardInterrupt:
        _cancel(mini, path)
        raise
    return latest


def resumed(
    begin: Callable[[int | None], Iterator[T]], *, cursor: Callable[[T], int], ended: Callable[[], bool]
) -> Iterator[T]:
    """Yield the records of a stream, going on after the last one where the connection breaks off.

    `begin` is given the cursor of the last record, None before the first. Raises UnreachableError where the server
    stays away.
    """
    after: int | None = None
    failures = 0
    while True:
        try:
            for record in begin(after):
                after, failures = cursor(record), 0
                yield record
            if ended():
                return
        except UnreachableError:
            failures += 1
            if failures > _ATTEMPTS:
                raise
        pause(_BETWEEN)


def _cancel(mini: Invocation, path: str) -> None:
    mini.output.break_line()
    complain("Cancelling …")
    try:
        mini.client.change("POST", f"{path}/cancel", Deployment)
    except PaasError as error:
        complain(error.message)


def _succeeded(mini: Invocation, ended: Deployment, *, said: list[str]) -> Deployment:
    if ended["state"] == "succeeded":
        return ended
    if mini.json:
        mini.output.result(ended, [])
    mini.output.break_line()
    if ended["reason"] not in said:
        complain(ended["reason"] or f"The deployment {ended['state']}.")
    raise typer.Exit(ended["exit_code"] or 1)
