import json
from pathlib import Path

import pytest

from builds.detect import Detected, detect
from builds.git import Git
from builds.interpreters import Wanted
from builds.node import install_command
from builds.python import PythonManifest, install_commands
from builds.requirements import read_requirements
from builds.source import Source
from builds.uv import explain
from paas.errors import BuildFailedError
from tests.unit.builds.repos import Server, WorkTree

PROCFILE = {"Procfile": "web: ./run\n"}


def detected(server: Server, work: WorkTree, files: dict[str, str | bytes]) -> Detected:
    commit = work.commit(files)
    server.take(work)
    with Source(Git(server.bare), commit) as source:
        return detect(source, max_instances=100)


def package(**members: object) -> dict[str, str | bytes]:
    return {"package.json": json.dumps(members)}


def test_a_procfile_alone_is_an_app(server: Server, work: WorkTree) -> None:
    found = detected(server, work, {**PROCFILE})
    assert found.python is None
    assert found.node is None
    assert dict(found.manifest.procfile.commands) == {"web": "./run"}


def test_a_lock_counts_before_requirements_and_those_before_a_project(server: Server, work: WorkTree) -> None:
    project = '[project]\nname = "a"\nversion = "1"\nrequires-python = ">=3.11"\n'
    found = detected(server, work, {**PROCFILE, "pyproject.toml": project})
    assert found.python is not None
    assert found.python.manifest is PythonManifest.PROJECT
    assert found.python.wanted == Wanted(">=3.11", "requires-python of pyproject.toml")
    found = detected(server, work, {"requirements.txt": "flask\n"})
    assert found.python is not None
    assert found.python.manifest is PythonManifest.REQUIREMENTS
    found = detected(server, work, {"uv.lock": "version = 1\n", ".python-version": "# why\n3.12\n"})
    assert found.python is not None
    assert found.python.manifest is PythonManifest.LOCK
    assert found.python.wanted == Wanted("3.12", ".python-version")


def test_a_pyproject_that_only_configures_tools_declares_nothing(server: Server, work: WorkTree) -> None:
    assert detected(server, work, {**PROCFILE, "pyproject.toml": "[tool.ruff]\n"}).python is None


def test_a_project_with_a_build_system_is_a_package_unless_it_says_not(
    server: Server, work: WorkTree
) -> None:
    project = '[project]\nname = "a"\nversion = "1"\n[build-system]\nrequires = ["hatchling"]\n'
    found = detected(server, work, {**PROCFILE, "pyproject.toml": project})
    assert found.python is not None
    assert found.python.package
    found = detected(server, work, {"pyproject.toml": project + "[tool.uv]\npackage = false\n"})
    assert found.python is not None
    assert not found.python.package


def test_an_environment_is_known_by_every_file_that_is_included(server: Server, work: WorkTree) -> None:
    commit = work.commit(
        {
            "requirements.txt": "-r reqs/base.txt\nflask  # web\n-c https://example.com/c.txt\n",
            "reqs/base.txt": "-c constraints.txt\nsix\n",
            "reqs/constraints.txt": "six<2\n-r ../requirements.txt\n",
        }
    )
    server.take(work)
    with Source(Git(server.bare), commit) as source:
        requirements = read_requirements(source)
    assert [path for path, _ in requirements.inputs] == [
        "reqs/base.txt",
        "reqs/constraints.txt",
        "requirements.txt",
    ]
    assert not requirements.local


@pytest.mark.parametrize(
    "line",
    ["-e .", "./lib", ".", "--editable=lib", "lib @ file:./lib", "a.whl", "-f wheels", "--find-links ./w"],
)
def test_a_requirement_of_the_commits_own_files_ties_the_environment_to_it(
    server: Server, work: WorkTree, line: str
) -> None:
    commit = work.commit({"requirements.txt": f"six\n{line}\n"})
    server.take(work)
    with Source(Git(server.bare), commit) as source:
        assert read_requirements(source).local


@pytest.mark.parametrize(
    "line", ["https://example.com/a.whl", "a @ git+https://example.com/a", "-f https://x/y"]
)
def test_a_requirement_from_elsewhere_does_not(server: Server, work: WorkTree, line: str) -> None:
    commit = work.commit({"requirements.txt": f"six\n{line}\n"})
    server.take(work)
    with Source(Git(server.bare), commit) as source:
        assert not read_requirements(source).local


def test_a_node_app_without_a_procfile_runs_its_start_script(server: Server, work: WorkTree) -> None:
    found = detected(server, work, package(scripts={"start": "node ."}, dependencies={"a": "1"}))
    assert dict(found.manifest.procfile.commands) == {"web": "npm start"}
    assert found.manifest.procfile.source == "the start script of package.json"
    assert found.node is not None
    assert install_command(found.node)[:2] == ("install", "--omit=dev")


