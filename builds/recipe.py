"""How one commit becomes an image: by its own Dockerfile or by a generated one. It reads the commit, and builds nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

from builds.arguments import Arguments
from builds.bases import Base, bases_of, passed_over
from builds.context import Context
from builds.detect import OWN_COMMAND, Detected, detect, detect_container
from builds.dockerfile import UV, Choices, generate
from builds.node import build_failed, install_failed
from builds.python import PythonManifest, cannot_install
from builds.source import Source
from builds.steps import NoBaseError, StepFailedError, familiar
from builds.uv import uv_version
from paas.domain.process import Manifest
from paas.errors import BuildFailedError
from paas.settings import Settings

_DOCKERFILE = "Dockerfile"
_MAX_DOCKERFILE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is sent to Docker, and what the platform reads from the commit. `news` are lines for who pushed it."""

    manifest: Manifest
    dockerfile: str
    arguments: Mapping[str, str]
    without: tuple[str, ...] = ()
    news: tuple[str, ...] = ()
    detected: Detected | None = None
    """What the Dockerfile was generated for; None where it is the commit's own."""
    bases: tuple[Base, ...] = ()
    """What a generated Dockerfile begins with."""

    @property
    def context(self) -> Context:
        """What to send."""
        return Context(self.dockerfile, self.without)

    @property
    def runs_own_command(self) -> bool:
        """Whether the image itself has to say what runs."""
        return self.manifest.procfile.source == OWN_COMMAND

    def explained(self, error: StepFailedError | NoBaseError) -> BuildFailedError:
        """Return the error in the words of what its reader can change: the app's own files, the server's settings."""
        return self._without_base(error) if isinstance(error, NoBaseError) else self._failed(error)

    def _without_base(self, error: NoBaseError) -> BuildFailedError:
        if self.detected is None:
            named = "the commit's own Dockerfile, in its FROM line (or `COPY --from`, `# syntax=`), and by no setting"
            return BuildFailedError(f"{error.message} It is named by {named}.")
        meant = [each for each in self.bases if familiar(each.image) in (error.image, _untagged(error.image))]
        named = " and ".join(f"{each.setting} (now {each.value})" for each in meant or self.bases)
        return BuildFailedError(
            f"{error.message} It is named by {named}, which the server reads when it starts."
        )

    def _failed(self, error: StepFailedError) -> BuildFailedError:
        step = error.instruction
        if self.detected is None:
            return error
        if self.detected.python is not None and UV in step:
            own = step.endswith("--no-deps .")
            return cannot_install(
                PythonManifest.PROJECT if own else self.detected.python.manifest, error.lines
            )
        if self.detected.node is not None and "npm " in step:
            return build_failed(error.lines) if "npm run build" in step else install_failed(error.lines)
        return error


def read_recipe(source: Source, settings: Settings, arguments: Arguments, *, caches: str) -> Recipe:
    """Return how the commit is built, with `caches` of downloads of that name; raises
    BuildFailedError saying what to write where it cannot be known."""
    limit = settings.max_instances_per_type
    written = source.text(_DOCKERFILE, limit=_MAX_DOCKERFILE)
    if written is not None:
        return _own(written, detect_container(source, max_instances=limit), arguments)
    return _generated(detect(source, max_instances=limit), settings, arguments, caches=caches)


def _own(dockerfile: str, manifest: Manifest, arguments: Arguments) -> Recipe:
    if not dockerfile.strip():
        raise BuildFailedError(
            "The Dockerfile is empty. Begin it with a line such as `FROM debian:bookworm-slim`."
        )
    return Recipe(manifest, dockerfile, arguments.proxies, news=(_types(manifest),))


def _generated(detected: Detected, settings: Settings, arguments: Arguments, *, caches: str) -> Recipe:
    node = detected.node is not None
    passed = arguments.for_languages(python=detected.python is not None, node=node)
    choices = Choices(settings.base_images, uv_version(), caches, indexes=tuple(passed.indexes))
    return Recipe(
        detected.manifest,
        generate(detected, choices),
        passed.values,
        without=("/node_modules",) if node else (),
        news=(
            _types(detected.manifest),
            *passed_over(detected, settings.base_images),
            *_left_out(passed, detected),
        ),
        detected=detected,
        bases=bases_of(detected, settings.base_images),
    )


def _untagged(image: str) -> str:
    """Return the name that an image has where the tag that is meant is left out."""
    return image.removesuffix(":latest")


def _types(manifest: Manifest) -> str:
    return f"Process types: {', '.join(manifest.procfile.commands)} (from {manifest.procfile.source})"


def _left_out(arguments: Arguments, detected: Detected) -> tuple[str, ...]:
    if not arguments.left_out or (detected.python is None and detected.node is None):
        return ()
    why = "a container cannot reach it, or it would leave a credential in the image"
    return (f"Not used for the image: {', '.join(arguments.left_out)} ({why})",)
