"""Which base image an app stands on: the version of its language that it asks for, within the operator's choice.

What a registry has is not asked: a version that is missing shows when the build pulls it.
"""

import re
import sys
from dataclasses import dataclass

from builds.detect import Detected
from builds.interpreters import Wanted
from builds.semver import Version, satisfies
from paas.errors import BuildFailedError
from paas.settings import BaseImages

NODE_VERSIONS = (24, 22, 20, 18, 26)
"""Lines of Node with long support, the preferred one first."""

_NEWEST_PYTHON = 14
_OLDEST_PYTHON = 9
_CLAUSE = re.compile(r"(===|[<>=!~]=|[<>])(\d+)(?:\.(\d+|\*))?(?:\.(\d+|\*))?[^,]*")
_VERSION = "{version}"
_TOP = 10**6
"""Stands for the last release of a line, which is what its image has."""


@dataclass(frozen=True, slots=True)
class Base:
    """A base image, with the setting that names it and what that says: `image` has the version filled in."""

    image: str
    setting: str
    value: str


def bases_of(detected: Detected, bases: BaseImages) -> tuple[Base, ...]:
    """Return what an app without a Dockerfile stands on; raises BuildFailedError for a range with nothing in it."""
    python, node = detected.python, detected.node
    if python is None and node is None:
        return (Base(bases.plain, "MINI_BASE_PLAIN", bases.plain),)
    return (
        *([Base(python_base(bases, python.wanted), "MINI_BASE_PYTHON", bases.python)] if python else []),
        *([Base(node_base(bases, node.engine), "MINI_BASE_NODE", bases.node)] if node else []),
    )


def passed_over(detected: Detected, bases: BaseImages) -> tuple[str, ...]:
    """Return what the commit asks for and does not get, as the operator named one image for all, in a line each."""
    asked = []
    if detected.python is not None and (wanted := detected.python.wanted) is not None:
        asked.append((wanted.by, f"Python {wanted.version}", "MINI_BASE_PYTHON", bases.python))
    if detected.node is not None and detected.node.engine:
        asked.append(("package.json", f"node {detected.node.engine}", "MINI_BASE_NODE", bases.node))
    return tuple(
        f"{by} asks for {what}; {setting} is {image} for every app, whatever it asks for"
        for by, what, setting, image in asked
        if _VERSION not in image
    )


def python_base(bases: BaseImages, wanted: Wanted | None) -> str:
    """Return the image for an app in Python; raises BuildFailedError for a range with nothing in it."""
    return _with_version(bases.python, python_version(wanted))


def node_base(bases: BaseImages, engine: str) -> str:
    """Return the image for an app in Node; raises BuildFailedError for a range with nothing in it."""
    return _with_version(bases.node, node_version(engine))


def python_version(wanted: Wanted | None) -> str:
    """Return the version that is named, else the line that a range allows: the server's own kind before any other."""
    own = sys.version_info.minor
    if wanted is None:
        return f"3.{own}"
    if wanted.version[0].isdigit():
        return wanted.version
    others = [minor for minor in range(_NEWEST_PYTHON, _OLDEST_PYTHON, -1) if minor != own]
    for minor in (own, *others):
        if all(_allows(clause, (3, minor, _TOP)) for clause in wanted.version.split(",") if clause):
            return f"3.{minor}"
    raise BuildFailedError(
        f"{wanted.by} wants Python {wanted.version}, and no line of Python 3 is in that range. Name one in "
        ".python-version, such as 3.12."
    )


def node_version(engine: str) -> str:
    """Return the line that a range of `engines.node` allows, or the exact version that it begins with."""
    for major in NODE_VERSIONS:
        if not engine or satisfies((major, _TOP, _TOP), engine):
            return str(major)
    named = re.search(r"\d+(\.\d+){0,2}", engine)
    if named is not None and satisfies(_first(named[0]), engine):
        return named[0]
    lines = ", ".join(str(major) for major in sorted(NODE_VERSIONS))
    raise BuildFailedError(
        f"package.json wants node {engine}, which none of the lines {lines} is. Ask for one of them in engines.node."
    )


def _with_version(image: str, version: str) -> str:
    return image.replace(_VERSION, version)


def _allows(clause: str, version: Version) -> bool:
    """Return whether one clause of a PEP 440 range holds; what cannot be read is left to the installer."""
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return True
    operator, given = match[1], [int(part) for part in match.groups()[1:] if part and part.isdigit()]
    wanted = (*given, 0, 0)[:3]
    same = version[: len(given)] == tuple(given)
    return {
        "==": same,
        "===": same,
        "!=": not same,
        "~=": version >= wanted and version[: len(given) - 1] == tuple(given[:-1]),
        ">=": version >= wanted,
        ">": version > wanted,
        "<=": version <= wanted,
        "<": version < wanted,
    }[operator]


def _first(version: str) -> Version:
    major, minor, patch = (*(int(part) for part in version.split(".")), 0, 0)[:3]
    return major, minor, patch
