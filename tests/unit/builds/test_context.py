"""The build context: what of a commit is sent, and in which order."""

from collections.abc import Sequence

import pytest

from builds.context import DOCKERFILE, Context
from builds.filesync import Item
from builds.git import Git
from builds.source import Source
from builds.times import Times
from paas.domain.ids import Commit
from paas.errors import BuildFailedError
from tests.unit.builds.repos import Server, WorkTree

NOW = 1_800_000_000_123_456_000
FOLDER, LINK = 1 << 31, 1 << 27


def sent(server: Server, commit: Commit, without: Sequence[str] = ()) -> dict[str, tuple[Item, bytes]]:
    """Return what is sent of a commit, with its content, in its order."""
    with Source(Git(server.bare), commit) as source:
        items = list(Context("FROM x\n", tuple(without)).files(source, Times({}, now=NOW)))
        return {each.path.decode(errors="surrogateescape"): (each, b"".join(each.blocks())) for each in items}


def pushed(server: Server, work: WorkTree, files: dict[str, str | bytes]) -> Commit:
    commit = work.commit(files)
    server.take(work)
    return commit


def test_files_links_and_modes_are_sent_as_they_are_in_the_commit(server: Server, work: WorkTree) -> None:
    (work.path / "run").write_text("#!/bin/sh\n")
    (work.path / "run").chmod(0o755)
    (work.path / "link").symlink_to("/etc/anything")
    files = sent(server, pushed(server, work, {"sub/ä b": b"\0\xff" * 300_000, "empty": ""}))
    assert files["sub/ä b"][1] == b"\0\xff" * 300_000
    assert {name: (item.mode, item.size) for name, (item, _) in files.items()} == {
        "empty": (0o644, 0),
        "link": (LINK | 0o777, len("/etc/anything")),
        "run": (0o755, len("#!/bin/sh\n")),
        "sub": (FOLDER | 0o755, 0),
        "sub/ä b": (0o644, 600_000),
    }
    assert files["link"][0].target == b"/etc/anything"


def test_paths_come_in_order_part_by_part(server: Server, work: WorkTree) -> None:
    commit = pushed(server, work, {"a/x": "", "a.b": "", "a-b/y": "", "b": ""})
    assert list(sent(server, commit)) == ["a", "a/x", "a-b", "a-b/y", "a.b", "b"]


def test_what_is_not_in_the_commit_is_not_sent(server: Server, work: WorkTree) -> None:
    commit = pushed(server, work, {"a": "committed"})
    (work.path / "a").write_text("changed")
    (work.path / "b").write_text("new")
    assert {name: content for name, (_, content) in sent(server, commit).items()} == {"a": b"committed"}


def test_the_dockerfile_has_a_folder_of_its_own(server: Server, work: WorkTree) -> None:
    commit = pushed(server, work, {"Dockerfile": "FROM own\n"})
    (recipe,) = Context("FROM generated\n").recipe(Times({}, now=NOW))
    assert (recipe.path.decode(), b"".join(recipe.blocks())) == (DOCKERFILE, b"FROM generated\n")
    assert sent(server, commit)["Dockerfile"][1] == b"FROM own\n"


def test_what_the_commit_ignores_is_not_sent(server: Server, work: WorkTree) -> None:
    ignored: dict[str, str | bytes] = {"a.log": "", "tmp/x": "", "tmp/deep/y": "", "Dockerfile": "FROM x"}
    written = {".dockerignore": "*.log\nDockerfile\ntmp\n!tmp/keep\n!tmp/deep/er"}
    commit = pushed(server, work, {**ignored, **written, "tmp/keep": "", "tmp/deep/er/z": ""})
    assert list(sent(server, commit)) == [
        ".dockerignore", "tmp", "tmp/deep", "tmp/deep/er", "tmp/deep/er/z", "tmp/keep",
    ]  # fmt: skip


def test_what_the_caller_leaves_out_is_not_sent(server: Server, work: WorkTree) -> None:
    commit = pushed(server, work, {"node_modules/x": "", "lib/node_modules/y": ""})
    assert list(sent(server, commit, ["/node_modules"])) == ["lib", "lib/node_modules", "lib/node_modules/y"]


def test_names_that_are_no_text_are_kept(server: Server, work: WorkTree) -> None:
    blob = server.write("blob", b"1")
    commit = server.write_commit(server.write_tree(("100644", b"\xff\xfe", blob)))
    assert b"\xff\xfe".decode(errors="surrogateescape") in sent(server, commit)


def test_a_pointer_to_another_servers_file_is_refused(server: Server, work: WorkTree) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    with pytest.raises(BuildFailedError, match=r"model\.bin is a Git LFS pointer"):
        sent(server, pushed(server, work, {"model.bin": pointer}))
