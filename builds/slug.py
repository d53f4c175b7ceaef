"""Slugs: the artifacts of the process engine. Each is built at its final path, which is named by what went into it.

    slugs/KEY/tree/          the commit's files
    slugs/KEY/python         -> ../env-KEY, the installed dependencies, shared by every slug that needs the same ones
    slugs/KEY/.complete      written last: without it the folder is rubbish

Environments do not move, so none is ever built elsewhere and renamed; what has no marker is swept away.
"""

import asyncio
import json
import os
import platform
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Event
from types import MappingProxyType
from weakref import WeakValueDictionary

from builds.base import Built, Footprint, Language, Say
from builds.detect import Detected, detect
from builds.environment import build_environment
from builds.limit import Limit
from builds.node import Node
from builds.python import Python
from builds.shell import Shell
from builds.source import Source
from paas.domain.build import Artifact, Build, Slug
from paas.domain.names import AppName
from paas.settings import Settings
from paas.threads import in_thread

COMPLETE = ".complete"
TREE = "tree"
_ENVIRONMENT = "env-"
_KEY = re.compile(r"[0-9a-f]{32}")


class SlugBuilder:
    """Builds slugs. One per home: it alone writes below `Settings.slugs`."""

    name = "slug/1"

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str] = os.environ,
        *,
        marks: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`marks` go into the environment of every command, so that those of a crash can be found."""
        self._settings = settings
        self._environ = environ
        self._marks = marks
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._swept = asyncio.Lock()
        self._is_swept = False

    async def build(
        self,
        source: Source,
        build: Build,  # noqa: ARG002 - a slug is known by what is in it, whoever asked for it
        *,
        app: AppName,  # noqa: ARG002 - the same
        salt: str,
        limit: Limit,
        say: Say,
    ) -> Built:
        """Build the source, or take the slug that is there for exactly this (`builds.base.Builder`)."""
        await self._sweep()
        shell = Shell({**build_environment(self._settings, self._environ), **self._marks}, say=say)
        detected = await in_thread(detect, source, max_instances=self._settings.max_instances_per_type)
        say(
            f"Process types: {', '.join(detected.manifest.procfile.commands)} (from {detected.manifest.procfile.source})"
        )
        languages = await _languages(detected, shell=shell)
        key = _hash(self.name, platform.machine(), source.tree.root, *(each.key for each in languages), salt)
        async with limit.turn(self._lock(key)):
            slug = await in_thread(self._find, key)
            if slug is not None:
                say("Exactly these files were built before: the same slug is used")
            else:
                slug = await self._build(source, key, languages, salt=salt, limit=limit, shell=shell)
        return Built(slug, detected.manifest)

    async def has(self, artifact: Artifact) -> bool:
        """Return whether the slug and the environments it stands on are complete."""
        return isinstance(artifact, Slug) and await in_thread(_is_whole, self._settings.slugs / artifact.key)

    async def remove(self, artifact: Artifact) -> bool:
        """Remove a slug, and the environments that no other slug stands on; return whether it was there."""
        if not isinstance(artifact, Slug):
            return False
        folder = self._settings.slugs / artifact.key
        async with self._lock(artifact.key):
            was_there = await in_thread(folder.exists)
            environments = await in_thread(_environments_of, folder)
            await in_thread(_remove, folder)
        for environment in environments:
            # A build links its slug before it asks for the lock, so what it needs is in use by then.
            async with self._lock(environment):
                await in_thread(self._remove_unused, environment)
        return was_there

    async def present(self) -> list[tuple[Artifact, datetime]]:
        """Return every slug (`builds.base.Builder`), unfinished ones too."""
        return await in_thread(self._present)

    async def _build(
        self, source: Source, key: str, languages: list[Language], *, salt: str, limit: Limit, shell: Shell
    ) -> Slug:
        folder = self._settings.slugs / key
        await in_thread(_remove, folder)
        try:
            await _export(source, folder / TREE)
            for language in languages:
                await self._stand_on(folder, language, salt=salt, limit=limit, shell=shell)
            footprints = [await language.finish(folder, shell=shell) for language in languages]
            slug = _slug(key, footprints)
            await in_thread(_mark, folder, _to_json(slug))
        except BaseException:
            await asyncio.shield(in_thread(_remove, folder))
            raise
        return slug

    async def _stand_on(
        self, folder: Path, language: Language, *, salt: str, limit: Limit, shell: Shell
    ) -> None:
        """Link the slug to the environment that it needs, built first where it is not there."""
        own = folder.name if language.local else ""
        environment = self._settings.slugs / f"{_ENVIRONMENT}{_hash(self.name, language.key, own, salt)}"
        (folder / language.name).symlink_to(Path("..") / environment.name)
        async with limit.turn(self._lock(environment.name)):
            if (environment / COMPLETE).exists() and language.usable(environment):
                shell.say(f"The {language.name} dependencies have not changed")
                return
            await in_thread(_remove, environment)
            environment.mkdir()
            try:
                await language.install(environment, folder / TREE, shell=shell)
                await in_thread(_make_read_only, environment)
                await in_thread(_mark, environment, language.key)
            except BaseException:
                await asyncio.shield(in_thread(_remove, environment))
                raise

    async def _sweep(self) -> None:
        """Remove, once, what an earlier control plane left half built."""
        async with self._swept:
            if not self._is_swept:
                await in_thread(self._remove_incomplete)
                self._is_swept = True

    def _find(self, key: str) -> Slug | None:
        folder = self._settings.slugs / key
        return _from_json(key, (folder / COMPLETE).read_text()) if _is_whole(folder) else None

    async def trim(self, *, dry_run: bool) -> int:  # noqa: ARG002 - the caches of uv and npm have no limit here
        """Return 0: nothing is kept for later builds but what uv and npm keep themselves."""
        return 0

    def _present(self) -> list[tuple[Artifact, datetime]]:
        present: list[tuple[Artifact, datetime]] = []
        for folder in sorted(self._settings.slugs.glob("*")):
            with suppress(FileNotFoundError):  # a build that begins anew removes what was left unfinished
                if _KEY.fullmatch(folder.name):
                    made_at = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
                    present.append((Slug(folder.name), made_at))
        return present

    def _remove_incomplete(self) -> None:
        self._settings.slugs.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._settings.cache / "home").mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in self._settings.slugs.iterdir():
            if not (folder / COMPLETE).exists():
                _remove(folder)

    def _remove_unused(self, environment: str) -> None:
        if not any(environment in _environments_of(slug) for slug in self._settings.slugs.iterdir()):
            _remove(self._settings.slugs / environment)

    def _lock(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


async def _languages(detected: Detected, *, shell: Shell) -> list[Language]:
    languages: list[Language] = []
    if detected.python is not None:
        languages.append(await Python.find(detected.python, shell=shell))
    if detected.node is not None:
        languages.append(await Node.find(detected.node, shell=shell))
    return languages


async def _export(source: Source, folder: Path) -> None:
    """Write the tree on a thread; cancelled, it ends before this returns."""
    stop = Event()
    writing = asyncio.ensure_future(in_thread(source.export, folder, stop=stop))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.gather(writing, return_exceptions=True)
        raise


def _slug(key: str, footprints: list[Footprint]) -> Slug:
    return Slug(
        key=key,
        path=tuple(folder for each in footprints for folder in each.path),
        links=tuple(link for each in footprints for link in each.links),
        environment=tuple(item for each in footprints for item in each.environment.items()),
    )


def _is_whole(folder: Path) -> bool:
    return (folder / COMPLETE).exists() and all(
        (folder.parent / name / COMPLETE).exists() for name in _environments_of(folder)
    )


def _environments_of(slug: Path) -> list[str]:
    """Return the names of the environments that a slug is linked to."""
    if slug.name.startswith(_ENVIRONMENT) or not slug.is_dir():
        return []
    return [link.readlink().name for link in slug.iterdir() if link.is_symlink()]


def _to_json(slug: Slug) -> str:
    return json.dumps({"path": slug.path, "links": slug.links, "environment": slug.environment})


def _from_json(key: str, text: str) -> Slug:
    said = json.loads(text)
    pairs = {
        name: tuple((first, second) for first, second in said[name]) for name in ("links", "environment")
    }
    return Slug(key, path=tuple(said["path"]), links=pairs["links"], environment=pairs["environment"])


def _mark(folder: Path, text: str) -> None:
    """Write the marker once all that it stands for is on disk: a power cut leaves a whole slug or none."""
    os.sync()
    written = folder / f"{COMPLETE}.new"
    written.write_text(text)
    written.rename(folder / COMPLETE)


def _make_read_only(environment: Path) -> None:
    """Take the right to write from all but the two topmost levels, where tools keep caches (node_modules/.cache)."""
    top = {str(environment), *map(str, environment.iterdir())}
    for folder, _, names in os.walk(environment):
        for path in (Path(folder), *(Path(folder, name) for name in names)):
            if str(path) not in top and not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)


def _remove(folder: Path) -> None:
    """Remove a folder, the marker first, so that an interrupted removal leaves nothing that looks complete."""
    (folder / COMPLETE).unlink(missing_ok=True)
    for inner, _, _ in os.walk(folder):
        Path(inner).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _hash(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:32]
