"""How requests reach an app: domains, certificates, maintenance, sticky sessions."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from paas.clock import SystemClock
from paas.domain.certificate import CertificateOrigin, KeyPair
from paas.domain.event import EventKind
from paas.domain.names import AppName
from paas.domain.traffic import TrafficRule
from paas.errors import InvalidError, NameTakenError, NotFoundError
from paas.tls.authority import Authority
from releases.traffic import RENEW_BEFORE, Traffic
from tests.unit.releases.conftest import Stage

pytestmark = pytest.mark.anyio

HOST = "shop.example.com"
NOW = SystemClock().now()


def kinds(stage: Stage) -> list[EventKind]:
    return [event.kind for event in stage.store.events.list(stage.app.id, limit=100)]


def files(stage: Stage) -> list[str]:
    return sorted(path.name for path in stage.settings.certificates.glob("*") if path.name != "authority.pem")


async def test_a_domain_is_routed_once_it_is_added(stage: Stage) -> None:
    domain = await stage.traffic.add_domain(stage.app, "Shop.Example.com", actor="me")
    assert domain.host == "shop.example.com"
    await stage.traffic.remove_domain(stage.app, "shop.example.com", actor="me")
    assert stage.supervisor.asked == ["routed", "routed"]
    with pytest.raises(NotFoundError):
        await stage.traffic.remove_domain(stage.app, "shop.example.com", actor="me")


async def test_the_hosts_that_come_with_names_cannot_be_taken(stage: Stage) -> None:
    with pytest.raises(InvalidError, match=r"blog\.localhost cannot be added"):
        await stage.traffic.add_domain(stage.app, "blog.localhost", actor="me")
    with pytest.raises(InvalidError, match=r"v2--blog\.localhost cannot be added"):
        await stage.traffic.secure_domain(stage.app, "v2--blog.localhost", pair=None, actor="me")


async def test_maintenance_is_an_event_when_it_changes_and_only_then(stage: Stage) -> None:
    for on in (True, True, False):
        assert await stage.traffic.set_maintenance(stage.app, on=on, actor="me") == TrafficRule(on)
    assert kinds(stage) == [EventKind.MAINTENANCE_STARTED, EventKind.MAINTENANCE_ENDED]
    assert stage.supervisor.asked == ["routed"] * 3


async def test_stickiness_and_maintenance_are_apart(stage: Stage) -> None:
    await stage.traffic.set_maintenance(stage.app, on=True, actor="me")
    rule = await stage.traffic.set_sticky(stage.app, on=True, actor="me")
    assert rule == TrafficRule(maintenance=True, sticky=True)
    assert kinds(stage)[-1] is EventKind.STICKINESS_CHANGED


async def test_a_certificate_is_issued_for_a_new_domain_and_its_key_is_private(stage: Stage) -> None:
    certificate = await stage.traffic.secure_domain(stage.app, HOST, pair=None, actor="me")
    assert (certificate.host, certificate.origin) == (HOST, CertificateOrigin.ISSUED)
    path = stage.settings.certificate(certificate.id)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [domain.host for domain in stage.store.domains.list(stage.app.id)] == [HOST]
    assert b"PRIVATE" not in stage.settings.database.read_bytes()


async def test_a_certificate_from_files_takes_the_place_of_an_issued_one(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.traffic.add_domain(stage.app, HOST, actor="me")
    await stage.traffic.secure_domain(stage.app, HOST, pair=None, actor="me")
    other = Authority.open(tmp_path / "other.pem", now=NOW)
    given = await stage.traffic.secure_domain(
        stage.app, HOST, pair=other.issue(HOST, now=NOW).pair, actor="me"
    )
    assert given.origin is CertificateOrigin.GIVEN
    assert files(stage) == [f"{given.id}.pem"]


async def test_a_certificate_that_does_not_fit_changes_nothing(stage: Stage) -> None:
    with pytest.raises(InvalidError, match="not PEM"):
        await stage.traffic.secure_domain(stage.app, HOST, pair=KeyPair("", ""), actor="me")
    assert (stage.store.domains.all(), stage.supervisor.asked, files(stage)) == ([], [], [])


async def test_a_certificate_for_the_domain_of_another_app_leaves_no_key(stage: Stage) -> None:
    blog = stage.store.apps.create(AppName("blog"))
    await stage.traffic.add_domain(blog, HOST, actor="me")
    with pytest.raises(NameTakenError, match="belongs to the app blog"):
        await stage.traffic.secure_domain(stage.app, HOST, pair=None, actor="me")
    assert files(stage) == []


async def test_keys_go_with_their_domain_and_with_their_app(stage: Stage) -> None:
    blog = await stage.service.create_app("blog", actor="me")
    for host in (HOST, "www.example.com"):
        await stage.traffic.secure_domain(blog, host, pair=None, actor="me")
    await stage.traffic.remove_domain(blog, HOST, actor="me")
    assert len(files(stage)) == 1
    await stage.service.destroy_app(blog, actor="me")
    assert files(stage) == []


class Later(SystemClock):
    """A clock that is ahead, by almost the life of a certificate."""

    def now(self) -> datetime:
        return super().now() + timedelta(days=390)


async def test_what_the_authority_issued_is_renewed_before_its_end(stage: Stage, tmp_path: Path) -> None:
    issued = await stage.traffic.secure_domain(stage.app, HOST, pair=None, actor="me")
    other = Authority.open(tmp_path / "other.pem", now=NOW)
    pair = other.issue("www.example.com", now=NOW).pair
    given = await stage.traffic.secure_domain(stage.app, "www.example.com", pair=pair, actor="me")
    await stage.traffic.renew()
    assert stage.store.certificates.list(stage.app.id) == [issued, given]

    later = Traffic(store=stage.store, supervisor=stage.supervisor, settings=stage.settings, clock=Later())
    await later.renew()
    renewed, untouched = stage.store.certificates.list(stage.app.id)
    assert untouched == given
    assert renewed.id != issued.id
    assert renewed.expires_at > issued.expires_at + RENEW_BEFORE
    assert files(stage) == sorted([f"{renewed.id}.pem", f"{given.id}.pem"])
    assert kinds(stage)[-1] is EventKind.CERTIFICATE_RENEWED


async def test_the_authority_can_be_trusted_before_it_has_issued_anything(stage: Stage) -> None:
    first = await stage.traffic.authority_certificate()
    assert first.startswith("-----BEGIN CERTIFICATE-----")
    assert await stage.traffic.authority_certificate() == first
