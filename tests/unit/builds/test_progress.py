"""What BuildKit says, as it said it, and what is made of it."""

import pytest

from builds.progress import Progress
from builds.steps import StepFailedError
from paas.errors import BuildFailedError, DiskFullError, EngineUnavailableError, PaasError

BUILT = """\
#0 building with "default" instance using docker driver

#1 [internal] load build definition from .mini.dockerfile
#1 transferring dockerfile: 31B done
#1 DONE 0.0s

#3 [internal] load metadata for docker.io/mini-test/python:3.11
#3 DONE 0.0s

#4 [1/5] FROM docker.io/mini-test/python:3.11
#4 CACHED

#5 [2/5] WORKDIR /app
#5 CACHED

#6 [3/5] RUN install
#6 CACHED

#7 [4/5] COPY . .
#7 DONE 0.0s

#8 [5/5] RUN greet && greet again
#8 0.820 hello
#8 0.821
#8 0.822 \x1b[31mhello again\x1b[0m
#8 DONE 0.9s

#9 exporting to image
#9 exporting layers done
#9 DONE 0.0s
"""
FAILED = """\
#2 [internal] load metadata for docker.io/library/python:3.12-slim
#2 DONE 0.0s
#7 [assets 2/3] RUN false
#7 0.1 it did not work
#7 ERROR: executor failed running [/bin/sh -c false]: exit code: 1
------
 > [assets 2/3] RUN false:
#7 0.1 it did not work
------
ERROR: failed to solve: executor failed running [/bin/sh -c false]: exit code: 1
"""


def read(text: str) -> tuple[Progress, list[str]]:
    progress = Progress()
    shown = [line for each in text.splitlines() for line in progress.read(each)]
    return progress, [*shown, *progress.end()]


def failure(text: str) -> PaasError:
    return read(text)[0].failure(tuple(text.splitlines()))


def test_steps_and_what_they_print_are_shown_and_cached_ones_in_one_line() -> None:
    assert read(BUILT)[1] == [
        "Step 1/5: FROM docker.io/mini-test/python:3.11",
        "Steps 2/5 to 3/5 are cached",
        "Step 4/5: COPY . .",
        "Step 5/5: RUN greet && greet again",
        "hello",
        "",
        "hello again",
    ]


def test_steps_that_run_side_by_side_name_themselves_when_they_take_turns() -> None:
    text = "#5 [a 1/2] RUN one\n#6 [b 1/2] RUN two\n#5 0.1 x\n#5 0.2 x\n#6 0.3 y\n#5 0.4 x\n"
    named = [line for line in read(text)[1] if line.startswith("Step")]
    assert named == ["Step a 1/2: RUN one", "Step b 1/2: RUN two", "Step a 1/2: RUN one"]


def test_a_command_that_fails_is_named_with_its_code_and_its_last_lines() -> None:
    error = failure(FAILED)
    assert isinstance(error, StepFailedError)
    assert error.message == "Step assets 2/3, `RUN false`, failed with exit code 1. Its output says why."
    assert error.instruction == "RUN false"
    assert error.lines == ("it did not work",)
    assert read(FAILED)[1] == ["Step assets 2/3: RUN false", "it did not work"]


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        pytest.param(
            "#3 [internal] load metadata for docker.io/library/python:3.12-slim\n#3 ERROR: failed to do request: dial tcp: i/o timeout\n",
            BuildFailedError, "The base image python:3.12-slim is not on this machine", id="no base image",
        ),
        pytest.param(
            '#5 [2/2] COPY nothing /\n#5 ERROR: "/nothing" not found: not found\n',
            BuildFailedError, 'Step 2/2, `COPY nothing /`, failed: "/nothing" not found', id="a missing file",
        ),
        pytest.param(
            "ERROR: failed to solve: dockerfile parse error line 1: unknown instruction: FRM\n",
            BuildFailedError, "The Dockerfile cannot be built: dockerfile parse error line 1", id="a typing error",
        ),
        pytest.param(
            "#5 [2/2] RUN x\n#5 ERROR: failed to copy files: write /x: no space left on device\n"
            "ERROR: failed to solve: write /x: no space left on device\n",
            DiskFullError, "Docker's images is full", id="a full disk",
        ),
        pytest.param(
            "ERROR: Cannot connect to the Docker daemon at unix:///none. Is the docker daemon running?\n",
            EngineUnavailableError, "Docker does not answer", id="no daemon",
        ),
        pytest.param("", BuildFailedError, "it does not say why", id="not a word"),
    ],
)  # fmt: skip
def test_a_failure_becomes_a_sentence(text: str, kind: type[PaasError], says: str) -> None:
    error = failure(text)
    assert isinstance(error, kind)
    assert says in error.message
