"""The routing table at rest and in use: its JSON form, its file, and which app a host belongs to.

It never decides who is in the table: the supervisor does, and the router takes it as it comes.
"""

import json
import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from paas.domain.ids import AppId, InstanceId
from paas.domain.names import AppName
from paas.domain.route import Backend, RoutedApp, RoutedCertificate, RoutingTable
from paas.errors import InvalidError

T = TypeVar("T")

log = logging.getLogger(__name__)

Fields = dict[str, Any]
"""A parsed JSON object, whose members are checked by what is made of them."""


def to_json(table: RoutingTable) -> str:
    """Return the table as one line of JSON."""
    return json.dumps(asdict(table), separators=(",", ":"))


def from_json(text: str | bytes) -> RoutingTable:
    """Return the table that `to_json` wrote; raises InvalidError for anything else."""
    try:
        document = json.loads(text)
        return RoutingTable(version=int(document["version"]), apps=tuple(map(_app, document["apps"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidError(
            f"This is no routing table: {error!r}. The next change of a route writes it anew."
        ) from error


def load(path: Path) -> RoutingTable:
    """Return the table in the file, the empty table of version 0 where there is none; raises InvalidError."""
    try:
        return from_json(path.read_bytes())
    except FileNotFoundError:
        return RoutingTable(version=0)


def last_table(path: Path) -> RoutingTable:
    """Return the table in the file, the empty table of version 0 where there is none or it cannot be read: that is
    logged, and holds nobody up."""
    try:
        return load(path)
    except (InvalidError, OSError) as error:
        log.warning("the last routing table cannot be read", extra={"path": str(path), "error": str(error)})
        return RoutingTable(version=0)


def _app(fields: Fields) -> RoutedApp:
    # The file may be an earlier mini's: what was added since then is not in it.
    pinned = fields.get("pinned")
    return RoutedApp(
        app=AppId(fields["app"]),
        name=AppName(fields["name"]),
        hosts=tuple(fields["hosts"]),
        backends=tuple(map(_backend, fields["backends"])),
        maintenance=bool(fields["maintenance"]),
        sticky=bool(fields.get("sticky", False)),
        certificates=tuple(
            RoutedCertificate(str(each["host"]), str(each["path"])) for each in fields.get("certificates", ())
        ),
        pinned=None if pinned is None else int(pinned),
    )


def _backend(fields: Fields) -> Backend:
    return Backend(
        instance=InstanceId(fields["instance"]),
        name=str(fields["name"]),
        version=int(fields["version"]),
        address=str(fields["address"]),
        ticket=str(fields.get("ticket", "")),
    )


def write_atomically(table: RoutingTable, path: Path) -> None:
    """Write the table so that whoever reads `path`, also after a power loss, finds a whole one: old or new."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(to_json(table))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def bare_host(host: str) -> str:
    """Return a Host field's value in the one form that routes use: lower case, without port and trailing dot."""
    name, separator, port = host.rpartition(":")
    if separator and not port.endswith("]"):
        host = name
    return host.lower().removesuffix(".")


def find_host(routes: dict[str, T], host: str) -> T | None:
    """Return the route of `host` (as `bare_host` gives it): its own, else that of the longest `*.` above it."""
    found = routes.get(host)
    while found is None:
        _, separator, host = host.partition(".")
        if not separator:
            return None
        found = routes.get(f"*.{host}")
    return found


def lookup(table: RoutingTable, host: str) -> RoutedApp | None:
    """Return the app that a request with this Host field goes to; None where no route matches."""
    return find_host({name: app for app in table.apps for name in app.hosts}, bare_host(host))
