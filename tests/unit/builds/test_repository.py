import stat
from pathlib import Path

import pytest

from builds.git import Quarantine, commit_id
from builds.hook import SCRIPT
from paas.domain.ids import Commit
from paas.errors import InvalidError, NotFoundError
from tests.unit.builds.repos import SHOP, Server, WorkTree, git

pytestmark = pytest.mark.anyio


async def test_a_branch_a_tag_and_a_short_id_resolve_to_the_commit(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "1"})
    work.push(server, "HEAD:refs/heads/main", "HEAD:refs/heads/feature/x")
    git("tag", "-m", "note", "v1", commit, at=server.bare)
    for name in ("main", "feature/x", "v1", commit, commit[:7], "HEAD", "main~0"):
        assert await server.repositories.resolve(SHOP.id, name) == commit


async def test_a_detached_head_can_be_pushed_and_resolved(server: Server, work: WorkTree) -> None:
    first = work.commit({"a": "1"})
    work.commit({"a": "2"})
    git("checkout", "--quiet", "--detach", first, at=work.path)
    assert work.push(server, f"HEAD:refs/mini/commits/{first}").startswith("0 ")
    assert await server.repositories.resolve(SHOP.id, first[:10]) == first


@pytest.mark.parametrize(
    "name", ["--output=x", "-h", "", "a b", "main\nmain", ":/x", "@{-1}", "x" * 300, "a:b"]
)
async def test_a_name_that_could_mean_something_else_is_refused(server: Server, name: str) -> None:
    with pytest.raises(InvalidError):
        await server.repositories.resolve(SHOP.id, name)


async def test_an_unknown_commit_says_to_push_it(server: Server) -> None:
    with pytest.raises(NotFoundError, match="push it first"):
        await server.repositories.resolve(SHOP.id, "12" * 20)


async def test_a_file_or_folder_is_no_commit(server: Server) -> None:
    blob = server.write("blob", b"x")
    with pytest.raises(NotFoundError):
        await server.repositories.resolve(SHOP.id, blob)


async def test_the_commits_between_two_are_listed_newest_first(server: Server, work: WorkTree) -> None:
    first = work.commit({"a": "1"})
    work.commit({"a": "2"})
    last = work.commit({"a": "3"})
    work.push(server, "main")
    log = await server.repositories.log(SHOP.id, since=first, until=last)
    assert [line.split()[0] == last[:7] for line in log] == [True, False]
    assert await server.repositories.log(SHOP.id, since=last, until=first) == []
    assert await server.repositories.log(SHOP.id, since=Commit("12" * 20), until=first) == []


async def test_the_only_hook_is_ours_and_read_only(server: Server) -> None:
    hooks = server.settings.repositories / "hooks"
    assert [path.name for path in hooks.iterdir()] == ["pre-receive"]
    assert stat.S_IMODE(hooks.stat().st_mode) == 0o500
    assert (hooks / "pre-receive").read_text() == SCRIPT
    assert not (server.bare / "hooks").exists()


async def test_a_hook_that_an_earlier_mini_wrote_is_replaced(server: Server) -> None:
    hook = server.settings.repositories / "hooks" / "pre-receive"
    hook.parent.chmod(0o700)
    hook.chmod(0o700)
    hook.write_text("#!/bin/sh\nexec /old/python\n")
    await server.repositories.ensure(SHOP.id)
    assert hook.read_text() == SCRIPT
    assert stat.S_IMODE(hook.stat().st_mode) == 0o500


async def test_a_removed_repository_can_be_made_again(server: Server) -> None:
    await server.repositories.remove(SHOP.id)
    await server.repositories.remove(SHOP.id)
    assert not server.bare.exists()
    await server.repositories.ensure(SHOP.id)
    assert server.refs() == []


async def test_a_quarantine_of_somewhere_else_is_refused(server: Server, tmp_path: Path) -> None:
    objects = str(server.bare / "objects")
    for quarantine in (
        Quarantine(str(tmp_path), objects),
        Quarantine(f"{objects}/../../x", objects),
        Quarantine(f"{objects}/tmp_objdir-incoming-x", "/elsewhere"),
        Quarantine(f"{objects}/tmp_objdir-incoming-x", f"{objects}:/elsewhere"),
    ):
        with pytest.raises(InvalidError, match="is no quarantine"):
            await server.repositories.resolve(SHOP.id, "main", quarantine=quarantine)


@pytest.mark.parametrize("text", ["main", "12" * 19, "12" * 20 + "\n", "AB" * 20, "-" + "1" * 39])
def test_only_full_ids_are_commit_ids(text: str) -> None:
    with pytest.raises(InvalidError):
        commit_id(text)
