"""Generated Dockerfiles, as text: what a commit without one is built by. It runs nothing and asks nobody.

What changes least comes first, so that a change of code alone makes one layer; all of the app's own code runs
without root, at build time too. Each is a file that one could commit and go on with by hand.
"""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builds.bases import node_base, python_base
from builds.detect import Detected
from builds.node import NodePlan, install_command
from builds.python import PythonPlan, install_commands
from paas.settings import BaseImages

USER = 10001
VENV = "/opt/venv"
UV = "/opt/uv/bin/uv"
UV_CACHE = "/tmp/uv"  # noqa: S108 - in the image, like all paths here
NPM_CACHE = "/tmp/npm"  # noqa: S108 - the same
_UV_SETTINGS = (
    f"UV_CACHE_DIR={UV_CACHE}",
    "UV_LINK_MODE=copy",
    "UV_PYTHON_DOWNLOADS=never",
    f"UV_PROJECT_ENVIRONMENT={VENV}",
    "UV_SYSTEM_CERTS=1",
)
"""Arguments, not variables: no instance has them. The base image's certificates count, as a company's has its own. The
cache is another filesystem while a build runs, so nothing of it can be linked."""

_HEADER = "# Made by mini. To go on with it by hand, commit it as Dockerfile.\n"
_COPY = f"COPY --chown={USER}:{USER}"
_PLAIN_PATH = re.compile(r"[\w./+-]+")


@dataclass(frozen=True, slots=True)
class Choices:
    """What an image depends on beside the commit: the base images, the version of uv, and the names of the build
    arguments that say where packages come from."""

    bases: BaseImages
    uv: str
    caches: str
    """What the caches of downloads are called (`builds.caches`)."""
    indexes: tuple[str, ...] = ()

    @property
    def python_indexes(self) -> tuple[str, ...]:
        return tuple(name for name in sorted(self.indexes) if name.startswith("UV_"))

    @property
    def node_indexes(self) -> tuple[str, ...]:
        return tuple(name for name in sorted(self.indexes) if not name.startswith("UV_"))


def generate(detected: Detected, choices: Choices) -> str:
    """Return the Dockerfile for what was detected; raises BuildFailedError for a version that no base image has."""
    if detected.python is not None and detected.node is not None:
        stages = [
            _node(detected.node, choices, stage=" AS assets"),
            _python(detected.python, choices, "assets"),
        ]
    elif detected.python is not None:
        stages = [_python(detected.python, choices)]
    elif detected.node is not None:
        stages = [_node(detected.node, choices)]
    else:
        stages = [_plain(choices)]
    return _HEADER + "\n\n".join("\n".join(lines) for lines in stages) + "\n"


def _plain(choices: Choices) -> list[str]:
    return [f"FROM {choices.bases.plain}", _user("/app"), *_as_user({}), f"{_COPY} . ."]


def _python(plan: PythonPlan, choices: Choices, assets: str = "") -> list[str]:
    """`assets` is the stage that has the commit's files and what was built from them, else they are copied."""
    everything = f"{_COPY} --from={assets} /app ." if assets else f"{_COPY} . ."
    local = plan.local or not _plain_paths(plan.inputs)
    first = [everything] if local else _copies(plan.inputs)
    lines = [
        f"FROM {python_base(choices.bases, plan.wanted)}",
        _user("/app", VENV),
        *(f"ARG {each}" for each in choices.python_indexes),
        _install_uv(choices),
        *_as_user({"PATH": f"{VENV}/bin:$PATH", "VIRTUAL_ENV": VENV}),
        *(f"ARG {each}" for each in _UV_SETTINGS),
        *first,
        _run(_python_dependencies(plan, choices), mount=_cache(UV_CACHE, choices)),
        *([] if local else [everything]),
    ]
    if plan.package:
        own = [f"{UV} pip install --compile-bytecode --no-deps ."]
        lines.append(_run(own, mount=_cache(UV_CACHE, choices)))
    return lines


def _install_uv(choices: Choices) -> str:
    index = " --index-url $UV_DEFAULT_INDEX" if "UV_DEFAULT_INDEX" in choices.indexes else ""
    pip = f"/opt/uv/bin/pip install --quiet --no-cache-dir{index} uv=={choices.uv}"
    return f"RUN python3 -m venv /opt/uv && {pip}"


def _python_dependencies(plan: PythonPlan, choices: Choices) -> list[str]:
    chosen = bool({"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(choices.indexes))
    commands = install_commands(plan.manifest, Path("/tmp"), indexes_chosen=chosen)  # noqa: S108 - in the image
    return [
        f"{UV} venv --quiet --allow-existing --no-project --python python3 {VENV}",
        *(f"{UV} {' '.join(each)}" for each in commands),
    ]


def _node(plan: NodePlan, choices: Choices, *, stage: str = "") -> list[str]:
    install = f"npm {' '.join(install_command(plan))} --cache {NPM_CACHE}"
    local = plan.local or not _plain_paths(plan.inputs)
    environment = {"PATH": "/app/node_modules/.bin:$PATH", "NODE_ENV": "production"}
    return [
        f"FROM {node_base(choices.bases, plan.engine)}{stage}",
        _user("/app"),
        *_as_user(environment),
        *(f"ARG {name}" for name in choices.node_indexes),
        *([f"{_COPY} . ."] if local else _copies(plan.inputs)),
        _run([install], mount=_cache(NPM_CACHE, choices)),
        *([] if local else [f"{_COPY} . ."]),
        *(["RUN npm run build"] if plan.has_build else []),
    ]


def _user(*folders: str) -> str:
    add = f"useradd --uid {USER} --user-group --home-dir /app --shell /bin/sh app"
    return f"RUN {add} && install --directory --owner app --group app {' '.join(folders)}"


def _as_user(environment: Mapping[str, str]) -> list[str]:
    pairs = " ".join(f"{name}={value}" for name, value in {"HOME": "/app", **environment}.items())
    return [f"ENV {pairs}", "WORKDIR /app", f"USER {USER}:{USER}"]


def _cache(folder: str, choices: Choices) -> str:
    """Return what mounts the app's own cache at a folder. Without an id it would be everybody's."""
    id = f"{choices.caches}-{posixpath.basename(folder)}"
    return f"--mount=type=cache,id={id},target={folder},uid={USER},gid={USER} "


def _run(commands: Iterable[str], *, mount: str = "") -> str:
    return f"RUN {mount}" + " \\\n && ".join(commands)


def _copies(inputs: tuple[tuple[str, str], ...]) -> list[str]:
    """Return what copies the files, each into its own folder."""
    folders = defaultdict[str, list[str]](list)
    for path, _ in inputs:
        folders[posixpath.dirname(path)].append(path)
    return [f"{_COPY} {' '.join(paths)} ./{folder and folder + '/'}" for folder, paths in folders.items()]


def _plain_paths(inputs: tuple[tuple[str, str], ...]) -> bool:
    """Return whether the paths can stand in a Dockerfile; where one cannot, all files are copied before."""
    return all(_PLAIN_PATH.fullmatch(path) for path, _ in inputs)
