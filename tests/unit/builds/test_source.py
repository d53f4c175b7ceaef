from pathlib import Path
from threading import Event

import pytest

from builds.git import Git
from builds.source import Source
from paas.domain.ids import Commit
from paas.errors import BuildFailedError, OperationCancelledError
from tests.unit.builds.repos import Server, WorkTree


def export(server: Server, commit: Commit, folder: Path, *, stop: Event | None = None) -> Path:
    with Source(Git(server.bare), commit) as source:
        source.export(folder, stop=stop or Event())
    return folder


def test_files_keep_their_content_and_whether_they_are_executable(
    server: Server, work: WorkTree, tmp_path: Path
) -> None:
    (work.path / "run").write_text("#!/bin/sh\n")
    (work.path / "run").chmod(0o755)
    (work.path / "link").symlink_to("sub/ä b")
    commit = work.commit({"sub/ä b": b"\0\xff" * 300_000, "empty": ""})
    server.take(work)
    folder = export(server, commit, tmp_path / "out")
    assert (folder / "sub/ä b").read_bytes() == b"\0\xff" * 300_000
    assert (folder / "link").readlink() == Path("sub/ä b")
    modes = {name: (folder / name).stat().st_mode & 0o777 for name in ("run", "empty")}
    assert modes == {"run": 0o755, "empty": 0o644}


def test_attributes_and_filters_of_the_commit_have_no_effect(
    server: Server, work: WorkTree, tmp_path: Path
) -> None:
    commit = work.commit({".gitattributes": "* export-subst export-ignore eol=crlf\n", "a": "$Format:%H$\n"})
    server.take(work)
    assert (export(server, commit, tmp_path / "out") / "a").read_text() == "$Format:%H$\n"


@pytest.mark.parametrize(
    "links",
    [
        pytest.param({"a": "/etc/passwd"}, id="absolute"),
        pytest.param({"a": "../secret"}, id="parent"),
        pytest.param({"d/e/up": "../..", "sneaky": "d/e/up/../x"}, id="through another link"),
        pytest.param({"d/a": "../../x"}, id="from a folder"),
    ],
)
def test_links_out_of_the_tree_are_refused(
    server: Server, work: WorkTree, tmp_path: Path, links: dict[str, str]
) -> None:
    for name, target in links.items():
        link = work.path / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    commit = work.commit({"x": ""})
    server.take(work)
    with pytest.raises(BuildFailedError, match="which is outside the repository"):
        export(server, commit, tmp_path / "out")


def test_links_within_the_tree_are_kept_even_where_they_lead_nowhere(
    server: Server, work: WorkTree, tmp_path: Path
) -> None:
    (work.path / "d").mkdir()
    (work.path / "d" / "up").symlink_to("../x")
    (work.path / "loop").symlink_to("loop")
    (work.path / "dangling").symlink_to("nothing/here")
    commit = work.commit({"x": "1"})
    server.take(work)
    folder = export(server, commit, tmp_path / "out")
    assert (folder / "d" / "up").read_text() == "1"
    assert (folder / "dangling").is_symlink()


def test_a_file_is_never_written_through_a_link_of_the_same_name(server: Server, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    blob = server.write("blob", b"canary")
    link = server.write("blob", str(outside).encode())
    folder = server.write_tree(("100644", b"f", blob))
    commit = server.write_commit(server.write_tree(("120000", b"a", link), ("40000", b"a", folder)))
    with pytest.raises(BuildFailedError, match=r"^a (cannot be written|is a symbolic link)"):
        export(server, commit, tmp_path / "out")
    assert list(outside.iterdir()) == []


def test_an_lfs_pointer_is_refused(server: Server, work: WorkTree, tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5\n"
    commit = work.commit({"media/film.mp4": pointer})
    server.take(work)
    with pytest.raises(BuildFailedError, match=r"media/film\.mp4 is a Git LFS pointer"):
        export(server, commit, tmp_path / "out")


def test_an_export_ends_when_it_is_told_to(server: Server, work: WorkTree, tmp_path: Path) -> None:
    commit = work.commit({"a": ""})
    server.take(work)
    stop = Event()
    stop.set()
    with pytest.raises(OperationCancelledError):
        export(server, commit, tmp_path / "out", stop=stop)


def test_a_name_too_long_for_the_disk_is_refused_by_name(server: Server, tmp_path: Path) -> None:
    commit = server.write_commit(server.write_tree(("100644", b"n" * 300, server.write("blob", b""))))
    with pytest.raises(BuildFailedError, match="cannot be written: File name too long"):
        export(server, commit, tmp_path / "out")


def test_documents_must_be_regular_small_and_text(server: Server, work: WorkTree) -> None:
    (work.path / "link").symlink_to("/etc/hostname")
    commit = work.commit({"big": "x" * 65537, "bytes": b"\xff", "folder/a": "", "fine": "é"})
    server.take(work)
    with Source(Git(server.bare), commit) as source:
        assert source.text("fine") == "é"
        assert source.text("none") is None
        for name, complaint in (
            ("link", "link is a symbolic link"),
            ("folder", "folder is a folder"),
            ("big", "big has 65,537 bytes"),
            ("bytes", "bytes is not UTF-8 at byte 0"),
        ):
            with pytest.raises(BuildFailedError, match=complaint):
                source.text(name)


def test_no_git_process_is_left_behind(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "1"})
    server.take(work)
    before = open_files()
    with Source(Git(server.bare), commit) as source:
        source.text("a")
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
