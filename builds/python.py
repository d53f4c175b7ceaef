"""Python apps: which manifest counts, which interpreter, and the uv commands that install the dependencies.

The environment is made by uv from a base interpreter, so it never sees the server's own packages.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from builds.base import Footprint
from builds.interpreters import Wanted, find_python, identity, range_wanted, version_wanted
from builds.requirements import read_requirements
from builds.shell import CommandFailedError, Shell
from builds.source import Source
from builds.uv import explain, uv_binary
from paas.errors import BuildFailedError

_INSTALL = ("pip", "install", "--compile-bytecode", "--link-mode", "copy")
"""Copies, not links into uv's cache: what one app does to its environment would reach every other app's."""


class PythonManifest(StrEnum):
    """The file that declares the dependencies, the first of these that there is."""

    LOCK = "uv.lock"
    REQUIREMENTS = "requirements.txt"
    PROJECT = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class PythonPlan:
    """What a commit says about Python. `package` is whether the app itself is a package to install."""

    manifest: PythonManifest
    wanted: Wanted | None
    inputs: tuple[tuple[str, str], ...]
    local: bool = False
    package: bool = False


def plan_python(source: Source) -> PythonPlan | None:
    """Return how the commit's Python part is built, None where it has none; raises BuildFailedError."""
    project = _pyproject(source)
    wanted = _wanted(source, project)
    has_project = "project" in project
    if has_project and (lock := source.entry(PythonManifest.LOCK)):
        inputs = (*_ids(source, "pyproject.toml"), (PythonManifest.LOCK, lock.id))
        return PythonPlan(PythonManifest.LOCK, wanted, inputs, package=_is_package(project))
    if source.entry(PythonManifest.REQUIREMENTS):
        requirements = read_requirements(source)
        return PythonPlan(PythonManifest.REQUIREMENTS, wanted, requirements.inputs, local=requirements.local)
    if has_project:
        inputs = _ids(source, "pyproject.toml")
        return PythonPlan(PythonManifest.PROJECT, wanted, inputs, package=_is_package(project))
    for name in ("poetry.lock", "Pipfile.lock", "Pipfile", "environment.yml"):
        if source.entry(name):
            raise BuildFailedError(
                f"mini installs from requirements.txt, uv.lock or pyproject.toml, not from {name}. "
                "Export a requirements.txt and commit it."
            )
    return None


@dataclass(frozen=True, slots=True)
class Python:
    """The Python part of one commit, with its interpreter found."""

    plan: PythonPlan
    interpreter: Path
    indexes_chosen: bool
    """Whether the operator chose package indexes: a lock's own addresses may then be out of reach."""
    name: str = "python"

    @classmethod
    async def find(cls, plan: PythonPlan, *, shell: Shell) -> "Python":
        """Return the part with the interpreter that it wants; raises BuildFailedError where there is none."""
        chosen = bool(shell.environment.keys() & {"UV_DEFAULT_INDEX", "UV_INDEX_URL"})
        return cls(plan, await find_python(plan.wanted, shell=shell), chosen)

    @property
    def key(self) -> str:
        return repr((self.name, self.plan.manifest, self.plan.inputs, identity(self.interpreter)))

    @property
    def local(self) -> bool:
        return self.plan.local

    async def install(self, environment: Path, tree: Path, *, shell: Shell) -> None:
        uv = uv_binary()
        python = str(environment / "bin" / "python")
        try:
            await shell.run(
                uv, "venv", "--allow-existing", "--no-project", "--no-config", "--python", str(self.interpreter),
                str(environment), folder=tree,
            )  # fmt: skip
            for command in install_commands(
                self.plan.manifest, environment, indexes_chosen=self.indexes_chosen
            ):
                extra = {"UV_PROJECT_ENVIRONMENT": str(environment)}
                await shell.run(uv, *command, "--python", python, folder=tree, extra=extra)
        except CommandFailedError as error:
            raise cannot_install(self.plan.manifest, error.lines) from error

    async def finish(self, slug: Path, *, shell: Shell) -> Footprint:
        commands, environment = f"{self.name}/bin", {"VIRTUAL_ENV": str(slug / self.name)}
        if not self.plan.package:
            return Footprint(path=(commands,), environment=environment)
        await self._install_package(slug, shell=shell)
        environment["PYTHONPATH"] = str(slug / "package")
        return Footprint(path=("package/bin", commands), environment=environment)

    async def _install_package(self, slug: Path, *, shell: Shell) -> None:
        """Install the app itself beside its dependencies, so that a change of its code leaves them alone."""
        python = str(slug / self.name / "bin" / "python")
        target = ("--no-deps", "--target", str(slug / "package"), ".")
        try:
            await shell.run(uv_binary(), *_INSTALL, "--python", python, *target, folder=slug / "tree")
        except CommandFailedError as error:
            raise cannot_install(PythonManifest.PROJECT, error.lines) from error

    def usable(self, environment: Path) -> bool:
        return (environment / "bin" / "python").exists()


def install_commands(
    manifest: PythonManifest, environment: Path, *, indexes_chosen: bool
) -> list[tuple[str, ...]]:
    """Return the uv commands that install the dependencies that `manifest` names, run one after the other."""
    if manifest is not PythonManifest.LOCK:
        return [(*_INSTALL, "--requirement", manifest)]
    if not indexes_chosen:
        only_dependencies = ("--no-dev", "--no-install-project", "--no-install-workspace")
        return [("sync", "--frozen", *only_dependencies, "--compile-bytecode", "--link-mode", "copy")]
    # The same packages by name, version and hash, from the indexes that the operator chose.
    exported = str(environment / "requirements.txt")
    export = ("export", "--quiet", "--frozen", "--no-dev", "--no-emit-workspace", "--output-file", exported)
    return [export, (*_INSTALL, "--require-hashes", "--requirement", exported)]


def cannot_install(manifest: PythonManifest, lines: tuple[str, ...]) -> BuildFailedError:
    """Return the error for an installation that failed after uv said `lines`."""
    unresolved = any("No solution found" in line for line in lines)
    verb = "resolved" if unresolved else "installed"
    return BuildFailedError(f"{manifest} cannot be {verb}: {explain(lines)}")


def _wanted(source: Source, project: Mapping[str, object]) -> Wanted | None:
    for name in (".python-version", "runtime.txt"):
        if (text := source.text(name)) is not None:
            return version_wanted(text, by=name)
    section = project.get("project")
    requires = section.get("requires-python") if isinstance(section, dict) else None
    return (
        range_wanted(requires, by="requires-python of pyproject.toml") if isinstance(requires, str) else None
    )


def _pyproject(source: Source) -> Mapping[str, object]:
    text = source.text("pyproject.toml", limit=1024 * 1024)
    try:
        return tomllib.loads(text) if text is not None else {}
    except tomllib.TOMLDecodeError as error:
        raise BuildFailedError(f"pyproject.toml cannot be read: {error}.") from error


def _is_package(project: Mapping[str, object]) -> bool:
    tool = project.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    says = uv.get("package") if isinstance(uv, dict) else None
    return says if isinstance(says, bool) else "build-system" in project


def _ids(source: Source, path: str) -> tuple[tuple[str, str], ...]:
    entry = source.entry(path)
    return ((path, entry.id),) if entry else ()
