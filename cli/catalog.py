"""All commands at a glance, so that help and one command start without the modules of the others. Data only."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A command, or a group of them, and the module under `cli.commands` that has it."""

    name: str
    module: str
    help: str


SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Apps": (
        Entry("create", "apps", "Create an app."),
        Entry("apps", "apps", "List the apps."),
        Entry("info", "apps", "Show an app."),
        Entry("open", "apps", "Open an app in the browser."),
        Entry("rename", "apps", "Rename an app."),
        Entry("destroy", "apps", "Destroy an app."),
    ),
    "Builds and releases": (
        Entry("push", "push", "Build a commit and release it."),
        Entry("builds", "builds", "List, show and cancel builds."),
        Entry("releases", "releases", "List and show releases."),
        Entry("diff", "releases", "Show what differs between two releases."),
        Entry("rollback", "rollback", "Go back to an earlier release."),
        Entry("config", "config", "Show and change config vars."),
    ),
    "Processes": (
        Entry("ps", "ps", "List the instances."),
        Entry("scale", "ps", "Set how many instances run."),
        Entry("restart", "ps", "Restart instances."),
        Entry("stop", "ps", "Stop one instance."),
        Entry("run", "run", "Run a one-off command."),
        Entry("logs", "logs", "Show the log."),
        Entry("local", "local", "Run the Procfile here, in the foreground."),
    ),
    "Traffic": (
        Entry("domains", "domains", "List, add and remove domains."),
        Entry("routes", "domains", "List where requests go."),
        Entry("maintenance", "traffic", "Show, start and end maintenance."),
        Entry("sticky", "traffic", "Show, start and end sticky sessions."),
        Entry("checks", "checks", "Show and run health checks."),
    ),
    "mini itself": (
        Entry("server", "server", "Start, stop and look at the server."),
        Entry("events", "events", "Show what happened."),
        Entry("doctor", "upkeep", "Check the machine and the server."),
        Entry("gc", "upkeep", "Remove what nothing needs any more."),
        Entry("completion", "about", "Print the completion script of a shell."),
        Entry("version", "about", "Print the version."),
    ),
}

CATALOG: dict[str, Entry] = {entry.name: entry for section in SECTIONS.values() for entry in section}

GROUPS = frozenset({"builds", "checks", "config", "domains", "releases", "server"})
"""Those of the catalog that have commands of their own."""

SWITCHES = frozenset({"maintenance", "sticky"})
"""Commands whose first argument is `on` or `off`: `maintenance:on` is `maintenance on`."""

ALIASES: dict[str, str] = {
    "apps:create": "create",
    "apps:destroy": "destroy",
    "apps:info": "info",
    "apps:list": "apps",
    "apps:open": "open",
    "apps:rename": "rename",
    "ps:list": "ps",
    "ps:restart": "restart",
    "ps:scale": "scale",
    "ps:stop": "stop",
    "releases:diff": "diff",
    "releases:rollback": "rollback",
}
"""Colon forms of commands that stand alone; `GROUP:COMMAND` of a group needs no entry."""


def expanded(arguments: list[str]) -> list[str]:
    """Return a command and its arguments with the colon form taken apart: `config:set A=1` is `config set A=1`.

    A space does for the colon everywhere: `ps scale web=2` is `ps:scale web=2`.
    """
    name, *rest = arguments
    if name in ALIASES:
        return [ALIASES[name], *rest]
    if rest and (spaced := f"{name}:{rest[0]}") in ALIASES:
        return [ALIASES[spaced], *rest[1:]]
    group, colon, command = name.partition(":")
    return [group, command, *rest] if colon and command and group in GROUPS | SWITCHES else arguments
