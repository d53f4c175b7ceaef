"""Certificates: what is known of each domain's. A row goes with its domain; private keys are never in the database."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, delete, insert, select

from paas.clock import Clock, rfc3339
from paas.domain.certificate import Certificate, CertificateOrigin
from paas.domain.ids import AppId, CertificateId
from paas.store.codec import decode_moment
from paas.store.connections import Connections
from paas.store.domains import claim
from paas.store.schema import certificates, domains


class Certificates:
    """The certificates of every living app's domains, one a domain."""

    def __init__(self, connections: Connections, *, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    def put(self, app: AppId, certificate: Certificate) -> None:
        """Make it the certificate of its host, which becomes a domain of the app where it is none yet.

        Raises NameTakenError where another app has the host.
        """
        now = rfc3339(self._clock.now())
        values = {
            "id": certificate.id,
            "origin": certificate.origin.value,
            "fingerprint": certificate.fingerprint,
            "expires_at": rfc3339(certificate.expires_at),
            "created_at": now,
        }
        with self._connections.write() as connection:
            owner = connection.scalar(select(domains.c.app).where(domains.c.host == certificate.host))
            if owner != app:
                claim(connection, app, certificate.host, at=now)
            connection.execute(delete(certificates).where(certificates.c.host == certificate.host))
            connection.execute(insert(certificates).values(host=certificate.host, **values))

    def all(self) -> dict[AppId, list[Certificate]]:
        """Return every app's certificates by host."""
        query = select(certificates, domains.c.app).join(domains, domains.c.host == certificates.c.host)
        found: dict[AppId, list[Certificate]] = {}
        for row in self._connections.rows(query.order_by(certificates.c.host)):
            found.setdefault(row["app"], []).append(_certificate_from(row))
        return found

    def list(self, app: AppId) -> Sequence[Certificate]:
        """Return one app's certificates by host."""
        return self.all().get(app, ())


def _certificate_from(row: RowMapping) -> Certificate:
    return Certificate(
        id=CertificateId(row["id"]),
        host=row["host"],
        origin=CertificateOrigin(row["origin"]),
        fingerprint=row["fingerprint"],
        expires_at=decode_moment(row["expires_at"]),
    )
