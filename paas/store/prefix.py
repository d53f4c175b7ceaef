"""Finding a row of an app by the beginning of its id, as git does. It never guesses between two."""

from sqlalchemy import Connection, Table, select

from paas.domain.ids import AppId
from paas.errors import InvalidError, NotFoundError


def by_prefix(connection: Connection, table: Table, *, app: AppId, prefix: str, noun: str) -> str:
    """Return the one id of `table` that begins with `prefix`; raises NotFoundError, or InvalidError for several."""
    beginning = table.c.id.startswith(prefix, autoescape=True)
    query = select(table.c.id).where(table.c.app == app, beginning).order_by(table.c.sequence.desc()).limit(2)
    found = connection.scalars(query).all() if prefix else []
    if not found:
        raise NotFoundError(f"The app has no {noun} {prefix!r}.")
    if len(found) > 1:
        raise InvalidError(
            f"{prefix!r} is the beginning of several {noun}s, such as {found[0]} and {found[1]}."
        )
    return str(found[0])
