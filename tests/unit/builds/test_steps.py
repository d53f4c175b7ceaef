import pytest

from builds.steps import LayerGoneError, StepFailedError, Steps
from paas.errors import BuildFailedError, DiskFullError

ID = "0123456789ab"


def shown(*pieces: str) -> list[str]:
    """Return what is shown of a build whose last step is mini's own."""
    steps = Steps(appended=1)
    return [*(line for piece in pieces for line in steps.read(piece)), *steps.end()]


def step(number: int, total: int, instruction: str) -> tuple[str, str]:
    return f"Step {number}/{total} : {instruction}", "\n"


def test_steps_are_shown_without_the_builders_own_noise() -> None:
    assert shown(
        *step(1, 3, "FROM debian"),
        f" ---> {ID}\n",
        *step(2, 3, "RUN make   all"),
        f" ---> Running in {ID}\n",
        "compiling\n",
        f"Removing intermediate container {ID}\n",
        f" ---> {ID}\n",
        *step(3, 3, 'LABEL a="b"'),
        f" ---> Running in {ID}\n",
        f"Successfully built {ID}\n",
        "Successfully tagged mini/x:y\n",
    ) == ["Step 1/2: FROM debian", "Step 2/2: RUN make all", "compiling"]


def test_cached_steps_take_one_line() -> None:
    cached = [
        piece
        for number in (2, 3)
        for piece in (*step(number, 6, "RUN x"), " ---> Using cache\n", f" ---> {ID}\n")
    ]
    assert shown(
        *step(1, 6, "FROM debian"), f" ---> {ID}\n", *cached, *step(4, 6, "COPY . ."), f" ---> {ID}\n",
        *step(5, 6, "RUN y"), " ---> Using cache\n", f" ---> {ID}\n",
    ) == ["Step 1/5: FROM debian", "Steps 2 to 3 are cached", "Step 4/5: COPY . .", "Step 5 is cached"]  # fmt: skip


def test_a_commands_output_comes_in_lines_wherever_it_is_cut() -> None:
    pieces = (
        "\x1b[91mUsing \x1b[0m",
        "\x1b[91mPython\n\x1b[0m",
        "half",
        f"Removing intermediate container {ID}\n",
    )
    assert shown(*step(1, 2, "RUN x"), f" ---> Running in {ID}\n", *pieces) == [
        "Step 1/1: RUN x",
        "Using Python",
        "half",
    ]


def test_a_line_without_an_end_is_shown_in_parts() -> None:
    lines = shown("x" * 100_000, "y\n")
    assert [len(line) for line in lines] == [100_000, 1]


def test_a_base_image_is_shown_while_it_is_fetched() -> None:
    steps = Steps(appended=1)
    steps.read("Step 1/2 : FROM debian\n")
    assert steps.pulling("Pulling from library/debian", layer="12") == [
        "Step 1/1: FROM debian",
        "Pulling from library/debian 12",
    ]
    assert steps.pulling("Downloading", layer="abc") == []
    assert steps.pulling("Status: Downloaded newer image for debian:12", layer="") == [
        "Downloaded newer image for debian:12"
    ]


def after(instruction: str, *output: str) -> Steps:
    steps = Steps(appended=1)
    for piece in ("Step 3/6 : ", instruction, "\n", f" ---> Running in {ID}\n", *output):
        steps.read(piece)
    return steps


def test_a_command_that_fails_is_named_by_its_step() -> None:
    error = after("RUN make", "no rule\n").failure(
        "The command '/bin/sh -c make' returned a non-zero code: 2"
    )
    assert isinstance(error, StepFailedError)
    assert error.message == "Step 3/5, `RUN make`, failed with exit code 2. Its output says why."
    assert error.lines == ("no rule",)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        pytest.param(
            "cp: No space left on device\n", "The command 'x' returned a non-zero code: 1", id="a command's"
        ),
        pytest.param("", "write /x: no space left on device", id="Docker's own"),
    ],
)
def test_a_full_disk_is_said_so(output: str, said: str) -> None:
    error = after("RUN x", output).failure(said)
    assert isinstance(error, DiskFullError)
    assert "Docker's images" in error.message


@pytest.mark.parametrize(
    ("instruction", "image"),
    [
        ("FROM nosuch:1", "nosuch:1"),
        ("FROM --platform=linux/amd64 nosuch:1 AS x", "nosuch:1"),
        ("COPY --from=nosuch:1 /a /b", "nosuch:1"),
    ],
)
@pytest.mark.parametrize(
    "said",
    [
        "pull access denied for nosuch, repository does not exist or may require 'docker login'",
        "manifest for nosuch:1 not found: manifest unknown",
        'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
    ],
)
def test_a_base_image_out_of_reach_is_named_with_what_to_do(instruction: str, image: str, said: str) -> None:
    error = after(instruction).failure(said)
    assert isinstance(error, BuildFailedError)
    assert f"The base image {image} is not on this machine" in error.message
    assert f"`docker pull {image}`" in error.message
    assert "MINI_BASE_PYTHON" in error.message


def test_a_step_that_only_another_builder_knows_is_said_so() -> None:
    error = after("RUN --mount=type=cache x").failure("the --mount option requires BuildKit. Refer to …")
    assert "needs BuildKit" in error.message


def test_any_other_failure_names_the_step_and_says_what_docker_says() -> None:
    error = after("COPY a /").failure("COPY failed: stat a: file does not exist")
    assert error.message == "Step 3/5, `COPY a /`, failed: COPY failed: stat a: file does not exist."


def test_the_container_that_ran_last_is_known() -> None:
    assert after("RUN x").container == ID


def test_a_base_image_that_an_argument_names_is_shown_by_its_default() -> None:
    steps = Steps(appended=1)
    for piece in (*step(1, 3, "ARG BASE=nosuch:1"), *step(2, 3, "FROM ${BASE}")):
        steps.read(piece)
    assert "The base image nosuch:1 is not" in steps.failure("pull access denied").message


def test_a_cached_layer_that_is_gone_is_told_from_what_the_dockerfile_is_to_blame_for() -> None:
    said = "failed to export image: failed to set parent sha256:9ab6: unknown parent image ID sha256:9ab6"
    assert isinstance(after("COPY . .").failure(said), LayerGoneError)
    assert not isinstance(after("COPY . .").failure("COPY failed: no such file"), LayerGoneError)
