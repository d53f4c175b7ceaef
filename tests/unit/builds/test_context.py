import io
import tarfile
from pathlib import Path
from threading import Event

import pytest

from builds.context import DOCKERFILE, Context
from builds.git import Git
from builds.source import Source
from paas.domain.ids import Commit
from paas.errors import BuildFailedError, OperationCancelledError
from tests.unit.builds.repos import Server, WorkTree

MODIFIED = 1_800_000_000


def sent(server: Server, commit: Commit, context: Context, *, stop: Event | None = None) -> tarfile.TarFile:
    with Source(Git(server.bare), commit) as source:
        stream = b"".join(context.stream(source, modified=MODIFIED, stop=stop or Event()))
    return tarfile.open(fileobj=io.BytesIO(stream), mode="r:")


def content(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    assert member is not None
    return member.read()


def pushed(server: Server, work: WorkTree, files: dict[str, str | bytes]) -> Commit:
    commit = work.commit(files)
    server.take(work)
    return commit


def test_files_links_and_modes_are_sent_as_they_are_in_the_commit(server: Server, work: WorkTree) -> None:
    (work.path / "run").write_text("#!/bin/sh\n")
    (work.path / "run").chmod(0o755)
    (work.path / "link").symlink_to("/etc/anything")
    long = "d" * 120 + "/" + "f" * 120
    commit = pushed(server, work, {"sub/ä b": b"\0\xff" * 300_000, long: "deep", "empty": ""})
    tar = sent(server, commit, Context("FROM x\n"))
    assert content(tar, "sub/ä b") == b"\0\xff" * 300_000
    assert content(tar, long) == b"deep"
    assert content(tar, "empty") == b""
    assert tar.getmember("link").linkname == "/etc/anything"
    assert {name: tar.getmember(name).mode for name in ("run", "empty", "sub")} == {
        "run": 0o755,
        "empty": 0o644,
        "sub": 0o755,
    }
    assert {member.mtime for member in tar.getmembers()} == {MODIFIED}


def test_what_is_not_in_the_commit_is_not_sent(server: Server, work: WorkTree) -> None:
    commit = pushed(server, work, {"a": "committed"})
    (work.path / "a").write_text("changed")
    (work.path / "b").write_text("new")
    tar = sent(server, commit, Context("FROM x\n"))
    assert content(tar, "a") == b"committed"
    assert sorted(tar.getnames()) == [".dockerignore", DOCKERFILE, "a"]


def test_the_dockerfile_is_sent_beside_the_files_and_docker_is_told_to_take_it_out(
    server: Server, work: WorkTree
) -> None:
    commit = pushed(server, work, {"Dockerfile": "FROM own\n", DOCKERFILE: "a commit may not choose it"})
    tar = sent(server, commit, Context("FROM generated\n"))
    assert content(tar, DOCKERFILE) == b"FROM generated\n"
    assert content(tar, "Dockerfile") == b"FROM own\n"
    assert content(tar, ".dockerignore").decode().split() == [DOCKERFILE, ".dockerignore"]


@pytest.mark.anyio
async def test_a_folder_by_the_name_of_the_dockerfile_is_in_nobodys_way(
    tmp_path: Path, server: Server, work: WorkTree
) -> None:
    commit = pushed(server, work, {f"{DOCKERFILE}/sub/a": "1", f"sub/{DOCKERFILE}": "2"})
    context = Context("FROM generated\n")
    names = sent(server, commit, context).getnames()
    assert sorted(names) == [".dockerignore", DOCKERFILE, "sub", f"sub/{DOCKERFILE}"]
    with Source(Git(server.bare), commit) as source:
        await context.write(source, tmp_path / "written", modified=MODIFIED)
    assert (tmp_path / "written" / DOCKERFILE).read_text() == "FROM generated\n"


def test_what_the_commit_ignores_is_not_sent(server: Server, work: WorkTree) -> None:
    files: dict[str, str | bytes] = {
        ".dockerignore": "*.log\ntmp\n!tmp/keep",
        "a.log": "",
        "tmp/x": "",
        "tmp/keep": "",
    }
    tar = sent(server, pushed(server, work, files), Context("FROM x\n"))
    assert sorted(tar.getnames()) == [".dockerignore", DOCKERFILE, "tmp/keep"]
    assert content(tar, ".dockerignore").decode().split("\n")[-2] == DOCKERFILE


def test_what_the_caller_leaves_out_is_not_sent(server: Server, work: WorkTree) -> None:
    commit = pushed(server, work, {"node_modules/x": "", "lib/node_modules/y": ""})
    names = sent(server, commit, Context("FROM x\n", without=("/node_modules",))).getnames()
    assert "lib/node_modules/y" in names
    assert "node_modules" not in names
    assert "node_modules/x" not in names


def test_names_that_are_no_text_are_kept(server: Server, work: WorkTree) -> None:
    blob = server.write("blob", b"1")
    commit = server.write_commit(server.write_tree(("100644", b"\xff\xfe", blob)))
    assert (
        b"\xff\xfe".decode(errors="surrogateescape") in sent(server, commit, Context("FROM x\n")).getnames()
    )


def test_a_pointer_to_another_servers_file_is_refused(server: Server, work: WorkTree) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"
    with pytest.raises(BuildFailedError, match=r"model\.bin is a Git LFS pointer"):
        sent(server, pushed(server, work, {"model.bin": pointer}), Context("FROM x\n"))


def test_sending_ends_at_the_next_file_once_it_is_stopped(server: Server, work: WorkTree) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(OperationCancelledError):
        sent(server, pushed(server, work, {"a": ""}), Context("FROM x\n"), stop=stop)
