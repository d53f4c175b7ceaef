import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from builds.git import Git
from builds.hook import Hook, Push, Say
from builds.tree import read_tree
from paas.errors import LeaseHeldError
from tests.unit.builds.repos import Server, WorkTree, git
from tests.unit.builds.test_tree import bomb

ONE = "1" * 40


def said_to_the_pusher(output: str) -> list[str]:
    return [
        line.removeprefix("remote: ").rstrip()
        for line in output[2:].splitlines()
        if line.startswith("remote:")
    ]


def test_whoever_pushes_sees_each_line_and_what_is_asked_about_is_still_in_quarantine(
    server: Server, work: WorkTree
) -> None:
    commit = work.commit({"a": "1", "b": "2"})
    seen: list[object] = []

    async def decide(push: Push, say: Say) -> bool:
        (update,) = push.updates
        seen.extend(
            [update.new, update.branch, len(read_tree(Git(server.bare, push.quarantine), commit).sizes)]
        )
        seen.append(server.refs())
        for line in ("-----> Building", "taken", "refused", "   |\\n %s $HOME `id`", "ünd so weiter"):
            await say(line)
        await say("two\nlines")
        return True

    output = work.push(server, "main", decide=decide)
    assert output.startswith("0 ")
    assert seen == [commit, "main", 2, []]
    lines = ["-----> Building", "taken", "refused", "   |\\n %s $HOME `id`", "ünd so weiter", "two", "lines"]
    assert said_to_the_pusher(output) == lines
    assert server.refs() == ["refs/heads/main"]


def test_a_push_that_is_not_taken_leaves_nothing(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "1"})

    async def decide(_push: Push, say: Say) -> bool:
        await say(" !     requirements.txt cannot be resolved: nosuch")
        return False

    output = work.push(server, "main", decide=decide)
    assert output.startswith("1 ")
    assert said_to_the_pusher(output) == [" !     requirements.txt cannot be resolved: nosuch"]
    assert server.refs() == []
    assert git("cat-file", "-e", commit, at=server.bare, check=False).returncode != 0


def test_a_refusal_is_shown(server: Server, work: WorkTree) -> None:
    async def decide(_push: Push, _say: Say) -> bool:
        raise LeaseHeldError("Another deployment is under way.")

    work.commit({"a": "1"})
    output = work.push(server, "main", decide=decide)
    assert output.startswith("1 ")
    assert " !     Another deployment is under way." in output


def test_a_control_plane_that_goes_away_refuses_the_push(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    with server.answering() as hook:
        script = server.receive_pack(hook)
    # Its ends of the pipes are closed by now.
    push = ("push", f"--receive-pack={script} #", str(server.bare), "main")
    assert git(*push, at=work.path, check=False).returncode == 1
    assert server.refs() == []


def test_a_hook_that_is_killed_while_it_waits_is_a_push_refused(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})

    async def decide(_push: Push, say: Say) -> bool:
        os.kill(hook_of(server), signal.SIGKILL)
        while True:
            await say("x" * 1000)

    assert work.push(server, "main", decide=decide).startswith("1 ")
    assert server.refs() == []


def hook_of(server: Server) -> int:
    """Return the process id of the hook that runs in the server's repository: a shell with its script."""
    script = f"{server.settings.repositories}/hooks/pre-receive".encode()
    (found,) = (int(process.name) for process in Path("/proc").glob("[0-9]*") if script in words(process))
    return found


