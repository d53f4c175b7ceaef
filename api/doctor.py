"""`mini doctor`: what of the machine and of this home is well, and what to do about what is not."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from api.docker_doctor import docker_findings
from api.schemas import Finding
from api.services import Services
from paas.settings import EngineChoice, Settings
from paas.threads import in_thread

_ROOM = 1 << 30
_ANSWER = 10.0


async def findings(here: Services) -> list[Finding]:
    """Return one finding a check, in a fixed order."""
    exposed = await here.supervisor.exposed()
    machine = await in_thread(lambda: list(_machine(here)))
    return [*machine, *await docker_findings(here.engine, here.settings.base_images), *_apps(here, exposed)]


def _machine(here: Services) -> Iterator[Finding]:
    yield _finding("platform", message=f"Linux {platform.release()}, Python {platform.python_version()}")
    yield _tool("git", "--version", need="pushes")
    yield _tool("node", "--version", need="Node apps", level="warning")
    yield _tool("npm", "--version", need="Node apps", level="warning")
    yield _room(here.settings.home)
    yield _private(here.settings.home)
    yield _private(here.settings.key_file)
    yield _private(here.settings.token_file)
    yield from listeners(here.settings)
    yield _finding(
        "database", message=f"{here.settings.database} answers; its backups are in {here.settings.backups}"
    )


def _apps(here: Services, exposed: list[str]) -> Iterator[Finding]:
    if here.engine is EngineChoice.PROCESS:
        sentence = "Apps run as this user: push only code that you trust as you trust yourself."
        yield _finding("trust", level="warning", message=sentence)
    for listener in exposed:
        sentence = f"{listener} can be reached beside the router: let the app bind $HOST."
        yield _finding("exposure", level="warning", message=sentence)


def listeners(settings: Settings) -> Iterator[Finding]:
    """Yield a warning for each address of our own that other machines can reach unencrypted."""
    if not _is_loopback(settings.listen.host):
        sentence = (
            f"The API listens on {settings.listen}: its token and all it carries cross the network in clear."
        )
        yield _finding("listen", level="warning", message=f"{sentence} Let it listen on 127.0.0.1.")
    if not _is_loopback(settings.http.host):
        sentence = f"The router listens on {settings.http}: other machines reach every app there, in clear."
        yield _finding("http", level="warning", message=f"{sentence} Let it listen on 127.0.0.1.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _tool(name: str, option: str, *, need: str, level: Literal["warning", "error"] = "error") -> Finding:
    path = shutil.which(name)
    if path is None:
        return _finding(
            name, level=level, message=f"{name} was not found on PATH; {need} need it. Install it."
        )
    try:
        answer = subprocess.run([path, option], capture_output=True, text=True, timeout=_ANSWER, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return _finding(
            name, level=level, message=f"{path} does not work ({error}); {need} need it. Install it anew."
        )
    return _finding(name, message=f"{answer.stdout.strip()} ({path})")


def _room(home: Path) -> Finding:
    free = shutil.disk_usage(home).free
    sentence = f"{free / (1 << 30):.1f} GiB free at {home}"
    if free < _ROOM:
        return _finding(
            "disk", level="error", message=f"{sentence}: less than 1 GiB. Free space, or run `mini gc`."
        )
    return _finding("disk", message=sentence)


def _private(path: Path) -> Finding:
    check = f"permissions of {path.name}"
    try:
        about = path.stat()
    except FileNotFoundError:
        return _finding(check, level="error", message=f"{path} is missing. Restore it from your backup.")
    if about.st_mode & 0o077 or about.st_uid != os.getuid():
        return _finding(check, level="error", message=f"{path} can be read by others. Run: chmod go= {path}")
    return _finding(check, message=f"{path} is private")


def _finding(check: str, *, message: str, level: Literal["ok", "warning", "error"] = "ok") -> Finding:
    return Finding(check=check, ok=level != "error", level=level, message=message)
