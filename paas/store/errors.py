"""What only the store can meet, and the one place where SQLite's errors become ours. It never retries anything."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from paas.errors import ConflictError, DiskFullError, InvalidError, PaasError


class DamagedStoreError(PaasError):
    """The database is damaged; nothing was changed. Restore the newest file of `backups` in the state directory."""


class BusyStoreError(ConflictError):
    """Another program holds the database of this server. Close it and try again."""


class RefusedByStoreError(InvalidError):
    """The database refused the change; nothing was changed."""


PASSING = (DiskFullError, BusyStoreError)
"""What the same request may not meet again in a while."""


@contextmanager
def translating(*, on_full: Callable[[], None]) -> Iterator[None]:
    """Raise what SQLite and the disk say as an error of ours; calls `on_full` first where the disk is full."""
    try:
        yield
    except (OverflowError, UnicodeEncodeError) as error:
        raise InvalidError(
            f"The database cannot keep that: {error}. Nothing was changed; send a smaller number, or UTF-8 text."
        ) from error
    except (exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
        problem = _translated(error)
        if problem is None:
            raise
        if isinstance(problem, DiskFullError):
            on_full()
        raise problem from error


def _translated(error: exc.SQLAlchemyError | sqlite3.Error | OSError) -> PaasError | None:
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    match origin:
        case sqlite3.Error():
            return _from_sqlite(origin)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            return DiskFullError()
        case exc.TimeoutError():
            return BusyStoreError("The database is busy: this change waited for 30 seconds. Try again.")
        case _:
            return None


def _from_sqlite(error: sqlite3.Error) -> PaasError:
    extended = getattr(error, "sqlite_errorcode", 0)
    match extended & 0xFF:  # the primary result code (sqlite.org/rescode.html)
        case sqlite3.SQLITE_FULL:
            return DiskFullError()
        # A quota (EDQUOT) or a file size limit (EFBIG) is told as a failed write, not as SQLITE_FULL.
        case sqlite3.SQLITE_IOERR if extended == sqlite3.SQLITE_IOERR_WRITE:
            return DiskFullError()
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return BusyStoreError()
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_IOERR:
            return DamagedStoreError(
                f"The database cannot be read ({error}). Restore the newest file of `backups` in the state directory."
            )
        case sqlite3.SQLITE_CONSTRAINT:
            return RefusedByStoreError(f"The database refused the change: {error}. Nothing was changed.")
        case _:
            return PaasError(f"The database did not take the request: {error}. Look into `mini server logs`.")
