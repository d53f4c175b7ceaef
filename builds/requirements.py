"""Which files a requirements.txt reads: their ids are what an installed environment is known by."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from builds.source import Source
from paas.errors import BuildFailedError

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(\S+)")
_LOCAL = re.compile(
    r"(?:-e|--editable|-f|--find-links)[\s=]*(?!\S+://)\S|\.|/|file:|.*@\s*(?:file:|\.|/)|(?!\S+://)\S+\.(?:whl|zip|tar\.gz)\b"
)
_MAX_REQUIREMENTS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Requirements:
    """The files that were read with their object ids, and whether any line names other files of the commit."""

    inputs: tuple[tuple[str, str], ...]
    local: bool


def read_requirements(source: Source, path: str = "requirements.txt") -> Requirements:
    """Return what `path` reads; raises BuildFailedError for an included file that is not in the commit."""
    inputs: dict[str, str] = {}
    local, waiting = False, [path]
    while waiting:
        here = waiting.pop()
        entry, text = source.entry(here), source.text(here, limit=_MAX_REQUIREMENTS)
        if entry is None or text is None:
            raise BuildFailedError(f"{path} includes {here}, which is not in the commit. Commit it too.")
        inputs[here] = entry.id
        for line in _lines(text):
            if include := _INCLUDE.match(line):
                name = include[1]
                target = posixpath.normpath(posixpath.join(posixpath.dirname(here), name))
                if "://" not in name and target not in inputs:
                    waiting.append(target)
            elif _LOCAL.match(line):
                local = True
    return Requirements(tuple(sorted(inputs.items())), local)


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        stripped = re.sub(r"(^|\s)#.*", "", line).strip()
        if stripped:
            yield stripped
