"""What is done to apps beside deploying them."""

import asyncio
from contextlib import closing

import pytest

from paas.domain.event import EventKind
from paas.domain.names import ProcessType
from paas.domain.traffic import TrafficRule
from paas.errors import (
    ArtifactGoneError,
    InvalidError,
    NameTakenError,
    NotFoundError,
)
from paas.store.connections import connect
from paas.store.errors import RefusedByStoreError
from releases.reference import parse, resolve
from releases.runs import command_of, in_its_users_words
from tests.unit.paas.supervisor.worlds import a_release, an_instance
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit, manifest

pytestmark = pytest.mark.anyio

WEB, WORKER = ProcessType("web"), ProcessType("worker")


# -- apps ----------------------------------------------------------------------------------------------------------


async def test_an_app_gets_a_repository_and_the_name_it_was_given(stage: Stage) -> None:
    app = await stage.service.create_app("blog", actor="me")
    assert (app.name, stage.repositories.made) == ("blog", [app.id])
    with pytest.raises(NameTakenError):
        await stage.service.create_app("blog", actor="me")
    with pytest.raises(InvalidError):
        await stage.service.create_app("No Name", actor="me")


async def test_an_app_without_a_name_gets_one(stage: Stage) -> None:
    first, second = [await stage.service.create_app(None, actor="me") for _ in range(2)]
    assert first.name != second.name


async def test_a_renamed_app_is_routed_by_its_new_name(stage: Stage) -> None:
    renamed = await stage.service.rename_app(stage.app, name="store", actor="me")
    assert (renamed.id, renamed.name) == (stage.app.id, "store")
    assert stage.supervisor.asked == ["routed"]


async def test_a_destroyed_app_leaves_a_free_name_and_nothing_that_runs(stage: Stage) -> None:
    await stage.repositories.ensure(stage.app.id)
    stage.builds.gate = asyncio.Event()
    pushing = await stage.begin_push("aaaaaaa")
    await stage.service.destroy_app(stage.app, actor="me")
    assert (await stage.deployer.wait(pushing)).code == "cancelled"
    assert stage.supervisor.asked == ["routed", "emptied"]
    assert (stage.repositories.made, stage.logs.forgotten) == ([], [stage.app.id])
    assert (await stage.service.create_app("shop", actor="me")).id != stage.app.id


@pytest.fixture
def no_events(stage: Stage) -> None:
    """Let the store take no event any more."""
    with closing(connect(stage.settings.database)) as connection:
        connection.execute(
            "CREATE TRIGGER no_events BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END"
        )


@pytest.mark.usefixtures("no_events")
async def test_what_cannot_be_told_of_an_app_is_not_done(stage: Stage) -> None:
    service, app = stage.service, stage.app
    for refused in (
        service.create_app("blog", actor="me"),
        service.rename_app(app, name="store", actor="me"),
        service.destroy_app(app, actor="me"),
    ):
        with pytest.raises(RefusedByStoreError):
            await refused
    assert stage.store.apps.list() == [app]


@pytest.mark.usefixtures("no_events")
async def test_what_cannot_be_told_of_its_traffic_is_not_done(stage: Stage) -> None:
    traffic, app = stage.traffic, stage.app
    stage.store.domains.add(app.id, "old.example.com")
    before = stage.store.domains.all()
    for refused in (
        traffic.add_domain(app, "shop.example.com", actor="me"),
        traffic.secure_domain(app, "shop.example.com", pair=None, actor="me"),
        traffic.remove_domain(app, "old.example.com", actor="me"),
        traffic.set_maintenance(app, on=True, actor="me"),
        traffic.set_sticky(app, on=True, actor="me"),
    ):
        with pytest.raises(RefusedByStoreError):
            await refused
    assert stage.store.domains.all() == before
    assert stage.store.traffic.get(app.id) == TrafficRule()
    assert stage.store.certificates.all() == {}
    assert [path.name for path in stage.settings.certificates.iterdir()] == ["authority.pem"]


# -- formation -----------------------------------------------------------------------------------------------------


