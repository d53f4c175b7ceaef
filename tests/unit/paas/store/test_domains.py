"""Domains: each of one app."""

import pytest

from paas.domain.app import App
from paas.domain.names import app_name
from paas.errors import NameTakenError, NotFoundError
from paas.store.database import Store


def test_domains_are_listed_by_app_and_for_all(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    second = store.domains.add(shop.id, "shop.example.com")
    first = store.domains.add(shop.id, "*.example.com")
    other = store.domains.add(blog.id, "blog.example.com")
    assert store.domains.list(shop.id) == [first, second]
    assert store.domains.all() == [first, other, second]


def test_a_domain_that_is_taken_is_refused_with_the_app_that_has_it(store: Store, shop: App) -> None:
    store.domains.add(shop.id, "example.com")
    blog = store.apps.create(app_name("blog"))
    with pytest.raises(NameTakenError, match=r"example\.com belongs to the app shop"):
        store.domains.add(blog.id, "example.com")


def test_a_removed_domain_is_free_for_another_app(store: Store, shop: App) -> None:
    blog = store.apps.create(app_name("blog"))
    store.domains.add(shop.id, "example.com")
    with pytest.raises(NotFoundError, match=r"no domain example\.com"):
        store.domains.remove(blog.id, "example.com")
    store.domains.remove(shop.id, "example.com")
    assert store.domains.add(blog.id, "example.com").app == blog.id
