"""Traffic rules: which apps are in maintenance, and which have sticky sessions."""

from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.sqlite import insert

from paas.domain.ids import AppId
from paas.domain.traffic import TrafficRule
from paas.store.apps import living
from paas.store.connections import Connections
from paas.store.schema import traffic


class TrafficRules:
    """The traffic rule of every living app; an app that nobody asked anything of has the default one."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def get(self, app: AppId) -> TrafficRule:
        """Return an app's rule."""
        rows = self._connections.rows(select(traffic).where(traffic.c.app == app))
        return _rule_from(rows[0]) if rows else TrafficRule()

    def all(self) -> dict[AppId, TrafficRule]:
        """Return the rule of each app that has one."""
        return {row["app"]: _rule_from(row) for row in self._connections.rows(select(traffic))}

    def set(
        self, app: AppId, *, maintenance: bool | None = None, sticky: bool | None = None
    ) -> tuple[TrafficRule, TrafficRule]:
        """Change what is given and return the rule before and after; raises NotFoundError for a destroyed app."""
        given = {"maintenance": maintenance, "sticky": sticky}
        values = {name: int(value) for name, value in given.items() if value is not None}
        one = select(traffic).where(traffic.c.app == app)
        with self._connections.write() as connection:
            living(connection, app)
            row = insert(traffic).values(app=app)
            connection.execute(row.on_conflict_do_nothing(index_elements=["app"]))
            before = connection.execute(one).mappings().one()
            if values:
                connection.execute(traffic.update().where(traffic.c.app == app).values(**values))
            return _rule_from(before), _rule_from(connection.execute(one).mappings().one())


def _rule_from(row: RowMapping) -> TrafficRule:
    return TrafficRule(maintenance=bool(row["maintenance"]), sticky=bool(row["sticky"]))
