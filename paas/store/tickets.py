"""Tickets: what a browser keeps to find its backend again. A ticket says nothing, and nobody else can make one."""

from paas.domain.ids import InstanceId
from paas.store.keyring import DataKey

_LENGTH = 16


class Tickets:
    """Makes tickets under the home's own key: the same one for the same instance, also after a restart."""

    def __init__(self, key: DataKey) -> None:
        self._key = key

    def of(self, instance: InstanceId) -> str:
        """Return the ticket of an instance: 32 hexadecimal digits. Pure: it asks no database."""
        return self._key.seal(instance.encode(), purpose="ticket")[:_LENGTH].hex()
