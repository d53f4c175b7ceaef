import resource

import pytest

from builds.git import Git
from builds.tree import Totals, check_limits, measure, read_tree
from paas.domain.ids import Commit
from paas.errors import BuildFailedError
from tests.unit.builds.repos import Server, WorkTree


def bomb(server: Server, *, levels: int = 10) -> Commit:
    """Ten entries in each folder, all of them the same folder: 10 ** levels files in a dozen objects."""
    id, mode = server.write("blob", b"0123456789"), "100644"
    for _ in range(levels):
        id = server.write_tree(*[(mode, b"f%d" % number, id) for number in range(10)])
        mode = "40000"
    return server.write_commit(id)


def test_a_tree_is_counted(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "12345", "sub/b": "12", "sub/deep/c": ""})
    server.take(work)
    assert check_limits(read_tree(Git(server.bare), commit)) == Totals(3, 7, len("sub/deep/c"))


def test_a_tree_bomb_is_counted_exactly_and_refused(server: Server) -> None:
    tree = read_tree(Git(server.bare), bomb(server))
    assert measure(tree) == Totals(10**10, 10**11, 29)
    assert len(tree.folders) == 10
    with pytest.raises(BuildFailedError, match="has 10,000,000,000 files; 100,000 is the limit"):
        check_limits(tree)


def test_a_gibibyte_of_zeros_is_refused_by_its_size_alone(server: Server) -> None:
    # The header says 1 GiB + 1; reading the content would fail, so it is not read.
    blob = server.write_loose("ab" * 20, b"blob 1073741825\0")
    commit = server.write_commit(server.write_tree(("100644", b"zeros", blob)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BuildFailedError, match="1,073,741,825 bytes of files; 1 GiB is the limit"):
        check_limits(read_tree(Git(server.bare), commit))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_folders_too_deep_are_refused(server: Server) -> None:
    id, mode = server.write("blob", b""), "100644"
    for _ in range(66):
        id, mode = server.write_tree((mode, b"d", id)), "40000"
    with pytest.raises(BuildFailedError, match="more than 64 deep"):
        read_tree(Git(server.bare), server.write_commit(id))


def test_paths_too_long_are_refused(server: Server) -> None:
    id, mode = server.write("blob", b""), "100644"
    for _ in range(40):
        id, mode = server.write_tree((mode, b"d" * 200, id)), "40000"
    with pytest.raises(BuildFailedError, match="a path of 8,039 bytes"):
        check_limits(read_tree(Git(server.bare), server.write_commit(id)))


def test_a_submodule_is_refused_by_its_path(server: Server) -> None:
    inner = server.write_tree(("160000", b"lib", "12" * 20))
    commit = server.write_commit(server.write_tree(("40000", b"vendor", inner)))
    with pytest.raises(BuildFailedError, match="vendor/lib is a submodule"):
        read_tree(Git(server.bare), commit)


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b".", b"a/b", b""])
def test_names_that_no_work_tree_may_have_are_refused(server: Server, name: bytes) -> None:
    commit = server.write_commit(server.write_tree(("100644", name, server.write("blob", b""))))
    with pytest.raises(BuildFailedError, match="which no work tree may have"):
        read_tree(Git(server.bare), commit)


@pytest.mark.parametrize("content", [b"tree a b\n", b"tree \xff\n", b"object of a tag\n", b""])
def test_what_is_no_commit_is_refused(server: Server, content: bytes) -> None:
    with pytest.raises(BuildFailedError, match="is no commit"):
        read_tree(Git(server.bare), server.write("blob", content))


def test_a_broken_folder_object_is_refused(server: Server) -> None:
    commit = server.write_commit(server.write("tree", b"100644 no end"))
    with pytest.raises(BuildFailedError, match="broken folder object"):
        read_tree(Git(server.bare), commit)


def test_an_entry_is_found_without_following_links(server: Server, work: WorkTree) -> None:
    (work.path / "link").symlink_to("sub")
    tree_of = work.commit({"sub/b": "12"})
    server.take(work)
    tree = read_tree(Git(server.bare, None), tree_of)
    assert tree.find("sub/b") is not None
    assert tree.find("link/b") is None
    assert tree.find("sub/none") is None
