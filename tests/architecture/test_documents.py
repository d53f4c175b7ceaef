"""What the documents name is there: files, links, settings. Code is held to its layers by `make contracts`."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")])
CODE = ("api", "builds", "cli", "paas", "releases", "tests", "bench", "examples", "docs", ".ci")

_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, CODE))})/[\w./-]*\w/?)[`:]")
_SETTING = re.compile(r"\"(MINI_[A-Z_]+)\"")


def named(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = _LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=named)
def test_every_file_that_is_named_is_there(document: Path) -> None:
    paths = _PATH.findall(document.read_text())
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_setting_is_explained() -> None:
    settings = set(_SETTING.findall((ROOT / "paas" / "settings.py").read_text()))
    explained = (ROOT / "docs" / "settings.md").read_text()
    assert settings
    assert {name for name in settings if name not in explained} == set()
