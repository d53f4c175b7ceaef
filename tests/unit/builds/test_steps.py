"""What BuildKit tells, and the lines and sentences that are made of it."""

import tracemalloc

import pytest

from builds.steps import NoBaseError, StepFailedError, Steps, foreign_image, pull_news
from builds.trace import Printed, Trace, Vertex
from paas.errors import BuildFailedError, DiskFullError, PaasError


def begun(name: str) -> Trace:
    return Trace((Vertex(name, name, started=True),))


def done(name: str, *, cached: bool = False, error: str = "") -> Trace:
    return Trace((Vertex(name, name, cached=cached, started=True, completed=True, error=error),))


def said(name: str, text: bytes, *, stream: int = 1) -> Trace:
    return Trace(printed=(Printed(name, stream=stream, message=text),))


def read(*traces: Trace) -> tuple[Steps, list[str]]:
    steps = Steps()
    shown = [line for trace in traces for line in steps.read(trace)]
    return steps, [*shown, *steps.end()]


BASE = "[1/5] FROM docker.io/library/debian:12"
MAKE = "[5/5] RUN make   all"
DOCKERFILE = "[internal] load build definition from Dockerfile"


def test_steps_and_what_they_print_are_shown_without_the_builders_own() -> None:
    assert read(
        begun(DOCKERFILE), done(DOCKERFILE), done(BASE, cached=True),
        done("[2/5] WORKDIR /app", cached=True), done("[3/5] RUN install", cached=True),
        begun("[4/5] COPY . ."), done("[4/5] COPY . ."),
        begun(MAKE), said(MAKE, b"compiling\n\n\x1b[31mred\x1b[0m\r\n"), done(MAKE),
        begun("exporting to image"), done("exporting to image"),
    )[1] == [
        "Step 1/5: FROM debian:12",
        "Steps 2/5 to 3/5 are cached",
        "Step 4/5: COPY . .",
        "Step 5/5: RUN make all",
        "compiling",
        "",
        "red",
    ]  # fmt: skip


def test_what_one_report_tells_of_cached_steps_comes_before_the_step_behind_them() -> None:
    steps = (done(f"[stage-0 {number}/4] RUN {number}", cached=True) for number in (2, 3))
    cached = tuple(vertex for trace in steps for vertex in trace.vertexes)
    copying = begun("[stage-0 4/4] COPY . .").vertexes
    assert read(done("[stage-0 1/4] FROM debian:12", cached=True), Trace((*copying, *cached)))[1] == [
        "Step 1/4: FROM debian:12",
        "Steps 2/4 to 3/4 are cached",
        "Step 4/4: COPY . .",
    ]


def test_what_is_cached_at_the_end_is_shown_too() -> None:
    copied = done("[2/2] COPY . .", cached=True)
    assert read(done(BASE, cached=True), copied, copied)[1] == [
        "Step 1/5: FROM debian:12",
        "Step 2/2 is cached",
    ]


