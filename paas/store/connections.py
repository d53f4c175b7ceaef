"""Connections to the database: one that writes, many that read beside it. It never knows a table."""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import local

from sqlalchemy import (
    Connection,
    Engine,
    QueuePool,
    RowMapping,
    Select,
    Table,
    UpdateBase,
    create_engine,
    event,
)

from paas.store.errors import translating

Query = Select[*tuple[object, ...]]

JOURNAL_LIMIT = 64 * 1024 * 1024
BUSY_TIMEOUT = 5.0
READERS = 16

_PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # Without it INSERT OR REPLACE deletes rows behind the back of the triggers that forbid it.
    "PRAGMA recursive_triggers = ON",
    "PRAGMA trusted_schema = OFF",
    # A data key that was deleted must not live on in a free page.
    "PRAGMA secure_delete = ON",
    f"PRAGMA journal_size_limit = {JOURNAL_LIMIT}",
)


class _Joined(local):
    """What a thread is in the middle of: whatever it asks for meanwhile is a part of it."""

    writer: Connection | None = None
    reader: Connection | None = None


class Connections:
    """Short transactions on one database file. Safe for threads."""

    def __init__(self, path: Path, *, on_full: Callable[[], None], watched: Collection[Table] = ()) -> None:
        self._on_full = on_full
        self.version = 0
        """Rises with each commit that has changed a table that is watched; once it is read, so is all before it."""
        self._watched = frozenset(watched)
        self._changed = False
        # A pool of one is the writers' lock, with a deadline.
        self._writer = _engine(path, readers=0, begin="BEGIN IMMEDIATE")
        self._readers = _engine(path, readers=READERS, begin="BEGIN")
        event.listen(self._writer, "before_execute", self._watch)
        self._joined = _Joined()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection inside a transaction that sees every earlier one; commits at the end, or nothing happens.

        Raises DiskFullError, DamagedStoreError, ConflictError or RefusedByStoreError for what SQLite says.
        """
        if self._joined.writer is not None:
            yield self._joined.writer
            return
        with translating(on_full=self._on_full), self._writer.connect() as connection:
            self._changed = False
            try:
                with connection.begin():
                    yield connection
            finally:  # still the only writer, and what was written can be read
                self.version += self._changed

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database; raises as `write` does."""
        if joined := self._joined.writer or self._joined.reader:
            yield joined
            return
        with translating(on_full=self._on_full), self._readers.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make one transaction of all that this thread writes and reads inside: it commits at the end, or nothing of it
        happens. What is raised inside is to leave it; raises as `write` does."""
        with self.write() as connection:
            outer, self._joined.writer = self._joined.writer, connection
            try:
                yield
            finally:
                self._joined.writer = outer

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that this thread reads inside see one moment of the database; raises as `write` does."""
        with self.read() as connection:
            outer, self._joined.reader = self._joined.reader, connection
            try:
                yield
            finally:
                self._joined.reader = outer

    def rows(self, query: Query) -> Sequence[RowMapping]:
        """Return all rows of one query; raises as `write` does."""
        with self.read() as connection:
            return connection.execute(query).mappings().all()

    def truncate_journal(self) -> None:
        """Fold the write-ahead log into the database and empty it, so that no old page is left there."""
        with translating(on_full=self._on_full), self._writer.connect() as connection:
            raw = connection.connection.driver_connection
            if raw is not None:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection; the last one folds the write-ahead log into the database."""
        self._readers.dispose()
        self._writer.dispose()

    def _watch(self, _connection: Connection, statement: object, *_: object) -> None:
        self._changed |= isinstance(statement, UpdateBase) and statement.table in self._watched


def connect(path: Path) -> sqlite3.Connection:
    """Return a raw connection with all PRAGMAs set and no transaction begun on its own."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _engine(path: Path, *, readers: int, begin: str) -> Engine:
    def creator() -> sqlite3.Connection:
        connection = connect(path)
        if readers:
            connection.execute("PRAGMA query_only = ON")
        return connection

    engine = create_engine(
        "sqlite://",
        creator=creator,
        poolclass=QueuePool,
        pool_size=readers or 1,
        max_overflow=readers,
        pool_timeout=30,
    )
    # pysqlite begins late and deferred; a reader that turns writer fails at once, whatever the busy timeout.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine
