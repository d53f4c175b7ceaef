"""How requests reach an app: its domains and their certificates, maintenance, sticky sessions.

It makes no release and forwards nothing: each method changes what the store says, and returns once the routers follow.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from paas.clock import Clock
from paas.domain.app import App, Domain
from paas.domain.certificate import Certificate, CertificateOrigin, CheckedPair, KeyPair
from paas.domain.event import EventKind
from paas.domain.ids import AppId, CertificateId, new_id
from paas.domain.names import host_name
from paas.domain.traffic import TrafficRule
from paas.errors import InvalidError, PaasError
from paas.settings import Settings
from paas.store.database import Store
from paas.threads import in_thread
from paas.tls import pair as pairs
from paas.tls.authority import Authority
from paas.tls.files import keep, sweep
from releases.ports import SupervisorPart

log = logging.getLogger(__name__)

EVERY_APP_HOST = ".localhost"
RENEW_BEFORE = timedelta(days=30)
"""How long before its end a certificate of the local authority is issued anew."""
ACTOR = "mini"


class Traffic:
    """The use cases of routing. One at a time changes certificates, so that no file is removed while it is new."""

    def __init__(self, *, store: Store, supervisor: SupervisorPart, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._supervisor = supervisor
        self._settings = settings
        self._clock = clock
        self._certifying = asyncio.Lock()

    # -- domains ------------------------------------------------------------------------------------------------
    async def add_domain(self, app: App, host: str, *, actor: str) -> Domain:
        """Return the new domain, once the routers know it; raises InvalidError, NameTakenError."""
        domain = await in_thread(self._add_domain, app.id, _addable(host), actor)
        await self._route(app.id)
        return domain

    async def secure_domain(self, app: App, host: str, *, pair: KeyPair | None, actor: str) -> Certificate:
        """Return the certificate that the host has from now on: `pair`, or one of the local authority without it.

        A host that is no domain of the app yet becomes one. Raises InvalidError, NameTakenError, with nothing changed.
        """
        name = _addable(host)
        async with self._certifying:
            certificate = await in_thread(self._secure, app.id, name, pair, actor)
            await self._route(app.id)
            await in_thread(self._sweep)
        return certificate

    async def remove_domain(self, app: App, host: str, *, actor: str) -> None:
        """Return once the routers have forgotten the domain, and its certificate is gone; raises NotFoundError."""
        await in_thread(self._remove_domain, app.id, host_name(host), actor)
        await self._route(app.id)
        await self.tidy()

    # -- rules --------------------------------------------------------------------------------------------------
    async def set_maintenance(self, app: App, *, on: bool, actor: str) -> TrafficRule:
        """Return the rule, once every request (or none, when off) is answered with the maintenance page."""
        rule = await in_thread(self._set_maintenance, app.id, on, actor)
        await self._route(app.id)
        return rule

    async def set_sticky(self, app: App, *, on: bool, actor: str) -> TrafficRule:
        """Return the rule, once browsers stay (or need not stay, when off) with the backend that answered first."""
        rule = await in_thread(self._set_sticky, app.id, on, actor)
        await self._route(app.id)
        return rule

    # -- certificates -------------------------------------------------------------------------------------------
    async def authority_certificate(self) -> str:
        """Return the local authority's certificate, PEM; the authority is made where there is none yet."""
        async with self._certifying:
            return (await in_thread(self._authority)).certificate

    async def renew(self) -> None:
        """Issue anew what the local authority has issued and what ends soon; remove files that nothing uses."""
        async with self._certifying:
            renewed = await in_thread(self._renew)
        for app in renewed:
            await self._route(app)
        await self.tidy()

    async def tidy(self) -> None:
        """Remove the private keys that nothing uses any more: of removed domains, of destroyed apps."""
        async with self._certifying:
            await in_thread(self._sweep)

    # -- below --------------------------------------------------------------------------------------------------
    def _add_domain(self, app: AppId, host: str, actor: str) -> Domain:
        with self._store.transaction():
            domain = self._store.domains.add(app, host)
            self._tell(EventKind.DOMAIN_ADDED, app, actor, f"{host} was added")
        return domain

    def _remove_domain(self, app: AppId, host: str, actor: str) -> None:
        with self._store.transaction():
            self._store.domains.remove(app, host)
            self._tell(EventKind.DOMAIN_REMOVED, app, actor, f"{host} was removed")

    def _set_maintenance(self, app: AppId, on: bool, actor: str) -> TrafficRule:
        with self._store.transaction():
            before, after = self._store.traffic.set(app, maintenance=on)
            if before != after:
                kind = EventKind.MAINTENANCE_STARTED if on else EventKind.MAINTENANCE_ENDED
                self._tell(kind, app, actor, f"maintenance was turned {_on_or_off(on)}")
        return after

    def _set_sticky(self, app: AppId, on: bool, actor: str) -> TrafficRule:
        with self._store.transaction():
            before, after = self._store.traffic.set(app, sticky=on)
            if before != after:
                cause = f"sticky sessions were turned {_on_or_off(on)}"
                self._tell(EventKind.STICKINESS_CHANGED, app, actor, cause)
        return after

    def _secure(self, app: AppId, host: str, pair: KeyPair | None, actor: str) -> Certificate:
        now = self._clock.now()
        if pair is None:
            origin, fit = CertificateOrigin.ISSUED, self._authority().issue(host, now=now)
        else:
            origin, fit = CertificateOrigin.GIVEN, pairs.checked(pair, host=host, now=now)
        cause = f"{host} has a certificate until {fit.expires_at:%Y-%m-%d}"
        tell = partial(self._tell, EventKind.CERTIFICATE_ADDED, app, actor, cause)
        return self._kept(app, host, origin, fit, tell=tell)

    def _kept(
        self, app: AppId, host: str, origin: CertificateOrigin, fit: CheckedPair, *, tell: Callable[[], None]
    ) -> Certificate:
        id = CertificateId(new_id())
        certificate = Certificate(id, host, origin, fit.fingerprint, fit.expires_at)
        file = self._settings.certificate(id)
        keep(fit.pair, file)
        try:
            with self._store.transaction():
                self._store.certificates.put(app, certificate)
                tell()
        except PaasError:
            file.unlink()
            raise
        return certificate

    def _renew(self) -> list[AppId]:
        """Issue anew what ends soon, and return whose certificates those are."""
        soon = self._clock.now() + RENEW_BEFORE
        due = [
            (app, certificate.host)
            for app, certificates in self._store.certificates.all().items()
            for certificate in certificates
            if certificate.origin is CertificateOrigin.ISSUED and certificate.expires_at < soon
        ]
        for app, host in due:
            self._renew_one(app, host)
        return [app for app, _ in due]

    def _renew_one(self, app: AppId, host: str) -> None:
        issued = self._authority().issue(host, now=self._clock.now())
        cause = f"the certificate of {host} was renewed"
        tell = partial(self._tell, EventKind.CERTIFICATE_RENEWED, app, ACTOR, cause)
        self._kept(app, host, CertificateOrigin.ISSUED, issued, tell=tell)

    def _authority(self) -> Authority:
        return Authority.open(self._settings.authority, now=self._clock.now())

    def _sweep(self) -> None:
        kept = [each.id for certificates in self._store.certificates.all().values() for each in certificates]
        used = [self._settings.authority, *map(self._settings.certificate, kept)]
        sweep(self._settings.certificates, used=used)

    async def _route(self, app: AppId) -> None:
        self._supervisor.nudge()
        await self._supervisor.routed(app)

    def _tell(self, kind: EventKind, app: AppId, actor: str, cause: str) -> None:
        self._store.events.append(kind, app=app, actor=actor, cause=cause)


def _on_or_off(on: bool) -> str:
    return "on" if on else "off"


def _addable(host: str) -> str:
    name = host_name(host)
    if name.endswith(EVERY_APP_HOST):
        raise InvalidError(f"{name} cannot be added: APP{EVERY_APP_HOST} comes with each app's name.")
    return name
