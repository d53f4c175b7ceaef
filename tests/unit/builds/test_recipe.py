import json
from dataclasses import replace
from pathlib import Path

import pytest

from builds.arguments import Arguments, build_arguments
from builds.git import Git
from builds.recipe import Recipe, read_recipe
from builds.source import Source
from builds.steps import NoBaseError, StepFailedError
from paas.errors import BuildFailedError
from paas.settings import BaseImages
from tests.unit.builds.repos import Server, WorkTree

NOTHING = Arguments({}, {}, ())
PYTHON: dict[str, str | bytes] = {"Procfile": "web: x\n", "requirements.txt": "six\n"}
NODE: dict[str, str | bytes] = {
    "Procfile": "web: x\n",
    "package.json": json.dumps({"scripts": {"build": "x"}}),
}


class Kitchen:
    def __init__(self, server: Server, work: WorkTree) -> None:
        self.server, self.work = server, work

    def recipe(self, files: dict[str, str | bytes], arguments: Arguments = NOTHING) -> Recipe:
        commit = self.work.commit(files)
        self.server.take(self.work)
        with Source(Git(self.server.bare), commit) as source:
            return read_recipe(source, self.server.settings, arguments, caches="name")


@pytest.fixture
def kitchen(server: Server, work: WorkTree) -> Kitchen:
    return Kitchen(server, work)


def test_a_commits_own_dockerfile_counts_before_any_language(kitchen: Kitchen) -> None:
    recipe = kitchen.recipe({**PYTHON, "Dockerfile": "FROM own\nCMD x\n"})
    assert recipe.dockerfile == "FROM own\nCMD x\n"
    assert recipe.detected is None
    assert not recipe.runs_own_command


def test_without_a_procfile_the_image_says_what_runs(kitchen: Kitchen) -> None:
    recipe = kitchen.recipe(
        {"Dockerfile": "FROM own\n", "app.json": '{"formation": {"web": {"quantity": 2}}}'}
    )
    assert recipe.runs_own_command
    assert dict(recipe.manifest.procfile.commands) == {"web": ""}
    assert dict(recipe.manifest.formation) == {"web": 2}
    assert recipe.news == ("Process types: web (from the CMD of the Dockerfile)",)


def test_a_dockerfile_that_is_a_link_is_refused(kitchen: Kitchen) -> None:
    (kitchen.work.path / "Dockerfile").symlink_to("other")
    with pytest.raises(BuildFailedError, match="Dockerfile is a symbolic link"):
        kitchen.recipe({"other": "FROM x\n"})


def test_a_commit_with_nothing_to_go_by_is_told_what_to_write(kitchen: Kitchen) -> None:
    with pytest.raises(BuildFailedError, match="has no Procfile"):
        kitchen.recipe({"requirements.txt": "six\n"})


def test_what_a_commit_installed_itself_is_left_out(kitchen: Kitchen) -> None:
    assert kitchen.recipe(NODE).without == ("/node_modules",)
    assert "FROM node:" in kitchen.recipe(NODE).dockerfile


def test_an_index_that_is_not_used_is_named_to_whom_it_concerns(kitchen: Kitchen, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "UV_INDEX": "https://me:secret@index.example"}
    arguments = build_arguments(kitchen.server.settings, environ)
    said = " ".join(kitchen.recipe(PYTHON, arguments).news)
    assert "Not used for the image: UV_INDEX" in said
    assert "secret" not in said
    assert "UV_INDEX" not in " ".join(kitchen.recipe({**NODE, "requirements.txt": ""}).news)


