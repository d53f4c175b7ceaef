"""The output of one build, where the disk takes no more of it."""

from pathlib import Path

from builds.output import BuildOutput


def test_a_full_disk_ends_the_keeping_and_not_the_build() -> None:
    shown: list[str] = []
    with BuildOutput(Path("/dev/full"), say=shown.append) as output:
        output.line("one")
        output.line("two")
        output.keep("the end")
    assert shown == ["one", "two"]