def test_a_commands_output_comes_in_lines_wherever_it_is_cut() -> None:
    shown = read(
        begun(MAKE), said(MAKE, b"Using P"), said(MAKE, b"loud\n", stream=2),
        said(MAKE, "ython, caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode()[:-1]), said(MAKE, b"\xa9\nhalf"), done(MAKE),
    )[1]  # fmt: skip
    assert shown[1:] == ["loud", "Using Python, caf\N{LATIN SMALL LETTER E WITH ACUTE}", "half"]


def test_a_line_without_an_end_is_shown_in_parts() -> None:
    lines = read(begun(MAKE), said(MAKE, b"x" * 100_000), said(MAKE, b"y\n"))[1]
    assert [len(line) for line in lines[1:]] == [100_000, 1]


def test_steps_that_run_side_by_side_name_themselves_when_they_take_turns() -> None:
    one, two = "[a 1/2] RUN one", "[b 1/2] RUN two"
    shown = read(
        begun(one),
        begun(two),
        said(one, b"x\nx\n"),
        said(two, b"y\n"),
        said(one, b"x\n"),
        done(two),
        done(one),
    )[1]
    assert shown == [
        "Step a 1/2: RUN one", "Step b 1/2: RUN two", "Step a 1/2: RUN one", "x", "x", "Step b 1/2: RUN two", "y",
        "Step a 1/2: RUN one", "x",
    ]  # fmt: skip


def failure(*traces: Trace, complaint: str = "it did not work") -> PaasError:
    return read(*traces)[0].failure(complaint)


def test_a_command_that_fails_is_named_with_its_code_and_its_last_lines() -> None:
    error = failure(
        begun(MAKE),
        said(MAKE, b"no rule\nno en"),
        said(MAKE, b"d"),
        done("[other 1/2] RUN x", error="process x did not complete: context canceled"),
        done(MAKE, error='process "/bin/sh -c make" did not complete successfully: exit code: 2'),
    )
    assert isinstance(error, StepFailedError)
    assert error.message == "Step 5/5, `RUN make all`, failed with exit code 2. Its output says why."
    assert error.instruction == "RUN make all"
    assert error.lines == ("no rule", "no end")


@pytest.mark.parametrize(
    ("trace", "complaint", "kind", "says"),
    [
        pytest.param(
            done("[2/2] COPY nothing /", error='"/nothing" not found: not found'), "failed to compute cache key",
            BuildFailedError, 'Step 2/2, `COPY nothing /`, failed: "/nothing" not found', id="a missing file",
        ),
        pytest.param(
            done("[internal] load metadata for docker.io/library/python:3.12-slim", error="dial tcp: i/o timeout"), "x",
            BuildFailedError, "The base image python:3.12-slim is not on this machine", id="no base image",
        ),
        pytest.param(
            done("[internal] load metadata for docker.io/library/python:3.12-slim", error="write /z: no space left on device"),
            "x", DiskFullError, "Docker's images is full", id="a disk that a base image fills",
        ),
        pytest.param(
            done(DOCKERFILE), "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile "
            "parse error line 1: unknown instruction: FRM",
            BuildFailedError, "The Dockerfile cannot be built: dockerfile parse error line 1", id="a typing error",
        ),
        pytest.param(
            done("[2/2] COPY . /", error="failed to copy files: write /x: no space left on device"), "x",
            DiskFullError, "Docker's images is full", id="a full disk",
        ),
        pytest.param(
            done("exporting to image", error="write /y: no space left on device"), "write /y: no space left on device",
            DiskFullError, "Docker's images is full", id="a disk that is full at the end",
        ),
    ],
)  # fmt: skip
def test_a_failure_becomes_a_sentence(trace: Trace, complaint: str, kind: type[PaasError], says: str) -> None:
    error = failure(trace, complaint=complaint)
    assert isinstance(error, kind)
    assert says in error.message


def test_a_disk_that_a_command_finds_full_is_said_so() -> None:
    full = said(MAKE, b"cp: No space left on device\n")
    assert isinstance(failure(begun(MAKE), full, done(MAKE, error="exit code: 1")), DiskFullError)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("[internal] load metadata for docker.io/library/python:3.12", "python:3.12"),
        ("[internal] load metadata for ghcr.io/me/base:1", "ghcr.io/me/base:1"),
        ("resolve image config for docker.io/docker/dockerfile:1", "docker/dockerfile:1"),
        ("FROM docker.io/library/redis:7", "redis:7"),
        ("[1/2] FROM docker.io/library/redis:7", None),
        ("[internal] load build context", None),
    ],
)
def test_an_image_that_is_about_to_be_looked_up_is_known_by_the_steps_name(
    name: str, image: str | None
) -> None:
    assert foreign_image(Vertex("sha256:1", name)) == image


def test_a_base_image_is_shown_while_it_is_fetched() -> None:
    assert pull_news("Pulling from library/debian", layer="12") == ["Pulling from library/debian 12"]
    assert pull_news("Downloading", layer="abc") == []
    assert pull_news("Pull complete", layer="abc") == ["Pull complete abc"]
    assert pull_news("Status: Downloaded newer image for debian:12", layer="") == [
        "Downloaded newer image for debian:12"
    ]


def test_a_base_image_out_of_reach_is_named_with_what_to_do() -> None:
    message = NoBaseError("nosuch:1", "no such host.").message
    assert "The base image nosuch:1 is not on this machine and cannot be pulled (no such host)" in message
    assert "`docker pull nosuch:1`" in message


def test_what_a_step_printed_is_let_go_once_it_has_succeeded() -> None:
    printed = (b"x" * 4000 + b"\n") * 60
    steps = Steps()
    tracemalloc.start()
    for number in range(50):
        name = f"[{number}/50] RUN print"
        for trace in (begun(name), said(name, printed), done(name)):
            steps.read(trace)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 10 * len(printed)