@pytest.mark.parametrize(
    ("files", "instruction", "says"),
    [
        (PYTHON, "RUN /opt/uv/bin/uv pip install -r requirements.txt", r"requirements\.txt cannot be installed: boom"),
        (PYTHON, "RUN /opt/uv/bin/uv pip install --no-deps .", r"pyproject\.toml cannot be installed: boom"),
        (PYTHON, "RUN something else", "Step 1 failed with exit code 1"),
        (NODE, "RUN npm ci", r"package\.json cannot be installed: boom"),
        (NODE, "RUN npm run build", "`npm run build` failed: boom"),
        ({"Dockerfile": "FROM x\n"}, "RUN npm ci", "Step 1 failed with exit code 1"),
    ],
)  # fmt: skip
def test_a_failed_step_is_explained_by_the_file_that_the_user_wrote(
    kitchen: Kitchen, files: dict[str, str | bytes], instruction: str, says: str
) -> None:
    lines = ("error: boom",) if "uv" in instruction else ("npm ERR! boom",)
    error = StepFailedError("Step 1", instruction=instruction, code=1, lines=lines)
    with pytest.raises(BuildFailedError, match=says):
        raise kitchen.recipe(files).explained(error)


PYTHON_SETTING = "MINI_BASE_PYTHON (now python:{version}-slim)"
NODE_SETTING = "MINI_BASE_NODE (now node:{version}-slim)"
PLAIN_SETTING = "MINI_BASE_PLAIN (now debian:bookworm-slim)"


@pytest.mark.parametrize(
    ("files", "image", "setting"),
    [
        pytest.param(PYTHON | {".python-version": "3.12\n"}, "python:3.12-slim", PYTHON_SETTING, id="Python"),
        pytest.param(NODE, "node:24-slim", NODE_SETTING, id="Node"),
        pytest.param({"Procfile": "web: x\n"}, "debian:bookworm-slim", PLAIN_SETTING, id="a Procfile alone"),
        pytest.param(PYTHON | NODE, "node:24-slim", NODE_SETTING, id="assets, by Node"),
        pytest.param(PYTHON | NODE | {".python-version": "3.12\n"}, "python:3.12-slim", PYTHON_SETTING, id="assets, by Python"),
    ],
)  # fmt: skip
def test_a_missing_base_image_is_told_with_the_one_setting_that_names_it(
    kitchen: Kitchen, files: dict[str, str | bytes], image: str, setting: str
) -> None:
    message = kitchen.recipe(files).explained(NoBaseError(image, "no such host")).message
    assert f"The base image {image} is not on this machine" in message
    assert message.endswith(f"It is named by {setting}, which the server reads when it starts.")
    assert message.count("MINI_") == 1


def test_a_base_image_that_two_settings_name_is_told_with_both(kitchen: Kitchen) -> None:
    kitchen.server.settings = replace(
        kitchen.server.settings, base_images=BaseImages("both", "docker.io/library/both")
    )
    message = kitchen.recipe(PYTHON | NODE).explained(NoBaseError("both:latest", "no such host")).message
    assert "MINI_BASE_PYTHON (now both) and MINI_BASE_NODE (now docker.io/library/both)" in message


def test_a_missing_base_image_of_the_commits_own_dockerfile_is_told_with_no_setting(kitchen: Kitchen) -> None:
    message = (
        kitchen.recipe({**PYTHON, "Dockerfile": "FROM x\n"})
        .explained(NoBaseError("x", "no such host"))
        .message
    )
    assert "named by the commit's own Dockerfile, in its FROM line" in message
    assert "MINI_" not in message


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param(
            "own:3.11",
            (
                ".python-version asks for Python 3.9; MINI_BASE_PYTHON is own:3.11 for every app, whatever it asks for",
            ),
            id="one for all",
        ),
        pytest.param("own:{version}", (), id="one for each version"),
    ],
)
def test_a_version_that_no_base_image_is_looked_up_for_is_said(
    kitchen: Kitchen, image: str, said: tuple[str, ...]
) -> None:
    kitchen.server.settings = replace(kitchen.server.settings, base_images=BaseImages(python=image))
    assert kitchen.recipe({**PYTHON, ".python-version": "3.9\n"}).news[1:] == said
