"""Builds: begun, ended once, reused while their artifact is there."""

import pytest

from paas.domain.app import App
from paas.domain.build import BuildState, Image, Slug
from paas.domain.ids import Commit
from paas.domain.names import WEB, app_name
from paas.domain.process import Check, CheckKind, Manifest, Procfile
from paas.errors import ConflictError, InvalidError, NotFoundError
from paas.store.database import Store
from tests.stores import add_build

COMMIT = Commit("a" * 40)


def test_a_build_gives_back_the_artifact_and_manifest_it_ended_with(store: Store, shop: App) -> None:
    slug = Slug("key", ("bin", "node_modules/.bin"), (("node_modules", "deps"),), (("LANG", "C"),))
    check = Check(CheckKind.LIVENESS, path="/up", content="ok", interval=2.5)
    manifest = Manifest(Procfile({WEB: "serve ü"}, "app"), {WEB: 2}, {WEB: (check,)}, auto_rollback=False)
    begun = store.builds.begin(shop.id, commit=COMMIT, ref="main", builder="slug-1", actor="me")
    ended = store.builds.succeed(begun.id, artifact=slug, manifest=manifest)
    assert (ended.artifact, ended.manifest, ended.state) == (slug, manifest, BuildState.SUCCEEDED)
    assert store.builds.get_by_id(begun.id) == ended


def test_an_image_is_an_artifact_too(store: Store, shop: App) -> None:
    begun = store.builds.begin(shop.id, commit=COMMIT, ref="main", builder="image-1", actor="me")
    image = Image(digest="sha256:1", reference="mini/shop:1")
    ended = store.builds.succeed(begun.id, artifact=image, manifest=Manifest(Procfile({})))
    assert ended.artifact == image


def test_a_build_ends_once(store: Store, shop: App) -> None:
    begun = store.builds.begin(shop.id, commit=COMMIT, ref="main", builder="slug-1", actor="me")
    failed = store.builds.fail(begun.id, state=BuildState.CANCELLED, reason="stopped by me")
    assert (failed.state, failed.reason, failed.artifact) == (BuildState.CANCELLED, "stopped by me", None)
    with pytest.raises(ConflictError, match="already ended"):
        store.builds.succeed(begun.id, artifact=Slug("key"), manifest=Manifest(Procfile({})))


def test_a_build_is_found_by_a_unique_beginning_of_its_id(store: Store, shop: App) -> None:
    build = add_build(store, shop)
    assert store.builds.get(shop.id, build.id[:12]) == build
    for missing in ("", "%", "nothing"):
        with pytest.raises(NotFoundError):
            store.builds.get(shop.id, missing)


def test_an_ambiguous_beginning_is_refused(store: Store, shop: App) -> None:
    first_digits = [add_build(store, shop).id[0] for _ in range(17)]  # more builds than hexadecimal digits
    repeated = next(digit for digit in first_digits if first_digits.count(digit) > 1)
    with pytest.raises(InvalidError, match="several builds"):
        store.builds.get(shop.id, repeated)


def test_a_build_of_another_app_is_not_found(store: Store, shop: App) -> None:
    other = store.apps.create(app_name("blog"))
    build = add_build(store, other)
    with pytest.raises(NotFoundError):
        store.builds.get(shop.id, build.id)


def test_builds_are_listed_newest_first(store: Store, shop: App) -> None:
    made = [add_build(store, shop).id for _ in range(4)]
    assert [build.id for build in store.builds.list(shop.id, limit=3)] == made[:0:-1]


def test_the_newest_build_of_a_commit_is_reused_until_it_is_pruned(store: Store, shop: App) -> None:
    older, newer = add_build(store, shop), add_build(store, shop)
    assert store.builds.reusable(shop.id, commit=COMMIT, builder="slug-1") == newer
    store.builds.mark_pruned(newer.id)
    store.builds.mark_pruned(newer.id)
    assert store.builds.get_by_id(newer.id).artifact is None
    assert store.builds.reusable(shop.id, commit=COMMIT, builder="slug-1") == older
    assert store.builds.reusable(shop.id, commit=COMMIT, builder="slug-2") is None
    assert store.builds.artifacts() == [(shop.id, older.id, older.artifact)]


def test_builds_left_running_are_found_for_recovery(store: Store, shop: App) -> None:
    add_build(store, shop)
    left = store.builds.begin(shop.id, commit=COMMIT, ref="main", builder="slug-1", actor="me")
    assert store.builds.running() == [left]
