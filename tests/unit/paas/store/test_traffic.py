"""What is asked of an app's traffic: maintenance, stickiness, certificates, tickets."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from paas.domain.app import App
from paas.domain.certificate import Certificate, CertificateOrigin
from paas.domain.ids import CertificateId, InstanceId
from paas.domain.names import app_name
from paas.domain.traffic import TrafficRule
from paas.errors import NameTakenError, NotFoundError
from paas.settings import Settings
from paas.store.database import Store
from tests.stores import open_store

CERTIFICATE = Certificate(
    id=CertificateId("c1"),
    host="shop.example.com",
    origin=CertificateOrigin.ISSUED,
    fingerprint="ab" * 32,
    expires_at=datetime(2027, 1, 1, tzinfo=UTC),
)


def test_an_app_has_the_default_rule_until_another_is_asked_for(store: Store, shop: App) -> None:
    assert (store.traffic.get(shop.id), store.traffic.all()) == (TrafficRule(), {})


def test_what_is_not_given_stays_as_it_is(store: Store, shop: App) -> None:
    store.traffic.set(shop.id, sticky=True)
    before, after = store.traffic.set(shop.id, maintenance=True)
    assert (before, after) == (TrafficRule(sticky=True), TrafficRule(maintenance=True, sticky=True))
    assert store.traffic.all() == {shop.id: after}


def test_a_certificate_brings_its_domain_along(store: Store, shop: App) -> None:
    store.certificates.put(shop.id, CERTIFICATE)
    assert [domain.host for domain in store.domains.list(shop.id)] == [CERTIFICATE.host]
    assert store.certificates.list(shop.id) == [CERTIFICATE]


def test_a_newer_certificate_takes_the_place_of_the_one_before(store: Store, shop: App) -> None:
    newer = replace(CERTIFICATE, id=CertificateId("c2"), origin=CertificateOrigin.GIVEN)
    store.domains.add(shop.id, CERTIFICATE.host)
    for certificate in (CERTIFICATE, newer):
        store.certificates.put(shop.id, certificate)
    assert store.certificates.all() == {shop.id: [newer]}


def test_a_certificate_for_the_domain_of_another_app_is_refused(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    store.domains.add(shop.id, CERTIFICATE.host)
    with pytest.raises(NameTakenError, match="belongs to the app shop"):
        store.certificates.put(blog.id, CERTIFICATE)
    assert store.certificates.all() == {}


def test_a_certificate_goes_with_its_domain(store: Store, shop: App) -> None:
    store.certificates.put(shop.id, CERTIFICATE)
    store.domains.remove(shop.id, CERTIFICATE.host)
    assert store.certificates.all() == {}


def test_a_destroyed_app_leaves_no_rule_and_no_certificate(store: Store, shop: App) -> None:
    store.certificates.put(shop.id, CERTIFICATE)
    store.traffic.set(shop.id, maintenance=True)
    store.apps.destroy(shop.id, actor="tester")
    assert (store.certificates.all(), store.traffic.all()) == ({}, {})
    with pytest.raises(NotFoundError):
        store.traffic.set(shop.id, maintenance=False)


def test_a_ticket_stays_the_same_over_a_restart_and_says_nothing(store: Store, settings: Settings) -> None:
    one, other = InstanceId("i1"), InstanceId("i2")
    ticket = store.tickets.of(one)
    store.close()
    again = open_store(settings.home, settings=settings)
    try:
        assert again.tickets.of(one) == ticket != again.tickets.of(other)
        assert len(ticket) == 32
    finally:
        again.close()
