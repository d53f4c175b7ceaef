"""What only the store can meet, and the one place where SQLite's errors become ours. It never retries anything."""

import sqlite3

from sqlalchemy import exc

from paas.errors import ConflictError, DiskFullError, InvalidError, PaasError


class DamagedStoreError(PaasError):
    """The database is damaged; nothing was changed. Restore the newest file of `backups` in the state directory."""


class RefusedByStoreError(InvalidError):
    """The database refused the change; nothing was changed."""


def translated(error: exc.SQLAlchemyError) -> PaasError:
    """Return the error to raise instead of `error`."""
    if isinstance(error, exc.TimeoutError):
        return ConflictError("The database is busy: other changes have waited for 30 seconds. Try again.")
    origin = error.orig if isinstance(error, exc.DBAPIError) else None
    if not isinstance(origin, sqlite3.Error):
        return PaasError(f"The database did not take the request: {error}")
    return _from_sqlite(origin)


def _from_sqlite(error: sqlite3.Error) -> PaasError:
    extended = getattr(error, "sqlite_errorcode", 0)
    match extended & 0xFF:  # the primary result code (sqlite.org/rescode.html)
        case sqlite3.SQLITE_FULL:
            return DiskFullError()
        # A quota (EDQUOT) or a file size limit (EFBIG) is told as a failed write, not as SQLITE_FULL.
        case sqlite3.SQLITE_IOERR if extended == sqlite3.SQLITE_IOERR_WRITE:
            return DiskFullError()
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return ConflictError("Another program holds the database of this server. Close it and try again.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_IOERR:
            return DamagedStoreError(
                f"The database cannot be read ({error}). Restore the newest file of `backups` in the state directory."
            )
        case sqlite3.SQLITE_CONSTRAINT:
            return RefusedByStoreError(f"The database refused the change: {error}. Nothing was changed.")
        case _:
            return PaasError(f"The database did not take the request: {error}. Look into `mini server logs`.")
