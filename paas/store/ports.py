"""Ports for instances: 20000 to 29999, each held by one living instance, handed out in turn from a random start."""

from collections.abc import Callable, Collection

from sqlalchemy import Connection, select

from paas.errors import ConflictError
from paas.store.meta import PORTS, get_value, set_value
from paas.store.schema import instances

FIRST = 20000


def allot(connection: Connection, *, avoid: Collection[int], is_free: Callable[[int], bool]) -> int:
    """Return a port that no living instance holds, that is not in `avoid` and is free, inside a caller's transaction.

    Ports come in turn, so that one just freed is the last to be handed out again. Raises ConflictError.
    """
    living = select(instances.c.port).where(instances.c.ended_at.is_(None), instances.c.port.is_not(None))
    taken = {*connection.scalars(living), *avoid}
    cursor = int(get_value(connection, "port_cursor"))
    for step in range(PORTS):
        offset = (cursor + step) % PORTS
        if FIRST + offset not in taken and is_free(FIRST + offset):
            set_value(connection, "port_cursor", str((offset + 1) % PORTS))
            return FIRST + offset
    raise ConflictError(f"All ports from {FIRST} to {FIRST + PORTS - 1} are in use. Scale something down.")
