"""Reading and writing .env files."""

import os
import subprocess
from pathlib import Path

import pytest

from cli.envfile import read_env, write_env
from paas.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("A=1\nB=2\n", {"A": "1", "B": "2"}, id="lines"),
        pytest.param("A=1", {"A": "1"}, id="no end of line"),
        pytest.param("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}, id="lines of Windows"),
        pytest.param("A=\nB=1\n", {"A": "", "B": "1"}, id="empty value"),
        pytest.param("export A=1\n", {"A": "1"}, id="export"),
        pytest.param("\n# a comment\n  \nA=1\n", {"A": "1"}, id="blank lines and comments"),
        pytest.param("A=1 # the first\n", {"A": "1"}, id="comment behind a value"),
        pytest.param("A=1#2\n", {"A": "1#2"}, id="a number sign inside a value"),
        pytest.param("A='1 # 2'\n", {"A": "1 # 2"}, id="a number sign in quotes"),
        pytest.param("A=#1\n", {"A": ""}, id="nothing but a comment"),
        pytest.param("A=hello world \n", {"A": "hello world"}, id="blanks inside"),
        pytest.param("A=b=c\n", {"A": "b=c"}, id="an equals sign inside"),
        pytest.param(r"A='a\nb'", {"A": r"a\nb"}, id="single quotes keep backslashes"),
        pytest.param(r'A="a\nb\t\"c\" \\ \$D"', {"A": 'a\nb\t"c" \\ $D'}, id="escapes in double quotes"),
        pytest.param('A="a\nb"\nC=1', {"A": "a\nb", "C": "1"}, id="lines in double quotes"),
        pytest.param("A='a\nb'\nC=1", {"A": "a\nb", "C": "1"}, id="lines in single quotes"),
        pytest.param("A=$HOME/x\n", {"A": "$HOME/x"}, id="nothing is expanded"),
        pytest.param("A = 1\n", {"A": "1"}, id="blanks around the equals sign"),
        pytest.param("A='it'\"'\"'s'\n", {"A": "it's"}, id="quotes that follow each other"),
        pytest.param("A='x' # y\n", {"A": "x"}, id="comment behind quotes"),
        pytest.param("", {}, id="empty file"),
    ],
)
def test_a_file_is_read(text: str, expected: dict[str, str]) -> None:
    assert read_env(text, source=".env") == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("A=1\nnonsense\n", ".env line 2: 'nonsense'", id="no assignment"),
        pytest.param("1A=1\n", ".env line 1: '1A=1'", id="bad name"),
        pytest.param("A='x\nB=2\n", ".env line 1: the quote that begins here does not end", id="open quote"),
        pytest.param(
            "A=1\n\nB='x' y\n", ".env line 3: something follows the closing quote", id="text behind quotes"
        ),
        pytest.param("A=1\nA=2\n", ".env line 2: A is set twice", id="a name twice"),
        pytest.param("\ufeffA=1\n", ".env line 1", id="byte order mark"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(InvalidError) as error:
        read_env(text, source=".env")
    assert sentence in error.value.message


def test_an_error_shows_no_long_piece_of_what_may_be_a_secret() -> None:
    with pytest.raises(InvalidError) as error:
        read_env("SECRET key of the company is abc123", source=".env")
    assert "abc123" not in error.value.message


def test_what_is_written_is_read_again_by_us_and_by_a_shell(tmp_path: Path) -> None:
    variables = {"A": "it's", "B": "two\nlines", "C": "", "D": '$X `y` \\ "z"', "E": "a#b # c", "F": "ü"}
    text = write_env(variables)
    assert read_env(text, source="x") == variables
    script = tmp_path / "env.sh"
    script.write_text(f"set -a\n{text}env -0\n")
    output = subprocess.run(
        ["sh", str(script)], capture_output=True, check=True, env={"PATH": os.environ["PATH"]}
    ).stdout
    seen = dict(entry.split("=", 1) for entry in output.decode().split("\0") if entry)
    assert {name: seen[name] for name in variables} == variables
