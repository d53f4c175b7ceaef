"""Answers kept by idempotency key for a day, encrypted: the same request again gets the first answer again."""

import hmac
import threading
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from paas.clock import Clock, rfc3339
from paas.errors import ConflictError
from paas.store.connections import Connections
from paas.store.keyring import DataKey
from paas.store.schema import idempotency

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer that the first request of a key got."""

    status: int
    body: bytes


class Idempotency:
    """The keys that clients sent with requests that change something."""

    def __init__(self, connections: Connections, *, key: DataKey, clock: Clock) -> None:
        self._connections = connections
        self._key = key
        self._clock = clock
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def reserve(self, key: str, fingerprint: str) -> StoredResponse | None:
        """Return the answer that `key` already got; None where the caller is to carry the request out now.

        After None the caller ends with `complete` or `release`. A key whose first request died with its control
        plane is free again. Raises ConflictError where the key came with another request (another fingerprint),
        or while the first one is under way.
        """
        self._claim(key)
        try:
            answer = self._reserve(key, self._key.seal(fingerprint.encode(), purpose="request"))
        except BaseException:
            self._let_go(key)
            raise
        if answer is not None:
            self._let_go(key)
        return answer

    def complete(self, key: str, status: int, body: bytes) -> None:
        """Keep the answer to a reserved key."""
        encrypted = self._key.encrypt(body, place=_place(key))
        try:
            with self._connections.write() as connection:
                connection.execute(
                    update(idempotency)
                    .where(idempotency.c["key"] == key)
                    .values(status=status, body=encrypted)
                )
        finally:
            self._let_go(key)

    def release(self, key: str) -> None:
        """Free a reserved key: its request left nothing behind and may be sent again."""
        try:
            with self._connections.write() as connection:
                connection.execute(delete(idempotency).where(idempotency.c["key"] == key))
        finally:
            self._let_go(key)

    def _claim(self, key: str) -> None:
        with self._lock:
            if key in self._running:
                raise ConflictError(
                    "The first request with this idempotency key is still under way. Wait for it."
                )
            self._running.add(key)

    def _let_go(self, key: str) -> None:
        with self._lock:
            self._running.discard(key)

    def _reserve(self, key: str, fingerprint: bytes) -> StoredResponse | None:
        now = self._clock.now()
        with self._connections.write() as connection:
            connection.execute(delete(idempotency).where(idempotency.c.created_at < rfc3339(now - KEPT)))
            row = _find(connection, key)
            if row is None:
                values = {"key": key, "fingerprint": fingerprint, "created_at": rfc3339(now)}
                connection.execute(insert(idempotency).values(**values))
                return None
        if not hmac.compare_digest(row["fingerprint"], fingerprint):
            raise ConflictError("This idempotency key was sent with another request before. Use a new one.")
        if row["status"] is None:
            return None
        return StoredResponse(row["status"], self._key.decrypt(row["body"], place=_place(key)))


def _find(connection: Connection, key: str) -> RowMapping | None:
    return connection.execute(select(idempotency).where(idempotency.c["key"] == key)).mappings().first()


def _place(key: str) -> str:
    return f"response:{key}"
