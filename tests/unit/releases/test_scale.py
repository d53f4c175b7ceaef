"""Scale tokens: all are valid, or none is applied."""

import pytest

from paas.domain.names import ProcessType
from paas.domain.process import Manifest, Procfile
from paas.errors import InvalidError
from releases.scale import initial_counts, scaled

WEB, WORKER, WORKER_1 = ProcessType("web"), ProcessType("worker"), ProcessType("worker-1")
TYPES = (WEB, WORKER, WORKER_1)
NOW = {WEB: 2, WORKER: 1}


@pytest.mark.parametrize(
    ("token", "counts"),
    [
        pytest.param("web=3", {WEB: 3}, id="set"),
        pytest.param("web+1", {WEB: 3}, id="raise"),
        pytest.param("web-1", {WEB: 1}, id="lower"),
        pytest.param("web=0", {WEB: 0}, id="to zero"),
        pytest.param("worker-1=2", {WORKER_1: 2}, id="the last operator counts"),
        pytest.param("worker-1+2", {WORKER_1: 2}, id="a type that never ran has none"),
        pytest.param("worker=01", {WORKER: 1}, id="leading zero"),
    ],
)
def test_a_token_changes_its_type(token: str, counts: dict[ProcessType, int]) -> None:
    assert scaled([token], NOW, types=TYPES, limit=100) == counts


@pytest.mark.parametrize(
    ("token", "says"),
    [
        pytest.param("worker-1", "a process type without a count", id="ambiguous: a type's own name"),
        pytest.param("web", "a process type without a count", id="no operator"),
        pytest.param("web=", "is no scale", id="no number"),
        pytest.param("web=1.5", "is no scale", id="fraction"),
        pytest.param("web=٣", "is no scale", id="other digits"),
        pytest.param("web=9999999999", "is no scale", id="far too many digits"),
        pytest.param("web=3\n", "is no scale", id="line end"),
        pytest.param("", "is no scale", id="empty"),
        pytest.param("web=-1", "is no scale", id="set to a negative number"),
        pytest.param("web-3", "would run at -1", id="below zero"),
        pytest.param("web=101", "the limit is 100", id="over the limit"),
        pytest.param("web+99", "the limit is 100", id="raised over the limit"),
        pytest.param("clock=1", "there is web, worker, worker-1", id="unknown type"),
        pytest.param("release=1", "release cannot be scaled", id="release"),
    ],
)
def test_a_bad_token_is_refused(token: str, says: str) -> None:
    with pytest.raises(InvalidError, match=says):
        scaled(["worker=5", token], NOW, types=TYPES, limit=100)


def test_a_type_named_twice_is_refused() -> None:
    with pytest.raises(InvalidError, match="web is named twice"):
        scaled(["web=1", "web=2"], NOW, types=TYPES, limit=100)


def test_the_first_deployment_runs_one_web_and_nothing_else() -> None:
    manifest = Manifest(Procfile({WEB: "serve", WORKER: "work", ProcessType("release"): "migrate"}))
    assert initial_counts(manifest, seen=()) == {WEB: 1, WORKER: 0}


def test_app_json_says_how_many_run_at_first() -> None:
    manifest = Manifest(Procfile({WEB: "serve", WORKER: "work"}), formation={WEB: 2, WORKER: 3})
    assert initial_counts(manifest, seen=()) == {WEB: 2, WORKER: 3}
    assert initial_counts(manifest, seen={WEB}) == {WORKER: 3}


def test_a_type_that_comes_later_starts_at_none() -> None:
    manifest = Manifest(Procfile({WEB: "serve", WORKER: "work"}))
    assert initial_counts(manifest, seen={WORKER}) == {WEB: 0}
