"""Node apps: what package.json says, and the npm commands that install the dependencies and build the app."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from builds.base import Footprint
from builds.semver import satisfies, version_of
from builds.shell import CommandFailedError, Shell
from builds.source import Source
from paas.errors import BuildFailedError
from paas.threads import in_thread

_MAX_PACKAGE = 1024 * 1024
_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
_AT_INSTALL = ("preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare")
_FOLDER = "node_modules"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What a commit says about Node. `local` is whether the installation needs the commit's other files."""

    inputs: tuple[tuple[str, str], ...]
    locked: bool
    engine: str
    has_build: bool
    has_start: bool
    local: bool
    needed: bool
    """Whether there is anything to install or build: a package.json may be there for a linter alone."""


def plan_node(source: Source) -> NodePlan | None:
    """Return how the commit's Node part is built, None where it has none; raises BuildFailedError."""
    text = source.text("package.json", limit=_MAX_PACKAGE)
    if text is None:
        return None
    package = _package(text)
    scripts, engines = _object(package, "scripts"), _object(package, "engines")
    locks = [name for name in _LOCKS if source.entry(name)]
    _refuse_other_managers(source, locked=bool(locks))
    return NodePlan(
        inputs=_ids(source, ("package.json", ".npmrc", *locks[:1])),
        locked=bool(locks),
        engine=str(engines.get("node", "")),
        has_build="build" in scripts,
        has_start="start" in scripts,
        local=bool(scripts.keys() & set(_AT_INSTALL))
        or _has_local_packages(package)
        or bool(source.entry("binding.gyp")),
        needed="build" in scripts or bool(_object(package, "dependencies")),
    )


@dataclass(frozen=True, slots=True)
class Node:
    """The Node part of one commit, with node and npm found."""

    plan: NodePlan
    node: Path
    npm: Path
    name: str = "node"

    @classmethod
    async def find(cls, plan: NodePlan, *, shell: Shell) -> "Node":
        """Return the part with the node of this machine; raises BuildFailedError where it is missing or unfit."""
        node, npm = _tools(shell.environment.get("PATH"))
        if plan.engine:
            version = await shell.ask(str(node), "--version", folder=Path("/"))
            if not satisfies(version_of(version), plan.engine):
                raise BuildFailedError(
                    f"package.json wants node {plan.engine}, and this machine has {version} ({node}). "
                    "Install that one, or ask for another in engines.node."
                )
        return cls(plan, node, npm)

    @property
    def key(self) -> str:
        tool = f"{self.node} {self.node.stat().st_mtime_ns}"
        return repr((self.name, self.plan.inputs, self.plan.has_build, tool))

    @property
    def local(self) -> bool:
        return self.plan.local

    async def install(self, environment: Path, tree: Path, *, shell: Shell) -> None:
        (environment / "bin").mkdir()
        for tool in (self.node, self.npm):
            (environment / "bin" / tool.name.removesuffix("-cli.js")).symlink_to(tool)
        folder = tree if self.plan.local else environment
        if not self.plan.local:
            for name, _ in self.plan.inputs:
                await in_thread(shutil.copyfile, tree / name, environment / name)
        try:
            await shell.run(str(self.npm), *install_command(self.plan), folder=folder)
        except CommandFailedError as error:
            raise install_failed(error.lines) from error

    async def finish(self, slug: Path, *, shell: Shell) -> Footprint:
        modules = slug / "tree" / _FOLDER
        if not self.plan.local:
            await in_thread(shutil.rmtree, modules, ignore_errors=True)
        if self.plan.has_build:
            await self._build(slug, modules, shell=shell)
        if self.plan.local:
            return Footprint(path=("node/bin",), environment={"NODE_ENV": "production"})
        return Footprint(
            path=("node/bin", f"node/{_FOLDER}/.bin"),
            links=((_FOLDER, f"node/{_FOLDER}"),),
            environment={"NODE_ENV": "production"},
        )

    async def _build(self, slug: Path, modules: Path, *, shell: Shell) -> None:
        if not self.plan.local:
            await in_thread(modules.symlink_to, slug / self.name / _FOLDER)
        try:
            await shell.run(
                str(self.npm), "run", "build", folder=slug / "tree", extra={"NODE_ENV": "production"}
            )
        except CommandFailedError as error:
            raise build_failed(error.lines) from error
        if not self.plan.local:
            await in_thread(modules.unlink)

    def usable(self, environment: Path) -> bool:
        return (environment / "bin" / "node").exists()


def _tools(path: str | None) -> tuple[Path, Path]:
    for tool in ("node", "npm"):
        if shutil.which(tool, path=path) is None:
            raise BuildFailedError(
                f"package.json needs {tool}, which is not on the server's PATH. Install Node.js."
            )
    return Path(str(shutil.which("node", path=path))).resolve(), Path(
        str(shutil.which("npm", path=path))
    ).resolve()


def install_command(plan: NodePlan) -> tuple[str, ...]:
    """Return npm's arguments: `ci` where a lock says what, and what only development needs just for a build."""
    what = "ci" if plan.locked else "install"
    kinds = "--include=dev" if plan.has_build else "--omit=dev"
    return (what, kinds, "--no-audit", "--no-fund", "--no-progress")


def install_failed(lines: tuple[str, ...]) -> BuildFailedError:
    """Return the error for an installation that failed after npm said `lines`."""
    return BuildFailedError(f"package.json cannot be installed: {explain(lines)}")


def build_failed(lines: tuple[str, ...]) -> BuildFailedError:
    """Return the error for a build script that failed after npm said `lines`."""
    return BuildFailedError(f"`npm run build` failed: {explain(lines)}")


def explain(lines: tuple[str, ...]) -> str:
    """Return npm's complaint among its output in one sentence."""
    errors = [line.split(" ", 2)[-1] for line in lines if line.lower().startswith(("npm error", "npm err!"))]
    said = [line for line in errors if not line.startswith(("code ", "A complete log", "errno"))] or lines[
        -3:
    ]
    return " ".join(" ".join(said).split())[:400]


def _refuse_other_managers(source: Source, *, locked: bool) -> None:
    for name, manager in (
        ("yarn.lock", "yarn"),
        ("pnpm-lock.yaml", "pnpm"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
    ):
        if not locked and source.entry(name):
            raise BuildFailedError(
                f"mini installs with npm, and {name} is {manager}'s. Commit a package-lock.json beside it: "
                "npm install --package-lock-only."
            )


def _package(text: str) -> Mapping[str, object]:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BuildFailedError(f"package.json is no JSON: {error}.") from error
    if not isinstance(package, dict):
        raise BuildFailedError("package.json must be an object.")
    return package


def _has_local_packages(package: Mapping[str, object]) -> bool:
    kinds = ("dependencies", "devDependencies", "optionalDependencies")
    versions = [str(version) for kind in kinds for version in _object(package, kind).values()]
    return "workspaces" in package or any(
        each.startswith(("file:", "link:", ".", "/", "~/")) for each in versions
    )


def _object(package: Mapping[str, object], member: str) -> Mapping[str, object]:
    value = package.get(member) or {}
    if not isinstance(value, dict):
        raise BuildFailedError(f"package.json: {member} must be an object.")
    return value


def _ids(source: Source, paths: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((path, entry.id) for path in paths if (entry := source.entry(path)))
