"""Every generated Dockerfile, as the person who may take it over reads it."""

from dataclasses import replace

import pytest

from builds.detect import Detected
from builds.dockerfile import Choices, generate
from builds.interpreters import Wanted
from builds.node import NodePlan
from builds.python import PythonManifest, PythonPlan
from paas.domain.process import Manifest, Procfile
from paas.settings import BaseImages
from tests.golden_file import assert_golden

CHOICES = Choices(BaseImages(), uv="0.9.0", caches="name")
WANTED = Wanted("3.12", ".python-version")
REQUIREMENTS = PythonPlan(
    PythonManifest.REQUIREMENTS, WANTED, (("requirements.txt", "1"), ("reqs/base.txt", "2"))
)
PROJECT = PythonPlan(PythonManifest.PROJECT, WANTED, (("pyproject.toml", "1"),), package=True)
LOCK = PythonPlan(PythonManifest.LOCK, WANTED, (("pyproject.toml", "1"), ("uv.lock", "2")))
NODE = NodePlan(
    (("package.json", "1"), ("package-lock.json", "2")),
    locked=True,
    engine="22.x",
    has_build=True,
    has_start=True,
    local=False,
    needed=True,
)
INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "npm_config_registry")


def detected(python: PythonPlan | None = None, node: NodePlan | None = None) -> Detected:
    return Detected(Manifest(Procfile({})), python, node)


@pytest.mark.parametrize(
    ("name", "app", "choices"),
    [
        ("python-requirements", detected(REQUIREMENTS), CHOICES),
        ("python-requirements-local", detected(replace(REQUIREMENTS, local=True)), CHOICES),
        ("python-project-package", detected(PROJECT), CHOICES),
        ("python-lock", detected(LOCK), CHOICES),
        ("python-lock-own-index", detected(LOCK), replace(CHOICES, indexes=INDEXES[:2])),
        ("node-lock-build", detected(node=NODE), CHOICES),
        ("node-no-lock", detected(node=replace(NODE, inputs=NODE.inputs[:1], locked=False, has_build=False)), CHOICES),
        ("node-local", detected(node=replace(NODE, local=True)), replace(CHOICES, indexes=INDEXES[2:])),
        ("python-with-node-assets", detected(REQUIREMENTS, NODE), CHOICES),
        ("procfile-only", detected(), CHOICES),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_dockerfile_of_each_kind_of_app(name: str, app: Detected, choices: Choices) -> None:
    assert_golden(f"dockerfiles/{name}", generate(app, choices))


def test_a_path_that_a_dockerfile_could_misread_is_never_in_one() -> None:
    odd = replace(REQUIREMENTS, inputs=(("requirements.txt", "1"), ("a b\nRUN x.txt", "2")))
    text = generate(detected(odd), CHOICES)
    assert "a b" not in text
    assert text.count("COPY") == 1


def test_the_operators_base_images_take_the_place_of_the_public_ones() -> None:
    bases = BaseImages("mirror/py:{version}", "mirror/node:{version}", "mirror/debian")
    choices = replace(CHOICES, bases=bases)
    assert "FROM mirror/py:3.12\n" in generate(detected(REQUIREMENTS), choices)
    assert "FROM mirror/node:22\n" in generate(detected(node=NODE), choices)
    assert "FROM mirror/debian\n" in generate(detected(), choices)