def words(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        return []


@pytest.mark.parametrize("free", [1, 2, 3])
def test_where_descriptors_run_out_a_hook_keeps_none(free: int) -> None:
    async def enter() -> None:
        with only(free), pytest.raises(OSError, match="Too many open files"):
            async with Hook():
                pass

    before = descriptors()
    asyncio.run(enter())
    assert descriptors() == before


@contextmanager
def only(free: int) -> Iterator[None]:
    """Leave so many descriptors to this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()) + 8, hard))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(free):
            os.close(taken.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)


def descriptors() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


def test_a_push_of_more_branches_than_a_pipe_holds_is_taken(server: Server, work: WorkTree) -> None:
    commit = work.commit({"a": "1"})
    names = [f"refs/heads/branch-{number:04}-{'x' * 60}" for number in range(700)]
    git(
        "update-ref", "--stdin", at=work.path, given="".join(f"create {n} {commit}\n" for n in names).encode()
    )
    assert work.push(server, "refs/heads/branch-*:refs/heads/branch-*").startswith("0 ")
    assert server.refs() == names


def test_a_commit_that_is_only_to_be_stored_deploys_nothing_and_says_nothing(
    server: Server, work: WorkTree
) -> None:
    commit = work.commit({"a": "1"})
    said = work.push(server, f"main:refs/mini/commits/{commit}")
    assert said.startswith("0 ")
    assert "remote:" not in said


def test_deleting_main_is_refused(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    work.push(server, "main")
    said = work.push(server, ":main")
    assert said.startswith("1 ")
    assert "cannot be deleted" in said
    assert server.refs() == ["refs/heads/main"]


def test_a_tag_that_is_pushed_in_a_commit_s_place_is_refused_with_what_to_push(
    server: Server, work: WorkTree
) -> None:
    work.commit({"a": "1"})
    git("tag", "--annotate", "v1", "-m", "one", at=work.path)
    said = work.push(server, "v1:refs/heads/main")
    assert said.startswith("1 ")
    assert "is no commit. Of a tag, push the commit that it names: git push mini 'TAG^{commit}:main'." in said
    assert work.push(server, "v1^{commit}:refs/heads/main").startswith("0 ")


def test_a_history_may_be_rewritten(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    work.push(server, "main")
    git("commit", "--quiet", "--amend", "-m", "other", at=work.path)
    assert work.push(server, "+main").startswith("0 ")


def test_a_shallow_clone_can_be_pushed(server: Server, work: WorkTree, tmp_path: Path) -> None:
    work.commit({"a": "1"})
    commit = work.commit({"a": "2"})
    git("clone", "--quiet", "--depth=1", f"file://{work.path}", "shallow", at=tmp_path)
    said = work.push(server, f"HEAD:refs/mini/commits/{commit}", at=tmp_path / "shallow")
    assert said.startswith("0 "), said
    assert work.push(server, "main").startswith("0 ")


def test_a_tree_bomb_is_refused_before_anything_is_written(
    server: Server, work: WorkTree, tmp_path: Path
) -> None:
    other = Server(tmp_path / "attacker")
    git("init", "--quiet", "--bare", str(other.bare), at=tmp_path)
    commit = bomb(other)
    said = work.push(server, f"{commit}:refs/heads/feature", at=other.bare)
    assert said.startswith("1 ")
    assert "10,000,000,000 files" in said
    assert server.refs() == []


def test_a_submodule_is_refused_at_the_push(server: Server, work: WorkTree) -> None:
    work.commit({"a": "1"})
    git("update-index", "--add", "--cacheinfo", f"160000,{ONE},lib", at=work.path)
    git("commit", "--quiet", "-m", "x", at=work.path)
    said = work.push(server, "main")
    assert said.startswith("1 ")
    assert "lib is a submodule" in said


def test_nothing_that_is_pushed_is_executed(server: Server, work: WorkTree, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    script = f"#!/bin/sh\ntouch {canary}\n"
    modules = '[submodule "x"]\n\tpath = x\n\turl = ./x\n'
    for name in ("hooks/pre-receive", "hooks/update", "hooks/post-receive", "hooks/post-update"):
        work.commit({name: script})
        (work.path / name).chmod(0o755)
    work.commit({".gitmodules": modules, "config": f"[core]\n\tfsmonitor = touch {canary}\n"})
    work.push(server, "main")
    with_hooks = server.bare / "hooks"
    with_hooks.mkdir()
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        (with_hooks / name).write_text(script)
        (with_hooks / name).chmod(0o755)
    assert work.push(server, "main:other").startswith("0 ")
    assert not canary.exists()


def test_a_submodule_that_would_run_a_command_is_refused(server: Server, work: WorkTree) -> None:
    work.commit({".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ./x\n\tupdate = !touch /tmp/x\n'})
    assert "disallowed submodule update" in work.push(server, "main")
    assert server.refs() == []