async def test_a_bad_token_among_good_ones_changes_nothing(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    before = stage.store.formations.get(stage.app.id)
    for tokens in (["web=3", "clock=1"], ["web=3", "release=1"], ["web=101", "worker=1"]):
        with pytest.raises(InvalidError):
            await stage.service.scale(stage.app, tokens, wait=False, actor="me")
    assert stage.store.formations.get(stage.app.id) == before


async def test_scaling_applies_all_tokens_and_waits_for_what_was_added(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    counts = await stage.service.scale(stage.app, ["web=3", "worker+1"], wait=True, actor="me")
    assert counts == stage.store.formations.get(stage.app.id) == {WEB: 3, WORKER: 1}
    assert stage.supervisor.asked[-1] == "settled"


async def test_two_who_scale_at_once_both_count(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await asyncio.gather(
        *(stage.service.scale(stage.app, ["web+1"], wait=False, actor="me") for _ in range(10))
    )
    assert stage.store.formations.get(stage.app.id)[WEB] == 11


async def test_there_is_nothing_to_scale_before_the_first_push(stage: Stage) -> None:
    with pytest.raises(InvalidError, match="before the first push"):
        await stage.service.scale(stage.app, ["web=1"], wait=False, actor="me")


@pytest.mark.parametrize(
    ("target", "names"),
    [
        pytest.param(None, ["web.1", "web.2", "worker.1"], id="all"),
        pytest.param("web", ["web.1", "web.2"], id="a type"),
        pytest.param("web.2", ["web.2"], id="one"),
    ],
)
async def test_a_restart_replaces_what_it_names(stage: Stage, target: str | None, names: list[str]) -> None:
    await stage.push("aaaaaaa")
    await stage.service.scale(stage.app, ["web=2", "worker=1"], wait=False, actor="me")
    assert await stage.service.restart(stage.app, target, wait=False, actor="me") == names
    slots = stage.store.formations.slots()[stage.app.id]
    assert {f"{slot.type}.{slot.index}" for slot in slots.values() if slot.epoch == 1} == set(names)


async def test_a_stopped_instance_stays_stopped_for_the_release_that_serves(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.service.stop_instance(stage.app, "web.1", actor="me")
    assert stage.store.formations.slots()[stage.app.id][WEB, 1].stopped_for == 1


async def test_an_instance_that_is_not_there_is_named_with_those_that_are(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    with pytest.raises(NotFoundError, match=r"no instance web\.2; there is web\.1"):
        await stage.service.stop_instance(stage.app, "web.2", actor="me")
    with pytest.raises(InvalidError, match=r"write TYPE\.N"):
        await stage.service.stop_instance(stage.app, "web", actor="me")


async def test_a_one_off_is_stopped_as_an_instance_is(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    run = stage.supervisor.running["run.1"] = an_instance(a_release(1), "run.1", one_off=True)
    assert await stage.service.stop_instance(stage.app, "run.1", actor="me") == run
    with pytest.raises(NotFoundError, match=r"no instance run\.2"):
        await stage.service.stop_instance(stage.app, "run.2", actor="me")


async def test_more_of_what_is_gone_is_refused_and_nothing_is_changed(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.service.scale(stage.app, ["worker=1"], wait=True, actor="me")
    stage.builds.gone.update(artifact for _, _, artifact in stage.store.builds.artifacts())
    app = stage.store.apps.get_by_id(stage.app.id)
    for change in (
        stage.service.scale(app, ["worker=2"], wait=True, actor="me"),
        stage.service.restart(app, None, wait=True, actor="me"),
    ):
        with pytest.raises(ArtifactGoneError, match="aaaaaaa again"):
            await change
    assert stage.store.formations.get(app.id)[WORKER] == 1
    await stage.service.scale(app, ["web=0", "worker=0"], wait=True, actor="me")
    assert stage.store.formations.get(app.id) == {WEB: 0, WORKER: 0}


# -- history -------------------------------------------------------------------------------------------------------


async def test_a_reference_names_a_release(stage: Stage) -> None:
    stage.supervisor.sick.add(2)
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    for text, version in {"v1": 1, "3": 3, "v2": 2, "@": 3, "@~0": 3, "@~1": 1}.items():
        assert resolve(stage.store, stage.app, text).version == version


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("v3", "there is v1 to v2", id="above"),
        pytest.param("v0", "there is v1 to v2", id="zero"),
        pytest.param("999999999999999", "there is v1 to v2", id="far above"),
        pytest.param("@~2", "there is @ to @~1", id="too far back"),
    ],
)
async def test_an_unknown_release_is_answered_with_those_there_are(
    stage: Stage, text: str, says: str
) -> None:
    for name in ("aaaaaaa", "bbbbbbb"):
        await stage.push(name)
    with pytest.raises(NotFoundError, match=says):
        resolve(stage.store, stage.app, text)


@pytest.mark.parametrize(
    "text", ["", "v", "@1", "@~", "@~-1", "v1.0", "-1", "v1\n", "vv1", "٣", "@~99999", "latest"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="is no release"):
        parse(text)


async def test_a_diff_shows_config_types_and_commits(stage: Stage) -> None:
    stage.builds.manifests[commit("bbbbbbb")] = manifest(web="serve --fast", clock="tick")
    await stage.push("aaaaaaa")
    await stage.configure(A="1", B="2")
    await stage.push("bbbbbbb")
    await stage.configure(A="3", B=None)
    difference = await stage.service.diff(stage.app, a="v2", b=None)
    assert (difference.a.version, difference.b.version) == (2, 4)
    assert [(each.key, each.change) for each in difference.config] == [("A", "changed"), ("B", "removed")]
    assert "3" not in repr(difference.config)
    assert [(each.key, each.change) for each in difference.process_types] == [
        ("clock", "added"),
        ("web", "changed"),
        ("worker", "removed"),
    ]
    assert difference.commits == ("bbbbbbb a change",)


async def test_a_diff_without_releases_compares_the_last_two_that_served(stage: Stage) -> None:
    stage.supervisor.sick.add(2)
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    difference = await stage.service.diff(stage.app, a=None, b=None)
    assert (difference.a.version, difference.b.version) == (1, 3)
    earlier = await stage.service.diff(stage.app, a=None, b="v2")
    assert (earlier.a.version, earlier.b.version) == (1, 2)
    with pytest.raises(NotFoundError, match="none before it"):
        await stage.service.diff(stage.app, a=None, b="v1")


async def test_a_rollback_can_be_tried_without_doing_it(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.configure(A="1")
    preview = await stage.service.rollback_preview(stage.app, None)
    assert (preview.current.version, preview.target.version) == (2, 1)
    assert [(each.key, each.change) for each in preview.config] == [("A", "removed")]
    assert stage.versions() == [2, 1]
    for _, _, artifact in stage.store.builds.artifacts():
        stage.builds.gone.add(artifact)
    with pytest.raises(ArtifactGoneError):
        await stage.service.rollback_preview(stage.app, None)


async def test_what_served_and_is_there_still_is_a_target(stage: Stage) -> None:
    stage.supervisor.sick.add(3)
    await stage.configure(A="1")
    for name in ("aaaaaaa", "bbbbbbb", "ccccccc"):
        await stage.push(name)
    app = stage.store.apps.get_by_id(stage.app.id)
    targets = {stage.store.releases.get_by_id(id).version for id in stage.service.rollback_targets(app)}
    assert targets == {2}


# -- runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(
            ["python", "-c", "print('a b')"], """exec python -c 'print('"'"'a b'"'"')'""", id="argv"
        ),
        pytest.param(["echo $HOME | wc"], "echo $HOME | wc", id="one word is a shell's line"),
        pytest.param(["web"], "serve --port $PORT", id="a process type"),
        pytest.param(["web", "--name", "a b"], "serve --port $PORT --name 'a b'", id="a type and more words"),
        pytest.param(["release"], "migrate", id="the release command"),
    ],
)
async def test_a_run_resolves_its_words(stage: Stage, words: list[str], command: str) -> None:
    stage.builds.manifests[commit("aaaaaaa")] = manifest(web="serve --port $PORT", release="migrate")
    await stage.push("aaaaaaa")
    app = stage.store.apps.get_by_id(stage.app.id)
    release, resolved = stage.service.run_command(app, words, release=None)
    assert (release.version, resolved) == (1, command)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["sleep", "100"], "sleep 100", id="argv"),
        pytest.param(["exec a b"], "exec a b", id="a shell's own exec"),
        pytest.param(["web"], "exec serve", id="a process type's own exec"),
    ],
)
async def test_a_run_is_told_in_its_users_words(words: list[str], said: str) -> None:
    command = command_of(words, manifest(web="exec serve").procfile)
    assert in_its_users_words(command, words) == said


async def test_a_run_of_a_type_without_a_command_is_the_images_own(stage: Stage) -> None:
    stage.builds.manifests[commit("aaaaaaa")] = manifest(web="")
    await stage.push("aaaaaaa")
    app = stage.store.apps.get_by_id(stage.app.id)
    assert stage.service.run_command(app, ["web"], release=None)[1] == ""
    with pytest.raises(InvalidError, match="takes no words"):
        stage.service.run_command(app, ["web", "--more"], release=None)


async def test_there_is_nothing_to_run_in_without_a_build(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="No release of shop serves yet"):
        stage.service.run_command(stage.app, ["true"], release=None)
    await stage.configure(A="1")
    with pytest.raises(InvalidError, match="has no build"):
        stage.service.run_command(stage.app, ["true"], release=None)


async def test_every_change_of_an_app_is_an_event(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    await stage.service.scale(stage.app, ["web=2"], wait=False, actor="me")
    await stage.service.restart(stage.app, None, wait=False, actor="me")
    await stage.traffic.add_domain(stage.app, "shop.example.com", actor="me")
    kinds = [event.kind for event in stage.store.events.list(stage.app.id, limit=100)]
    for kind in (
        EventKind.RELEASE_CREATED,
        EventKind.DEPLOYMENT_SUCCEEDED,
        EventKind.FORMATION_SCALED,
        EventKind.INSTANCES_RESTARTED,
        EventKind.DOMAIN_ADDED,
    ):
        assert kinds.count(kind) == 1
