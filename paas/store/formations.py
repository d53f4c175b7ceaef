"""Formations: how many instances of each type an app should have, and what was asked of single slots."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from paas.domain.formation import Slot
from paas.domain.ids import AppId
from paas.domain.names import ProcessType
from paas.store.apps import living
from paas.store.connections import Connections
from paas.store.schema import formations, slots

SlotKey = tuple[ProcessType, int]


class Formations:
    """The formation of every living app."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def get(self, app: AppId) -> dict[ProcessType, int]:
        """Return how many of each type were asked for; types that nobody asked about are not in it."""
        query = select(formations).where(formations.c.app == app).order_by(formations.c.type)
        return {row["type"]: row["count"] for row in self._connections.rows(query)}

    def set(self, app: AppId, counts: Mapping[ProcessType, int]) -> None:
        """Set the counts of those types, all or none; their stopped slots run again. Raises NotFoundError."""
        with self._connections.write() as connection:
            living(connection, app)
            for name, count in counts.items():
                row = insert(formations).values(app=app, type=name, count=count)
                connection.execute(
                    row.on_conflict_do_update(index_elements=["app", "type"], set_={"count": count})
                )
            _run_again(connection, app, counts)

    def all(self) -> dict[AppId, dict[ProcessType, int]]:
        """Return every formation, by app."""
        found: dict[AppId, dict[ProcessType, int]] = defaultdict(dict)
        for row in self._connections.rows(select(formations)):
            found[row["app"]][row["type"]] = row["count"]
        return dict(found)

    def slots(self) -> dict[AppId, dict[SlotKey, Slot]]:
        """Return the slots that were ever restarted or stopped, by app."""
        query = select(slots).where(or_(slots.c.epoch > 0, slots.c.stopped_for.is_not(None)))
        found: dict[AppId, dict[SlotKey, Slot]] = defaultdict(dict)
        for row in self._connections.rows(query):
            slot = Slot(row["type"], row["index"], row["epoch"], row["stopped_for"])
            found[row["app"]][slot.type, slot.index] = slot
        return dict(found)

    def restart(self, app: AppId, slots: Sequence[SlotKey]) -> None:
        """Raise the epoch of those slots by one, and run those that were stopped; raises NotFoundError."""
        with self._connections.write() as connection:
            living(connection, app)
            for name, index in slots:
                _ask(connection, app, Slot(name, index, epoch=1))

    def stop_slot(self, app: AppId, type: ProcessType, index: int, *, version: int) -> None:  # noqa: A002 - glossary
        """Keep a slot stopped while that version serves, or until restart or scale; raises NotFoundError."""
        with self._connections.write() as connection:
            living(connection, app)
            _ask(connection, app, Slot(type, index, stopped_for=version))


def _ask(connection: Connection, app: AppId, slot: Slot) -> None:
    values = {"type": slot.type, "index": slot.index, "epoch": slot.epoch, "stopped_for": slot.stopped_for}
    row = insert(slots).values(app=app, **values)
    connection.execute(
        row.on_conflict_do_update(
            index_elements=["app", "type", "index"],
            set_={"epoch": slots.c.epoch + slot.epoch, "stopped_for": slot.stopped_for},
        )
    )


def _run_again(connection: Connection, app: AppId, types: Iterable[ProcessType]) -> None:
    stopped = (slots.c.app == app, slots.c.type.in_(list(types)), slots.c.stopped_for.is_not(None))
    connection.execute(update(slots).where(*stopped).values(stopped_for=None))
