import pytest

from builds.dockerignore import parse_dockerignore


@pytest.mark.parametrize(
    ("text", "path", "excluded"),
    [
        pytest.param("", "a", False, id="nothing is ignored by default"),
        pytest.param("a", "a", True, id="a name at the root"),
        pytest.param("a", "b/a", False, id="a name is of the root alone"),
        pytest.param("**/a", "b/c/a", True, id="a name at any depth"),
        pytest.param("**/a", "a", True, id="any depth is none too"),
        pytest.param("a", "a/b/c", True, id="all that is in a folder"),
        pytest.param("/a/", "a", True, id="slashes at the ends change nothing"),
        pytest.param("./x/../a", "a", True, id="dots are resolved"),
        pytest.param("*.log", "x.log", True, id="a star"),
        pytest.param("*.log", "b/x.log", False, id="a star stays in its folder"),
        pytest.param("b/**", "b/c/d", True, id="everything below"),
        pytest.param("b/**", "b", False, id="below, not itself"),
        pytest.param("?.txt", "a.txt", True, id="one character"),
        pytest.param("[a-c].txt", "b.txt", True, id="a range of characters"),
        pytest.param("[^a-c].txt", "b.txt", False, id="but a range of characters"),
        pytest.param("a.c", "abc", False, id="a dot is a dot"),
        pytest.param(r"\*", "a", False, id="an escaped star is a star"),
        pytest.param("*\n!keep", "keep", False, id="an exception"),
        pytest.param("d\n!d/keep", "d/keep", False, id="an exception within a folder"),
        pytest.param("!a\na", "a", True, id="the last line decides"),
        pytest.param("# a\n\n  a  ", "a", True, id="comments, blank lines, spaces"),
        pytest.param(".", "a", False, id="the root itself is never left out"),
        pytest.param("\ufeffa", "a", True, id="a byte order mark"),
        pytest.param("**/x/**/y", "a/x/b/x/c/y", True, id="folders in between"),
        pytest.param("**/x/**/y", "a/x/b/z", False, id="folders in between, and no match"),
        pytest.param("**", "a/b", True, id="everything"),
        pytest.param(r"a\b", "ab", True, id="an escaped letter"),
        pytest.param("ä*", "äö", True, id="any letters"),
    ],
)
def test_a_path_is_ignored_as_docker_would(text: str, path: str, excluded: bool) -> None:
    assert parse_dockerignore(text).excludes(path) is excluded


@pytest.mark.parametrize("pattern", ["**/" * 5000 + "b", "*a" * 2000 + "b", "**/*a/" * 30 + "b", "[" * 1000])
def test_no_pattern_is_slow(pattern: str) -> None:
    assert not parse_dockerignore(pattern).excludes("/".join(["a" * 60] * 60))
