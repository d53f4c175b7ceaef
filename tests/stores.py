"""Real stores for tests: a database that was migrated once is copied for each."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from paas.clock import Clock, SystemClock
from paas.settings import Settings
from paas.store.database import Store
from paas.store.migrate import migrate


def open_store(tmp_path: Path, *, settings: Settings | None = None, clock: Clock | None = None) -> Store:
    """Return a new store in `tmp_path / "home"`, or where `settings` says; one that is there is opened again."""
    settings = settings or Settings(home=tmp_path / "home")
    if not settings.database.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        settings.database.write_bytes(_template())
    return Store.open(settings, clock=clock or SystemClock())


@cache
def _template() -> bytes:
    with TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        migrate(settings, clock=SystemClock())
        return settings.database.read_bytes()
