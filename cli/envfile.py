"""Reading and writing `.env` files, strictly: what cannot be read is an error with its line number.

    NAME=value             to the end of the line, without blanks around it and without a ` # comment`
    NAME='as it is'        nothing has a meaning inside, lines may be many
    NAME="with \\n and \\""  backslash escapes \\n \\r \\t \\" \\\\ \\$ \\`, lines may be many
    export NAME=           an empty value; the word `export` is passed over

Quoted parts may follow each other, as in a shell. `$NAME` stands for itself: nothing is ever expanded.
"""

import re
import shlex
from collections.abc import Mapping

from paas.errors import InvalidError

_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_BARE = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$", "`": "`", "\n": ""}


def read_env(text: str, *, source: str) -> dict[str, str]:
    """Return the variables that `text` sets, in order; raises InvalidError naming `source` and the line."""
    text = text.replace("\r\n", "\n")
    variables: dict[str, str] = {}
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        name, value, end = _assignment(text, position, source)
        if name in variables:
            raise InvalidError(f"{_place(source, text, position)}: {name} is set twice.")
        variables[name] = value
        position = end
    return variables


def write_env(variables: Mapping[str, str]) -> str:
    """Return the text that `read_env`, and a shell, reads as `variables`."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def _assignment(text: str, position: int, source: str) -> tuple[str, str, int]:
    name = _NAME.match(text, position)
    if name is None:
        line = text[position:].partition("\n")[0]
        # Not the whole line: it may hold a secret.
        raise InvalidError(f"{_place(source, text, position)}: {line[:20]!r} … is not NAME=value.")
    start = name.end()
    if text[start : start + 1] in ("'", '"'):
        value, end = _quoted(text, start, source)
    else:
        bare = _BARE.match(text, start)
        raw = bare[0] if bare else ""
        value, end = _COMMENT.sub("", raw).rstrip(), start + len(raw) + 1
    return name[1], value, end


def _quoted(text: str, start: int, source: str) -> tuple[str, int]:
    value, position = "", start
    while text[position : position + 1] in ("'", '"'):
        part = _QUOTED.match(text, position)
        if part is None:
            raise InvalidError(f"{_place(source, text, position)}: the quote that begins here does not end.")
        value += part[1] if part[1] is not None else _ESCAPE.sub(_meaning, part[2])
        position = part.end()
    rest = _BLANK.match(text, position)
    if rest is None:
        raise InvalidError(f"{_place(source, text, position)}: something follows the closing quote.")
    return value, rest.end()


def _meaning(escape: re.Match[str]) -> str:
    return _MEANINGS.get(escape[1], escape[0])


def _place(source: str, text: str, position: int) -> str:
    return f"{source} line {text.count(chr(10), 0, position) + 1}"
