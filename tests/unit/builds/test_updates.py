import pytest

from builds.updates import only_stored, parse_updates, to_deploy
from paas.errors import InvalidError

NONE, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param(f"{NONE} {ONE} refs/tags/v1", "branches alone", id="tag"),
        pytest.param(f"{NONE} {ONE} refs/heads/-x", "branches alone", id="an option"),
        pytest.param(f"{NONE} {ONE} refs/heads/a;b", "branches alone", id="a shell's"),
        pytest.param(f"{NONE} {ONE} refs/mini/other", "branches alone", id="our own folder"),
        pytest.param(f"{NONE} {ONE} refs/mini/commits/{TWO}", "must hold the commit", id="another's name"),
        pytest.param(f"{ONE} {NONE} refs/heads/main", "cannot be deleted", id="delete main"),
        pytest.param(f"{NONE} xyz refs/heads/main", "cannot be read", id="no id"),
    ],
)
def test_a_ref_that_is_not_taken_says_why(line: str, complaint: str) -> None:
    with pytest.raises(InvalidError, match=complaint):
        parse_updates(line)


def test_of_several_branches_only_main_is_deployed() -> None:
    updates = parse_updates(f"{NONE} {ONE} refs/heads/feature\n{NONE} {TWO} refs/heads/main\n")
    deployed = to_deploy(updates)
    assert deployed is not None
    assert deployed.new == TWO


def test_main_and_master_at_once_is_refused() -> None:
    with pytest.raises(InvalidError, match="Push one"):
        to_deploy(parse_updates(f"{NONE} {ONE} refs/heads/master\n{NONE} {TWO} refs/heads/main\n"))


def test_what_is_no_branch_of_a_user_s_is_not_said_to_be_stored_only() -> None:
    commit, branch = f"{NONE} {ONE} refs/mini/commits/{ONE}", f"{NONE} {TWO} refs/heads/feature"
    updates = parse_updates(
        f"{commit}\n{branch}\n{ONE} {NONE} refs/heads/gone\n{NONE} {ONE} refs/heads/main\n"
    )
    assert [update.branch for update in only_stored(updates)] == ["feature"]
