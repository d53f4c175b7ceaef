"""Finding the Python that an app wants among those on this machine. It installs none."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builds.shell import CommandFailedError, Shell
from builds.uv import uv_binary
from paas.errors import BuildFailedError

_VERSION = re.compile(r"(?:c?python-?)?(\d+\.\d+(?:\.\d+)?)")
_SPECIFIER = re.compile(r"(?:(?:[<>=!~]=?|===)\s*[0-9][0-9A-Za-z.*+!-]*\s*,?\s*)+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version of Python that a commit asks for: one such as `3.12`, or a range such as `>=3.12`."""

    version: str
    by: str
    """The file that says so."""


def version_wanted(text: str, *, by: str) -> Wanted:
    """Return the version that a `.python-version` or `runtime.txt` names; raises BuildFailedError."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    named = [line for line in lines if line]
    match = _VERSION.fullmatch(named[0]) if len(named) == 1 else None
    if match is None:
        raise BuildFailedError(
            f"{by} must name one version of Python, such as 3.12; it has {' '.join(named)[:80]!r}."
        )
    return Wanted(match[1], by)


def range_wanted(text: str, *, by: str) -> Wanted:
    """Return the range that `requires-python` names; raises BuildFailedError."""
    if not _SPECIFIER.fullmatch(text.strip()):
        raise BuildFailedError(f"{by} must be a range such as >=3.11; it is {text[:80]!r}.")
    return Wanted("".join(text.split()), by)


async def find_python(wanted: Wanted | None, *, shell: Shell) -> Path:
    """Return the interpreter to build with: the server's own kind where nothing is wanted.

    Raises BuildFailedError naming the version wanted and those found.
    """
    if wanted is None:
        return own_python()
    search = Shell({**shell.environment, "PATH": search_path(shell.environment)}, say=shell.say)
    try:
        found = await search.ask(
            uv_binary(),
            "python",
            "find",
            "--no-project",
            "--no-config",
            "--system",
            wanted.version,
            folder=Path("/"),
        )
    except CommandFailedError as error:
        here = ", ".join(await _versions(search)) or "none"
        raise BuildFailedError(
            f"{wanted.by} wants Python {wanted.version}, and this machine has {here}. Install it, or ask for another."
        ) from error
    return Path(found)


def own_python() -> Path:
    """Return the interpreter beneath the environment that the server itself runs in, which an app never sees."""
    return Path(os.path.realpath(sys.executable))


def identity(interpreter: Path) -> str:
    """Return what changes when another interpreter takes this path."""
    real = interpreter.resolve()
    return f"{real} {real.stat().st_mtime_ns}"


def search_path(environment: Mapping[str, str]) -> str:
    """Return where to look: the server's own kind first, then pyenv's newest first, then PATH without pyenv's shims."""
    root = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv")
    versions = sorted(root.glob("versions/3.*/bin"), key=_number, reverse=True)
    rest = [entry for entry in environment.get("PATH", "").split(":") if not entry.endswith("/shims")]
    return ":".join([str(own_python().parent), *map(str, versions), *rest])


async def _versions(search: Shell) -> list[str]:
    shown = await search.ask(
        uv_binary(), "python", "list", "--only-installed", "--no-config", folder=Path("/")
    )
    versions = {
        match[1] for line in shown.splitlines() if (match := re.match(r"cpython-(\d+\.\d+\.\d+)", line))
    }
    return sorted(versions, key=lambda version: tuple(map(int, version.split("."))))


def _number(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", folder.parent.name))
