"""What somebody who can write to the database's file could do: drop the triggers, change rows, put the triggers back."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from paas.domain.ids import ConfigId
from paas.settings import Settings

Place = tuple[ConfigId, str]


@contextmanager
def without_triggers(settings: Settings) -> Iterator[sqlite3.Connection]:
    """Give a connection to a database whose triggers are away for a while."""
    with closing(sqlite3.connect(settings.database, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, statement in triggers:
            connection.execute(statement)


def encrypted(settings: Settings, config: ConfigId) -> list[bytes]:
    """Return the values of a config as the database keeps them."""
    with closing(sqlite3.connect(settings.database)) as connection:
        rows = connection.execute("SELECT value FROM config_values WHERE config = ?", (config,))
        return [value for (value,) in rows]


def copy_secret(settings: Settings, *, source: Place, target: Place) -> None:
    """Put one encrypted value in the place of another."""
    with without_triggers(settings) as connection:
        connection.execute(
            "UPDATE config_values SET value = (SELECT value FROM config_values WHERE config = ? AND key = ?) "
            "WHERE config = ? AND key = ?",
            (*source, *target),
        )
