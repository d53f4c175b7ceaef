"""Who runs on this machine because of one server: its instances, and what nobody should have left behind."""

from collections import Counter
from typing import Any

from tests.e2e.harness import Mini
from tests.eventually import eventually


def orphans(mini: Mini) -> dict[str, str]:
    """Return who belongs to no instance which `mini ps` shows."""
    known = {row["id"] for rows in shown(mini).values() for row in rows}
    return {who: id for who, id in mini.inhabitants().items() if id not in known}


def shown(mini: Mini) -> dict[str, list[dict[str, Any]]]:
    """Return what `mini ps` shows, by app."""
    return {app["name"]: mini.instances(app["name"]) for app in mini.api("/v1/apps")}


def assert_no_orphans(mini: Mini) -> None:
    """Assert that ten seconds from now at most everything belongs to an instance, and no place is taken twice."""
    eventually(lambda: not orphans(mini) and not doubles(mini), within=10)


def doubles(mini: Mini) -> list[str]:
    """Return the places that more than one instance takes."""
    places = Counter(f"{app} {row['name']}" for app, rows in shown(mini).items() for row in rows)
    return [place for place, count in places.items() if count > 1]
