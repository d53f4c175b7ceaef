"""The Docker daemon of the tests that need one: whether it is here, and what one asks it."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from paas.domain.build import Image
from tests.needs import needs

PYTHON = "mini-test/python:3.11"
NODE = "mini-test/node:18"
REDIS = "mini-test/redis:7"
ADDRESS = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
"""Where the daemon of the tests answers."""


def docker(*arguments: str, check: bool = True) -> str:
    """Return what the docker command prints."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert not (check and done.returncode), f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def inspect(reference: str) -> dict[str, dict[str, object]]:
    """Return what Docker knows of one image."""
    document: Sequence[dict[str, dict[str, object]]] = json.loads(docker("image", "inspect", reference))
    return document[0]


def is_here() -> bool:
    try:
        return docker("image", "inspect", "--format", "{{.Id}}", PYTHON, check=False) != ""
    except FileNotFoundError:
        return False


needs_docker = needs("a Docker daemon with the images of .ci/docker", is_here)


_made: set[str] = set()


def remove_made() -> None:
    """Remove the images that this process has made for its tests, as far as they are still there."""
    for digest in _made:
        docker("rmi", digest, check=False)


def image_with(files: Mapping[str, str], *, label: str, lines: str = "") -> Image:
    """Return an image of Python with these files at its root, and with more lines of a Dockerfile. The tests' end
    removes it."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        dockerfile = f"FROM {PYTHON}\nCOPY {' '.join(files)} /\nLABEL mini.test={label}\n{lines}\n"
        Path(folder, "Dockerfile").write_text(dockerfile)
        digest = docker("build", "--quiet", "--force-rm", folder)
    _made.add(digest)
    return Image(digest=digest, reference=digest)
