"""A program that writes to a store and says what was acknowledged, line by line, until it is killed or the disk is full.

The full disk is a limit on the size of any file of this process (setrlimit(2), RLIMIT_FSIZE): no root is needed.
"""

import resource
import sys
from pathlib import Path

from paas.clock import SystemClock
from paas.domain.event import EventKind
from paas.domain.names import WEB, app_name
from paas.errors import DiskFullError
from paas.settings import Settings
from paas.store.database import Store
from tests.stores import serve_release


def releases(store: Store) -> None:
    """Switch to one new release after the other."""
    app = store.apps.find(app_name("shop")) or store.apps.create(app_name("shop"))
    while True:
        print(serve_release(store, app, variables={"A": "1"}).version, flush=True)


def until_full(store: Store, settings: Settings) -> None:
    """Append events until the disk is full, then make room and scale down."""
    app = store.apps.create(app_name("shop"))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * 1024 * 1024, unlimited[1]))
    try:
        while True:
            event = store.events.append(EventKind.APP_RENAMED, app=app.id, actor="me", cause="x" * 10000)
            print(event.id)
    except DiskFullError as error:
        print(type(error).__name__)
    print("ballast kept" if settings.ballast.exists() else "ballast dropped")
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    store.formations.set(app.id, {WEB: 0})
    print("scaled")


if __name__ == "__main__":
    home, task = sys.argv[1:]
    chosen = Settings(home=Path(home))
    opened = Store.open(chosen, clock=SystemClock())
    if task == "releases":
        releases(opened)
    until_full(opened, chosen)
