"""What `mini doctor` finds of Docker: whether it answers, how old it is, what it builds with, and what it leaves open."""

import os
import shutil
import subprocess
from typing import Literal

from api.schemas import Finding
from builds.bases import node_base, python_base
from builds.session import Session
from paas.engines.docker.client import Daemon
from paas.engines.docker.door import Door, unreachable
from paas.errors import BuildFailedError, EngineUnavailableError, UnsupportedError
from paas.settings import BaseImages, EngineChoice
from paas.threads import in_thread

OLDEST = (20, 10)
CLOSED_SINCE = (28, 0)
"""Docker keeps ports that are not published from the local network by itself only since then."""

_LIMIT = 10

Level = Literal["ok", "warning", "error"]


async def docker_findings(engine: EngineChoice, bases: BaseImages) -> list[Finding]:
    """Return what is to be said of Docker; where the home does without it, that it is not there is no fault."""
    daemon = Daemon()
    try:
        version = await daemon.version()
        of_images = await _of_images(daemon, bases) if engine is EngineChoice.DOCKER else []
    except (EngineUnavailableError, UnsupportedError) as error:
        if engine is EngineChoice.PROCESS:
            return [_finding("docker", message="no Docker daemon answers; this home does not need one")]
        return [_finding("docker", level="error", message=f"{error.message} Apps run in it.")]
    finally:
        daemon.close()
    forwarding = of_forwarding(version.engine, forwards=await in_thread(_forwards_all))
    return [of_version(version.engine, version.api), forwarding, *of_images]


def of_version(engine: str, api: str) -> Finding:
    """Return what is to be said of a daemon's version."""
    if _numbers(engine) < OLDEST:
        sentence = f"Docker {engine} is older than 20.10, which mini is tried with. Upgrade it."
        return _finding("docker", level="warning", message=sentence)
    return _finding("docker", message=f"Docker {engine} answers, API {api}")


def of_forwarding(engine: str, *, forwards: bool | None) -> Finding:
    """Return whether neighbours on the local network may reach containers; `forwards` is None where nobody may know."""
    if forwards is not True or _numbers(engine) >= CLOSED_SINCE:
        return _finding("docker network", message="containers are reached from this machine alone")
    sentence = (
        f"Docker {engine} lets neighbours on the local network reach containers, because the FORWARD chain accepts: "
        "run `iptables -P FORWARD DROP`, or use Docker 28 or newer."
    )
    return _finding("docker network", level="warning", message=sentence)


async def of_builds(door: Door) -> Finding:
    """Return whether a daemon has the BuildKit that every build needs; raises EngineUnavailableError where it does not
    answer."""
    session = Session(door, {}, key="")
    try:
        await in_thread(session.open)
    except BuildFailedError as error:
        return _finding("docker builds", level="error", message=error.message)
    except OSError as error:
        raise unreachable(door, error) from error
    finally:
        session.close()
    return _finding("docker builds", message="BuildKit is there to build images")


def of_base(setting: str, image: str, *, there: bool) -> Finding:
    """Return whether an image that generated Dockerfiles begin with is there, by the setting that names it."""
    if there:
        return _finding(setting, message=f"{image} is there")
    sentence = (
        f"{image} is not there: a build that needs it pulls it. Where that cannot be, "
        f"set {setting} to an image that is, and start the server again."
    )
    return _finding(setting, level="warning", message=sentence)


def _named(bases: BaseImages) -> dict[str, str]:
    """Return each base image, of the version that an app gets if it asks for none, by its setting."""
    return {
        "MINI_BASE_PYTHON": python_base(bases, None),
        "MINI_BASE_NODE": node_base(bases, ""),
        "MINI_BASE_PLAIN": bases.plain,
    }


async def _of_images(daemon: Daemon, bases: BaseImages) -> list[Finding]:
    of_bases = [await _of_base(daemon, *base) for base in _named(bases).items()]
    return [await of_builds(Door.named_by(os.environ)), *of_bases]


async def _of_base(daemon: Daemon, setting: str, image: str) -> Finding:
    return of_base(setting, image, there=await daemon.image(image) is not None)


def _forwards_all() -> bool | None:
    rules = _printed("iptables", "-S", "FORWARD")
    return None if rules is None else rules.startswith("-P FORWARD ACCEPT")


def _printed(*argv: str) -> str | None:
    """Return what a command prints; None where there is none, or it fails."""
    if shutil.which(argv[0]) is None:
        return None
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_LIMIT, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _finding(check: str, *, message: str, level: Level = "ok") -> Finding:
    return Finding(check=check, ok=level != "error", level=level, message=message)
