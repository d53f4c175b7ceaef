import sys

import pytest

from builds.bases import NODE_VERSIONS, node_base, node_version, python_version
from builds.interpreters import Wanted
from paas.errors import BuildFailedError
from paas.settings import BaseImages

OWN = f"3.{sys.version_info.minor}"


def wanted(version: str) -> Wanted:
    return Wanted(version, "pyproject.toml")


def test_an_app_that_asks_for_nothing_gets_the_servers_own_line_of_python() -> None:
    assert python_version(None) == OWN


@pytest.mark.parametrize("version", ["3.12", "3.12.4"])
def test_a_version_that_is_named_is_taken(version: str) -> None:
    assert python_version(wanted(version)) == version


@pytest.mark.parametrize(
    ("allowed", "line"),
    [
        (">=3.9", OWN),
        ("<3.10", None),
        (">=3.10,<3.11", "3.10"),
        ("==3.12.*", "3.12"),
        ("~=3.13.1", "3.13"),
        (">3.13.2", "3.14"),
        ("<=3.11,>3.9.9", "3.10"),
        ("!=3.14.*,>=3.13", "3.13"),
        ("~=3.10", OWN),
    ],
)
def test_a_range_gets_a_line_within_it(allowed: str, line: str | None) -> None:
    if line is None:
        with pytest.raises(BuildFailedError, match=r"pyproject\.toml wants Python <3\.10"):
            python_version(wanted(allowed))
    else:
        assert python_version(wanted(allowed)) == line


@pytest.mark.parametrize(
    ("engine", "version"),
    [
        ("", str(NODE_VERSIONS[0])),
        (">=18", str(NODE_VERSIONS[0])),
        ("20.x", "20"),
        ("^22.3.0", "22"),
        ("<21", "20"),
        ("20.11.1", "20.11.1"),
        ("~20.11.0", "20.11.0"),
        ("21", "21"),
    ],
)
def test_engines_node_names_the_line_of_the_image(engine: str, version: str) -> None:
    assert node_version(engine) == version


def test_a_range_that_no_line_of_node_is_in_is_refused() -> None:
    with pytest.raises(BuildFailedError, match="wants node <10"):
        node_version("<10")


def test_a_base_image_without_a_placeholder_is_taken_as_it_is() -> None:
    assert node_base(BaseImages(node="mirror/node:18"), "") == "mirror/node:18"
