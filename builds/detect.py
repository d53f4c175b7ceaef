"""What a commit is: its languages, and its manifest (Procfile, app.json or a language's default). It reads, no more."""

from dataclasses import dataclass

from builds.app_json import AppJson, parse_app_json
from builds.node import NodePlan, plan_node
from builds.procfile import parse_procfile
from builds.python import PythonPlan, plan_python
from builds.source import Source
from paas.domain.names import WEB
from paas.domain.process import Manifest, Procfile
from paas.errors import BuildFailedError

OWN_COMMAND = "the CMD of the Dockerfile"
"""The source of a Procfile that no file says."""

_ADVICE = "Add a file named Procfile with a line for each process type, such as"


@dataclass(frozen=True, slots=True)
class Detected:
    """What a slug of the commit consists of."""

    manifest: Manifest
    python: PythonPlan | None
    node: NodePlan | None


def detect(source: Source, *, max_instances: int) -> Detected:
    """Return what the commit is; raises BuildFailedError saying what to write where it cannot be known."""
    written = source.text("Procfile")
    python, node = plan_python(source), plan_node(source)
    procfile = parse_procfile(written) if written is not None else _default(source, python, node)
    if node is not None and not node.needed and (python is not None or not node.has_start):
        node = None
    return Detected(_manifest(source, procfile, max_instances), python, node)


def detect_container(source: Source, *, max_instances: int) -> Manifest:
    """Return the manifest of a commit with a Dockerfile: without a Procfile its web process is the image's own CMD,
    written as the empty command. Raises BuildFailedError as `detect` does."""
    written = source.text("Procfile")
    procfile = parse_procfile(written) if written is not None else Procfile({WEB: ""}, source=OWN_COMMAND)
    return _manifest(source, procfile, max_instances)


def _default(source: Source, python: PythonPlan | None, node: NodePlan | None) -> Procfile:
    if node is not None and node.has_start and python is None:
        return Procfile({WEB: "npm start"}, source="the start script of package.json")
    if python is None and source.entry("Dockerfile"):
        raise BuildFailedError(
            "The commit has a Dockerfile and no Procfile, and the process engine runs no containers. "
            f"{_ADVICE} `web: ./run --host $HOST --port $PORT`."
        )
    example = (
        "web: gunicorn app:app --bind $HOST:$PORT"
        if python
        else "web: node server.js"
        if node
        else "web: ./server --host $HOST --port $PORT"
    )
    raise BuildFailedError(
        f"The commit has no Procfile, so mini cannot know what to run. {_ADVICE} `{example}`."
    )


def _manifest(source: Source, procfile: Procfile, max_instances: int) -> Manifest:
    text = source.text("app.json")
    says = parse_app_json(text, max_instances=max_instances) if text is not None else AppJson()
    for member, types in (("formation", says.formation), ("healthchecks", says.checks)):
        for name in types:
            if name not in procfile.long_running:
                there = ", ".join(procfile.long_running) or "none"
                raise BuildFailedError(
                    f"app.json: {member}.{name} is no process type that runs; there are: {there}."
                )
    for name, checks in says.checks.items():
        if checks and name != WEB:
            raise BuildFailedError(
                f"app.json: healthchecks.{name} would never be asked: only web instances are checked. Remove it."
            )
    return Manifest(procfile, says.formation, says.checks, says.auto_rollback)
