"""Data keys: one for each app and one for the home, kept wrapped. Deleting an app's makes its secrets unreadable."""

from sqlalchemy import Connection, delete, insert, select

from paas.clock import Clock, rfc3339
from paas.domain.ids import AppId
from paas.errors import NotFoundError
from paas.store.keyring import DataKey, Keyring, WrappedKey
from paas.store.schema import data_keys

HOME = "home"
"""The owner of the key that seals releases and stored responses."""


class DataKeys:
    """Data keys by owner, inside a caller's transaction."""

    def __init__(self, keyring: Keyring, *, clock: Clock) -> None:
        self._keyring = keyring
        self._clock = clock

    def create(self, connection: Connection, owner: AppId | str) -> DataKey:
        """Make and keep the key of a new owner."""
        key, kept = self._keyring.new_key(owner)
        connection.execute(
            insert(data_keys).values(
                owner=kept.owner,
                key_id=kept.key_id,
                wrapped=kept.wrapped,
                created_at=rfc3339(self._clock.now()),
            )
        )
        return key

    def get(self, connection: Connection, app: AppId) -> DataKey:
        """Return an app's key; raises NotFoundError once the app was destroyed."""
        if key := self.find(connection, app):
            return key
        raise NotFoundError("The app was destroyed: its secrets are unreadable.")

    def find(self, connection: Connection, owner: AppId | str) -> DataKey | None:
        """Return an owner's key; None before it was made and once it was deleted."""
        row = connection.execute(select(data_keys).where(data_keys.c.owner == owner)).mappings().first()
        return (
            None
            if row is None
            else self._keyring.unwrap(WrappedKey(row["owner"], row["key_id"], row["wrapped"]))
        )

    def delete(self, connection: Connection, owner: AppId) -> None:
        """Delete an owner's key: what it encrypted is gone for good once the transaction has ended."""
        connection.execute(delete(data_keys).where(data_keys.c.owner == owner))

    @staticmethod
    def any(connection: Connection) -> bool:
        """Return whether there is any key that the key file must open."""
        return connection.execute(select(data_keys.c.owner).limit(1)).first() is not None
