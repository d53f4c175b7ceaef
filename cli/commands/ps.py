"""Instances: list, scale, restart, stop."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated

import typer

from cli.client import app_path
from cli.documents import Formation, Instance, Restart
from cli.invocation import Invocation, invocation
from cli.output import ENGINE_IS_SILENT, command_shown, heading
from cli.parser import Commands
from cli.times import shown
from paas.errors import InvalidError, NotFoundError

commands = Commands()

_LEAVING = ("draining", "stopping", "stopped")
"""States of instances that are listed while they last, and counted no more."""
_ONE_OFFS = "run"
_NOTHING_SERVES = "No release of {app} serves yet: make one with `mini push`."
_TOKEN = re.compile(r"(.*[^=+])[=+-][0-9]{1,9}")
_TYPE = re.compile(r"[A-Za-z0-9_-]+")


@commands.add("ps", example="mini ps web")
def ps(
    ctx: typer.Context,
    types: Annotated[list[str] | None, typer.Argument(metavar="TYPE...", help="Only these types.")] = None,
) -> None:
    """List the instances."""
    mini = invocation(ctx)
    found = mini.client.get(app_path(mini.app, "instances"), list[Instance])
    if types:
        found = _of_types(mini, found, types)
    if not found:
        mini.output.progress(_why_nothing_runs(mini))
    if any(instance["state"] == "unknown" for instance in found):
        mini.output.progress(ENGINE_IS_SILENT)
    mini.output.result(found, _listed(mini, found))


@commands.add("scale", example="mini scale web=3 worker+1")
def scale(
    ctx: typer.Context,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="TYPE=N|TYPE+N|TYPE-N...", help="All of them, or none.")
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Do not wait for what is added to be up.")
    ] = False,
) -> None:
    """Set how many instances run.

    Without arguments it prints the formation in the form that it takes.
    """
    mini = invocation(ctx)
    path = app_path(mini.app, "formation")
    if not changes:
        formation = mini.client.get(path, Formation)
        counts = " ".join(f"{kind}={count}" for kind, count in formation["types"].items())
        if not counts:
            mini.output.progress(_NOTHING_SERVES.format(app=mini.app))
        mini.output.result(formation, [counts] if counts else [])
        return
    scaled = _types_scaled(changes)
    mini.output.begin("Scaling processes...")
    formation = mini.client.change("PATCH", path, Formation, body={"changes": changes, "wait": not no_wait})
    counts = ", ".join(
        f"{kind} at {formation['types'][kind]}" for kind in scaled if kind in formation["types"]
    )
    mini.output.result(formation, [f"done, now running {counts}"])


@commands.add("restart", example="mini restart web.1")
def restart(
    ctx: typer.Context,
    target: Annotated[
        str | None, typer.Argument(metavar="TYPE[.N]", help="A type or an instance; else all.")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until they are up.")] = False,
) -> None:
    """Restart instances.

    A new copy of a web instance is up before the old one is stopped.
    """
    mini = invocation(ctx)
    mini.output.begin(f"Restarting {target or mini.app}...")
    body = {"target": target, "wait": not no_wait}
    restarted = mini.client.change("POST", app_path(mini.app, "restarts"), Restart, body=body)
    mini.output.result(restarted, [f"done, {', '.join(restarted['instances']) or 'nothing runs'}"])


@commands.add("stop", example="mini stop worker.2")
def stop(
    ctx: typer.Context, name: Annotated[str, typer.Argument(metavar="TYPE.N", help="The instance.")]
) -> None:
    """Stop one instance.

    It stays stopped until it is restarted or scaled, or a new release comes. A one-off, such as run.1, ends.
    """
    mini = invocation(ctx)
    if "." not in name:
        others = "" if name == _ONE_OFFS else f"; to stop them all, `mini scale {name}=0`"
        raise InvalidError(f"Stop takes one instance, such as {name}.1{others}.")
    mini.output.begin(f"Stopping {name}...")
    stopped = mini.client.change("POST", app_path(mini.app, "instances", name, "stop"), Instance)
    mini.output.result(stopped, ["done"])


def _why_nothing_runs(mini: Invocation) -> str:
    if mini.client.get(app_path(mini.app, "formation"), Formation)["types"]:
        return f"Nothing of {mini.app} runs: see `mini scale`."
    return _NOTHING_SERVES.format(app=mini.app)


def _of_types(mini: Invocation, found: list[Instance], types: list[str]) -> list[Instance]:
    known = {instance["type"] for instance in found}
    if not known.issuperset(types):
        known |= mini.client.get(app_path(mini.app, "formation"), Formation)["types"].keys()
    if unknown := [kind for kind in types if kind not in known]:
        raise NotFoundError(
            f"{mini.app} has no process type {unknown[0]!r}; it has {', '.join(sorted(known))}."
        )
    return [instance for instance in found if instance["type"] in types]


def _listed(mini: Invocation, found: list[Instance]) -> Iterator[str]:
    long_running_first = sorted(found, key=lambda instance: instance["one_off"])
    for number, (kind, group) in enumerate(
        groupby(long_running_first, key=lambda instance: instance["type"])
    ):
        instances = list(group)
        if number:
            yield ""
        what = "one-off processes" if instances[0]["one_off"] else command_shown(instances[0]["command"])
        wanted = sum(instance["state"] not in _LEAVING for instance in instances)
        yield heading(f"{kind}: {what} ({wanted})")
        for instance in instances:
            yield _line(mini, instance)


def _line(mini: Invocation, instance: Instance) -> str:
    parts = [f"{instance['name']}: {_state(mini, instance)}", f"v{instance['release']}"]
    if instance["state"] not in ("crashed", "stopped") and instance["port"] is not None:
        parts.append(f":{instance['port']}")
    if instance["one_off"] and instance["command"]:
        parts.append(instance["command"])
    return "  ".join(parts)


def _state(mini: Invocation, instance: Instance) -> str:
    if instance["state"] != "crashed":
        return f"{instance['state']} {shown(instance['since'], mini.now)}"
    facts = [] if instance["retry_in"] is None else [f"retry in {instance['retry_in']:.0f}s"]
    facts.append(f"{instance['restarts']} restart{'' if instance['restarts'] == 1 else 's'}")
    if instance["exit"]:
        facts.append(instance["exit"])
    return f"crashed ({', '.join(facts)})"


def _types_scaled(tokens: list[str]) -> list[str]:
    """Return the types that the tokens name; raises InvalidError for the first that is none, whatever the app has."""
    types = []
    for at, token in enumerate(tokens):
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise InvalidError(f"{token!r} is no scale; nothing was changed. Write {_meant(*tokens[at:])}.")
        types.append(match[1])
    return list(dict.fromkeys(types))


def _meant(token: str, count: str = "", *_: str) -> str:
    """Return what to write for a token that is none: `web 3` is meant as web=3."""
    if not _TYPE.fullmatch(token):
        return "web=2, web+1 or web-1"
    return f"{token}={count if count.isdecimal() else 2}"
