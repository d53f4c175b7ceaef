"""Numbers that an operator may choose are taken within their bounds, and refused by name outside of them."""

import re
from pathlib import Path

import pytest

from paas.errors import InvalidError
from paas.settings import Settings


def test_one_router_is_what_there_is_unless_asked_otherwise() -> None:
    assert Settings.from_environment({}).routers == 1
    assert Settings.from_environment({"MINI_ROUTERS": "3"}).routers == 3


@pytest.mark.parametrize("text", ["0", "65", "-1", "two"])
def test_a_number_of_routers_that_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidError, match="MINI_ROUTERS must be"):
        Settings.from_environment({"MINI_ROUTERS": text})


def test_every_setting_is_documented() -> None:
    root = Path(__file__).parents[3]
    code = [(root / "paas" / name).read_text() for name in ("settings.py", "paths.py")]
    read = set(re.findall(r'"(MINI_[A-Z_]+)"', "".join(code)))
    told = set(
        re.findall(r"^\| `(MINI_[A-Z_]+)` \|", (root / "docs" / "settings.md").read_text(), re.MULTILINE)
    )
    assert read == told
