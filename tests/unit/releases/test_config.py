"""Config changes: what differs, and what the release is called."""

import pytest

from paas.domain.config import Secret, Variables
from paas.domain.names import ConfigKey
from paas.errors import InvalidError
from releases.config import ConfigChanges

BEFORE: Variables = {ConfigKey("DEBUG"): Secret("1"), ConfigKey("URL"): Secret("http://x")}


def test_what_mini_sets_itself_is_named_when_it_is_set_and_may_be_unset() -> None:
    changes = ConfigChanges.checked({"PORT": "3000", "PS": "x", "PORTS": "1", "MINI_APP": None})
    assert changes.without_effect == ["PORT", "PS"]


@pytest.mark.parametrize(
    ("changes", "after", "description"),
    [
        pytest.param({"DEBUG": "0"}, {"DEBUG": "0", "URL": "http://x"}, "Set DEBUG config var", id="one"),
        pytest.param(
            {"B": "2", "A": "1"},
            {"DEBUG": "1", "URL": "http://x", "A": "1", "B": "2"},
            "Set A, B config vars",
            id="two",
        ),
        pytest.param({"URL": None}, {"DEBUG": "1"}, "Remove URL config var", id="unset"),
        pytest.param(
            {"URL": None, "A": "1"},
            {"DEBUG": "1", "A": "1"},
            "Set A config var, Remove URL config var",
            id="both",
        ),
        pytest.param(
            {"DEBUG": "1", "A": ""},
            {"DEBUG": "1", "URL": "http://x", "A": ""},
            "Set A config var",
            id="part equal",
        ),
    ],
)
def test_a_change_makes_a_new_config(
    changes: dict[str, str | None], after: dict[str, str], description: str
) -> None:
    new = ConfigChanges.checked(changes).applied_to(BEFORE)
    assert new is not None
    assert {key: secret.reveal() for key, secret in new.variables.items()} == after
    assert new.description == description


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"DEBUG": "1"}, id="an equal value"),
        pytest.param({"MISSING": None}, id="unset what is not set"),
    ],
)
def test_nothing_that_differs_is_no_change(changes: dict[str, str | None]) -> None:
    assert ConfigChanges.checked(changes).applied_to(BEFORE) is None


@pytest.mark.parametrize(
    "changes", [{"1A": "x"}, {"A-B": None}, {"A": "a\0b"}, {"A": "x" * 65537}, {"A": "\ud800"}]
)
def test_a_bad_name_or_value_is_refused_without_showing_the_value(changes: dict[str, str | None]) -> None:
    with pytest.raises(InvalidError):
        ConfigChanges.checked(changes)


def test_a_config_over_its_limit_is_refused() -> None:
    changes = ConfigChanges.checked({f"K{number}": "x" * 60000 for number in range(5)})
    with pytest.raises(InvalidError, match="256 KiB"):
        changes.applied_to(BEFORE)
