"""Who runs on this machine because of one server: its instances, and what nobody should have left behind."""

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.e2e.harness import Mini, alive
from tests.eventually import eventually


def marked(mini: Mini) -> dict[int, str]:
    """Return what runs for the server but its planes: each process with its instance's id, builds without one."""
    found = {}
    folder = f"{mini.home}/".encode()
    for entry in Path("/proc").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if entry.name.isdigit() and alive(int(entry.name)):
                variables = dict(
                    each.partition(b"=")[::2] for each in (entry / "environ").read_bytes().split(b"\0")
                )
                if variables.get(b"HOME", b"").startswith(folder):
                    found[int(entry.name)] = variables.get(b"MINI_INSTANCE_ID", b"").decode()
    return found


def orphans(mini: Mini) -> dict[int, str]:
    """Return the processes that belong to no instance which `mini ps` shows."""
    known = {row["id"] for rows in shown(mini).values() for row in rows}
    return {pid: id for pid, id in marked(mini).items() if id not in known}


def shown(mini: Mini) -> dict[str, list[dict[str, Any]]]:
    """Return what `mini ps` shows, by app."""
    return {app["name"]: mini.instances(app["name"]) for app in mini.api("/v1/apps")}


def assert_no_orphans(mini: Mini) -> None:
    """Assert that ten seconds from now at most every process belongs to an instance, and no place is taken twice."""
    eventually(lambda: not orphans(mini) and not doubles(mini), within=10)


def doubles(mini: Mini) -> list[str]:
    """Return the places that more than one instance takes."""
    places = Counter(f"{app} {row['name']}" for app, rows in shown(mini).items() for row in rows)
    return [place for place, count in places.items() if count > 1]
