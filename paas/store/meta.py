"""What is settled once for a home: its id, its engine, where its ports begin. And where it was last told to listen."""

import secrets
from collections.abc import Mapping

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from paas.errors import EngineMismatchError
from paas.settings import ADDRESSES, EngineChoice
from paas.store.connections import Connections
from paas.store.errors import DamagedStoreError
from paas.store.schema import meta

PORTS = 10000
"""How many ports a home hands out to its instances."""


class Meta:
    """The settled facts of a home."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def engine(self) -> EngineChoice | None:
        """Return the engine of this home, None before its first start."""
        with self._connections.read() as connection:
            settled = find_value(connection, "engine")
        return EngineChoice(settled) if settled else None

    def settle_engine(self, choice: EngineChoice) -> None:
        """Settle the engine for good; repeating it is fine. Raises EngineMismatchError for another one."""
        with self._connections.write() as connection:
            settled = find_value(connection, "engine") or choice.value
            if settled != choice.value:
                raise EngineMismatchError(
                    f"This home runs on the {settled} engine, and that is settled for good. To use the {choice} "
                    "engine, start another home with MINI_HOME and push the apps there."
                )
            set_value(connection, "engine", choice.value)

    def addresses(self) -> dict[str, str]:
        """Return those of `ADDRESSES` that this home was told, as they were written."""
        with self._connections.read() as connection:
            return {name: value for name in ADDRESSES if (value := find_value(connection, name))}

    def remember_addresses(self, told: Mapping[str, str]) -> None:
        """Remember some of `ADDRESSES` for the starts to come."""
        with self._connections.write() as connection:
            for name, value in told.items():
                set_value(connection, name, value)

    def home_id(self) -> str:
        """Return the random id of this home, made at its first start."""
        with self._connections.read() as connection:
            return get_value(connection, "home_id")

    def port_offset(self) -> int:
        """Return the random place among its ports where this home began to hand them out."""
        with self._connections.read() as connection:
            return int(get_value(connection, "port_offset"))


def found_home(connection: Connection) -> None:
    """Settle what is random in a home, inside a caller's transaction; repeating it changes nothing."""
    if find_value(connection, "home_id") is None:
        offset = str(secrets.randbelow(PORTS))
        set_value(connection, "home_id", secrets.token_hex(8))
        set_value(connection, "port_offset", offset)
        set_value(connection, "port_cursor", offset)


def get_value(connection: Connection, key: str) -> str:
    """Return one fact that `found_home` settled; raises DamagedStoreError where it was lost."""
    value = find_value(connection, key)
    if value is None:
        raise DamagedStoreError(
            f"The database has lost its {key}. Restore the newest file of `backups` in the state directory."
        )
    return value


def find_value(connection: Connection, key: str) -> str | None:
    """Return one settled fact, None where it is not settled."""
    found: str | None = connection.scalar(select(meta.c.value).where(meta.c["key"] == key))
    return found


def set_value(connection: Connection, key: str, value: str) -> None:
    """Settle one fact, inside a caller's transaction."""
    row = insert(meta).values(key=key, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
