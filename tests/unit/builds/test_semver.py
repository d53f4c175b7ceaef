import pytest

from builds.semver import satisfies, version_of
from paas.errors import BuildFailedError


@pytest.mark.parametrize(
    ("wanted", "version", "fits"),
    [
        ("20", "20.9.1", True),
        ("20.x", "20.9.1", True),
        ("20.x", "21.0.0", False),
        ("*", "1.2.3", True),
        ("", "1.2.3", True),
        (">=18", "18.0.0", True),
        (">= 18.2", "18.1.9", False),
        (">18", "18.5.0", False),
        (">18", "19.0.0", True),
        ("<=18", "18.5.0", True),
        ("<18", "18.0.0", False),
        (">=18 <23", "22.9.9", True),
        (">=18.0.0 <21.0.0", "21.0.0", False),
        ("^20.1.0", "20.0.9", False),
        ("^20.1.0", "20.9.0", True),
        ("^0.2.3", "0.3.0", False),
        ("^0.0.3", "0.0.4", False),
        ("~20.1", "20.1.7", True),
        ("~20.1.2", "20.2.0", False),
        ("~20", "20.9.0", True),
        ("18 || 20", "20.1.1", True),
        ("18 || 20", "19.1.1", False),
        ("18 - 20", "20.9.9", True),
        ("18.1.0 - 20.0.0", "20.0.1", False),
        ("v20.20.2", "20.20.2", True),
    ],
)
def test_ranges_mean_what_npm_takes_them_to_mean(wanted: str, version: str, *, fits: bool) -> None:
    assert satisfies(version_of(version), wanted) is fits


@pytest.mark.parametrize("wanted", ["lts", ">=", "20 ; rm", "^"])
def test_a_range_that_cannot_be_read_is_refused(wanted: str) -> None:
    with pytest.raises(BuildFailedError, match=r"engines\.node"):
        satisfies((20, 0, 0), wanted)
