"""Images: the artifacts of the docker and swarm engines, built by Docker from git objects alone.

A commit's own Dockerfile is used as it is; any other commit gets a generated one (`builds.dockerfile`). No config
variable is ever near a build, so none can be in an image.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from builds.arguments import build_arguments
from builds.base import Built, Say
from builds.buildkit import ImageBuild
from builds.caches import cache_name
from builds.daemon import Daemon, FoundImage, ImageRequest
from builds.limit import Limit
from builds.recipe import Recipe, read_recipe
from builds.relay import Relay
from builds.session import Folder
from builds.source import Source
from builds.steps import NoBaseError, StepFailedError
from builds.times import Times
from paas.domain.build import Artifact, Build, Image
from paas.domain.names import AppName
from paas.errors import BuildFailedError, EngineUnavailableError
from paas.settings import BaseImages, Settings
from paas.threads import in_thread

HOME_LABEL = "mini.image.home"
"""Image labels have names of their own: a container inherits them, and must not look like an instance by it."""

_VERSION = "image/2"
"""Counts up where nothing that was built before may be used again."""
_AT_ONCE = 4
"""Builds that run at once: each holds a thread, and the rest of the control plane needs those too."""
_MIB = 1024 * 1024

_STOP_LIMIT = 10.0
"""Seconds that Docker may take to end a cancelled build, and then the build to let go of its thread."""


class ImageBuilder:
    """Builds images for one home; it never removes an image that another home or a person has made."""

    def __init__(self, settings: Settings, *, home_id: str, environ: Mapping[str, str] = os.environ) -> None:
        self.name = _named(settings.base_images)
        self._settings = settings
        self._home_id = home_id
        self._environ = environ
        self._daemon = Daemon(environ)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def build(
        self, source: Source, build: Build, *, app: AppName, salt: str, limit: Limit, say: Say
    ) -> Built:
        """Build the source (`builds.base.Builder`). Layers that Docker has are used again, unless there is a salt."""
        recipe, times, key = await in_thread(self._read, source, build)
        for line in recipe.news:
            say(line)
        request = ImageRequest(
            tag=f"{self._repository}/{build.app}:{build.commit[:12]}-{build.id}",
            labels=self._labels(build, app),
            arguments=recipe.arguments,
            cached=not salt,
            limit=self._settings.build_limit,
        )
        folders: dict[str, Folder] = {
            "dockerfile": lambda: recipe.context.recipe(times),
            "context": lambda: recipe.context.files(source, times),
        }
        running = ImageBuild(self._daemon, request, folders, key=key, say=Relay(say))
        async with limit.turn(self._free):
            try:
                image = await self._run(running, request)
            except (StepFailedError, NoBaseError) as error:
                raise recipe.explained(error) from error
        made, _ = await asyncio.gather(
            in_thread(self._made, image, request, recipe), in_thread(times.save, self._seen(build))
        )
        return Built(made, recipe.manifest)

    async def has(self, artifact: Artifact) -> bool:
        """Return whether Docker still has the image; raises EngineUnavailableError where it does not say."""
        return isinstance(artifact, Image) and await in_thread(self._daemon.find, artifact.digest) is not None

    async def remove(self, artifact: Artifact) -> bool:
        """Remove this home's tags of an image, and with its last tag the image; one that a container uses stays."""
        if not isinstance(artifact, Image):
            return False
        found = await in_thread(self._daemon.find, artifact.digest)
        if found is None or found.labels.get(HOME_LABEL) != self._home_id:
            return False
        # One whose tag somebody removed by hand has its id alone.
        names = filter(self._is_own, found.tags) if found.tags else (found.id,)
        removed = [await in_thread(self._daemon.remove, name) for name in names]
        return bool(removed) and all(removed)

    async def present(self) -> list[tuple[Artifact, datetime]]:
        """Return the images with a tag of this home (`builds.base.Builder`). The label alone says nothing: what a person
        builds FROM an image of this home inherits it."""
        made = await in_thread(self._daemon.made, f"{HOME_LABEL}={self._home_id}")
        own = {each.id: (tag, each.made_at) for each in made for tag in each.tags if self._is_own(tag)}
        return [(Image(id, tag), made_at) for id, (tag, made_at) in own.items()]

    async def trim(self, *, dry_run: bool) -> int:
        """Bring BuildKit's cache back within `Settings.build_cache`; what was used last stays (`builds.base.Builder`)."""
        keep = self._settings.build_cache * _MIB
        if not keep:
            return 0
        if dry_run:
            return max(0, await in_thread(self._daemon.cached) - keep)
        return await in_thread(self._daemon.trim, keep)

    def _read(self, source: Source, build: Build) -> tuple[Recipe, Times, str]:
        """Return how the commit is built, the times of its files, and the name of what earlier builds left for it."""
        arguments = build_arguments(self._settings, self._environ)
        key = cache_name(self._settings.cache, build.app)
        recipe = read_recipe(source, self._settings, arguments, caches=key)
        began = int(build.created_at.timestamp() * 1e6) * 1000
        return recipe, Times.read(self._seen(build), now=began), key

    def _seen(self, build: Build) -> Path:
        return self._settings.image_files / build.app

    def _labels(self, build: Build, app: AppName) -> dict[str, str]:
        return {
            HOME_LABEL: self._home_id,
            "mini.image.app": build.app,
            "mini.image.app-name": app,
            "mini.image.build": build.id,
            "mini.image.builder": self.name,
            "mini.image.commit": build.commit,
        }

    async def _run(self, running: ImageBuild, request: ImageRequest) -> str:
        """Build, and return the image's id. Cancelling it ends the build in Docker too."""
        task = asyncio.ensure_future(in_thread(running.run))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.shield(self._end(running, task, request))
            raise

    async def _end(self, running: ImageBuild, task: asyncio.Future[str], request: ImageRequest) -> None:
        with suppress(EngineUnavailableError):
            await in_thread(running.stop)
            await asyncio.wait({task}, timeout=_STOP_LIMIT)
        await in_thread(running.hang_up)
        await asyncio.wait({task}, timeout=_STOP_LIMIT)
        if task.done():
            task.exception()
        with suppress(EngineUnavailableError):
            await in_thread(self._daemon.remove, request.tag, limit=_STOP_LIMIT)

    def _made(self, id: str, request: ImageRequest, recipe: Recipe) -> Image:
        found = self._daemon.find(id)
        if found is None:
            raise EngineUnavailableError("The image was removed as soon as it was built. Push again.")
        if recipe.runs_own_command and not found.command:
            self._daemon.remove(request.tag)
            raise BuildFailedError(
                "The Dockerfile has no CMD and the commit no Procfile, so mini cannot know what to run. End the "
                'Dockerfile with a line such as `CMD ["./server"]`, or add a Procfile with a line such as '
                "`web: ./server --host $HOST --port $PORT`."
            )
        return Image(found.id, request.tag, port=_exposed_port(found) if recipe.detected is None else None)

    def _is_own(self, tag: str) -> bool:
        return tag.startswith(f"{self._repository}/")

    @property
    def _repository(self) -> str:
        return f"mini/{self._home_id}"


def _named(bases: BaseImages) -> str:
    """Return the name of a builder that generates Dockerfiles on these bases: those that are not the default are in it,
    so that nothing which was built on another one is taken for what it builds."""
    default = asdict(BaseImages())
    chosen = [f"{kind}={image}" for kind, image in asdict(bases).items() if image != default[kind]]
    return " ".join([_VERSION, *chosen])


def _exposed_port(image: FoundImage) -> int | None:
    """Return the one port that the image EXPOSEs: its web listens there, and may not know of PORT."""
    return image.ports[0] if len(image.ports) == 1 else None