def test_a_lock_and_a_build_script_decide_what_npm_installs(server: Server, work: WorkTree) -> None:
    files = {**PROCFILE, **package(scripts={"build": "x"}), "package-lock.json": "{}"}
    found = detected(server, work, files)
    assert found.node is not None
    assert install_command(found.node)[:2] == ("ci", "--include=dev")
    assert not found.node.local


@pytest.mark.parametrize(
    "members",
    [
        {"scripts": {"postinstall": "x"}, "dependencies": {"a": "1"}},
        {"workspaces": ["packages/*"], "dependencies": {"a": "1"}},
        {"dependencies": {"a": "file:./a"}},
    ],
)
def test_an_npm_installation_that_needs_the_commits_files_is_tied_to_it(
    server: Server, work: WorkTree, members: dict[str, object]
) -> None:
    found = detected(server, work, {**PROCFILE, **package(**members)})
    assert found.node is not None
    assert found.node.local


def test_python_and_node_may_be_together_where_node_has_something_to_do(
    server: Server, work: WorkTree
) -> None:
    python: dict[str, str | bytes] = {**PROCFILE, "requirements.txt": "six\n"}
    assert detected(server, work, {**python, **package(devDependencies={"eslint": "9"})}).node is None
    both = detected(server, work, {**python, **package(scripts={"build": "vite build"})})
    assert both.python is not None
    assert both.node is not None


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        pytest.param({"a": ""}, "has no Procfile.*web: ./server", id="nothing"),
        pytest.param({"requirements.txt": ""}, "has no Procfile.*gunicorn app:app", id="Python"),
        pytest.param({"Dockerfile": "FROM x"}, "Dockerfile and no Procfile", id="Dockerfile"),
        pytest.param({**PROCFILE, "Pipfile": ""}, "not from Pipfile", id="Pipfile"),
        pytest.param({**PROCFILE, "poetry.lock": ""}, "not from poetry.lock", id="poetry"),
        pytest.param({**PROCFILE, **package(), "yarn.lock": ""}, "yarn.lock is yarn's", id="yarn"),
        pytest.param({**PROCFILE, **package(), "pnpm-lock.yaml": ""}, "pnpm-lock.yaml is pnpm's", id="pnpm"),
        pytest.param({**PROCFILE, "package.json": "{"}, "package.json is no JSON", id="package.json"),
        pytest.param(
            {**PROCFILE, "package.json": '{"scripts": [1]}'}, "scripts must be an object", id="list"
        ),
        pytest.param({**PROCFILE, "pyproject.toml": "["}, "pyproject.toml cannot be read", id="pyproject"),
        pytest.param(
            {**PROCFILE, ".python-version": "myenv"}, r"\.python-version must name one", id="version"
        ),
        pytest.param(
            {**PROCFILE, "requirements.txt": "-r x.txt"}, "includes x.txt, which is not in", id="include"
        ),
        pytest.param(
            {**PROCFILE, "requirements.txt": "-r ../x"}, "includes ../x, which is not in", id="outside"
        ),
        pytest.param(
            {**PROCFILE, "app.json": '{"formation": {"wb": {}}}'}, "formation.wb is no", id="formation"
        ),
        pytest.param(
            {
                "Procfile": "web: ./run\nworker: ./work\n",
                "app.json": '{"healthchecks": {"worker": [{"type": "liveness"}]}}',
            },
            "healthchecks.worker would never be asked",
            id="a check of a worker",
        ),
    ],
)
def test_what_cannot_be_built_says_what_to_write(
    server: Server, work: WorkTree, files: dict[str, str | bytes], complaint: str
) -> None:
    with pytest.raises(BuildFailedError, match=f"(?s){complaint}"):
        detected(server, work, files)


def test_a_procfile_that_is_a_link_is_refused(server: Server, work: WorkTree) -> None:
    (work.path / "Procfile").symlink_to("/etc/hostname")
    with pytest.raises(BuildFailedError, match="Procfile is a symbolic link"):
        detected(server, work, {})


def test_a_lock_is_installed_by_its_hashes_from_indexes_that_were_chosen(tmp_path: Path) -> None:
    export, install = install_commands(PythonManifest.LOCK, tmp_path, indexes_chosen=True)
    assert export[0] == "export"
    assert "--require-hashes" in install
    [sync] = install_commands(PythonManifest.LOCK, tmp_path, indexes_chosen=False)
    assert sync[:2] == ("sync", "--frozen")


def test_uvs_explanation_becomes_one_sentence() -> None:
    lines = (
        "Using Python 3.11",
        "  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:",
        "  ╰─▶ Because nosuch was not found in the package registry and you require",
        "      nosuch, we can conclude that your requirements are unsatisfiable.",
    )
    assert explain(lines) == (
        "Because nosuch was not found in the package registry and you require nosuch, "
        "we can conclude that your requirements are unsatisfiable."
    )
