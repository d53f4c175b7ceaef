"""Config sets: immutable, each value encrypted for its app, set and name. A plain value never reaches the database."""

from collections.abc import Collection

from sqlalchemy import Connection, insert, select

from paas.clock import Clock, rfc3339
from paas.domain.config import ConfigSet, Secret, Variables
from paas.domain.ids import AppId, ConfigId, new_id
from paas.domain.names import ConfigKey
from paas.errors import NotFoundError
from paas.store.apps import living
from paas.store.connections import Connections
from paas.store.datakeys import DataKeys
from paas.store.schema import config_sets, config_values


class Configs:
    """The config sets of every app."""

    def __init__(self, connections: Connections, *, data_keys: DataKeys, clock: Clock) -> None:
        self._connections = connections
        self._data_keys = data_keys
        self._clock = clock

    def save(self, app: AppId, variables: Variables) -> ConfigId:
        """Keep a new set; raises NotFoundError where the app was destroyed."""
        config = ConfigId(new_id())
        with self._connections.write() as connection:
            living(connection, app)
            key = self._data_keys.get(connection, app)
            for name, secret in variables.items():
                value = key.encrypt(secret.reveal().encode(), place=_place(app, config, name))
                connection.execute(insert(config_values).values(config=config, key=name, value=value))
            # The row of the set closes it: from here on the database takes no more values for it.
            connection.execute(
                insert(config_sets).values(id=config, app=app, created_at=rfc3339(self._clock.now()))
            )
        return config

    def get(self, id: ConfigId) -> ConfigSet:
        """Return a set; raises NotFoundError where there is none or its app was destroyed."""
        with self._connections.read() as connection:
            app = connection.scalar(select(config_sets.c.app).where(config_sets.c.id == id))
            if app is None:
                raise NotFoundError(f"There is no config {id}.")
            key = self._data_keys.get(connection, app)
            values = encrypted_values(connection, id)
        return ConfigSet(
            id,
            {
                name: Secret(key.decrypt(value, place=_place(app, id, name)).decode())
                for name, value in values.items()
            },
        )

    def keys(self, ids: Collection[ConfigId]) -> dict[ConfigId, list[ConfigKey]]:
        """Return the names in each of those sets, sorted; they can be read even when the values no longer can."""
        query = select(config_values.c.config, config_values.c["key"]).where(config_values.c.config.in_(ids))
        found: dict[ConfigId, list[ConfigKey]] = {id: [] for id in ids}
        for row in self._connections.rows(query.order_by(config_values.c["key"])):
            found[row["config"]].append(row["key"])
        return found


def encrypted_values(connection: Connection, id: ConfigId) -> dict[ConfigKey, bytes]:
    """Return a set's values as the database keeps them, by name."""
    query = select(config_values).where(config_values.c.config == id).order_by(config_values.c["key"])
    return {row["key"]: row["value"] for row in connection.execute(query).mappings()}


def _place(app: AppId, config: ConfigId, name: ConfigKey) -> str:
    return f"{name}:{app}:{config}"
