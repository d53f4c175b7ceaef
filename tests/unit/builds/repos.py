"""Real git repositories for the tests of builds: made by git itself, or object by object where git would refuse."""

import asyncio
import hashlib
import os
import shlex
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

from builds.hook import Decide, Hook, Push, Say
from builds.repository import Repositories
from paas.clock import SystemClock
from paas.domain.app import App
from paas.domain.build import Build, BuildState
from paas.domain.ids import AppId, BuildId, Commit, new_id
from paas.domain.names import AppName
from paas.settings import Settings

SHOP = App(AppId("00000000000000aa"), AppName("shop"), SystemClock().now())


def attempt(commit: Commit) -> Build:
    """Return the record of a build of `commit` that has begun."""
    id, now = BuildId(new_id()), SystemClock().now()
    return Build(id, SHOP.id, commit, "main", builder="any/1", state=BuildState.RUNNING, created_at=now)


_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def git(
    *arguments: str, at: Path, check: bool = True, given: bytes = b"", inherited: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", *arguments],
        cwd=at,
        env=_ENVIRONMENT,
        input=given,
        capture_output=True,
        check=check,
        pass_fds=inherited,
    )


async def take(_push: Push, _say: Say) -> bool:
    """Take what is within the limits, as a push that is only to be stored is taken."""
    return True


class WorkTree:
    """A repository as a user has it."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        git("init", "--quiet", "--initial-branch=main", at=path)

    def commit(self, files: dict[str, str | bytes]) -> Commit:
        """Write the files and commit everything."""
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        git("add", "--all", at=self.path)
        git("commit", "--quiet", "--allow-empty", "-m", "work", at=self.path)
        return self.head()

    def head(self) -> Commit:
        return Commit(git("rev-parse", "HEAD", at=self.path).stdout.decode().strip())

    def push(self, server: "Server", *refs: str, decide: Decide = take, at: Path | None = None) -> str:
        """Push through the very command that the server runs; return what git said, with an exit code in front."""
        with server.answering(decide) as hook:
            command = f"--receive-pack={server.receive_pack(hook)} #"
            done = git("push", command, str(server.bare), *refs, at=at or self.path, check=False,
                       inherited=hook.descriptors)  # fmt: skip
        return f"{done.returncode} {done.stderr.decode()}"


class Server:
    """A home with one app's repository in it."""

    def __init__(self, home: Path) -> None:
        self.settings = Settings(home=home)
        self.repositories = Repositories(self.settings)
        self.bare = self.repositories.path(SHOP.id)

    @contextmanager
    def answering(self, decide: Decide = take) -> Iterator[Hook]:
        """The pipes to the hook of one push, which is answered on a thread until the block and git have ended."""
        entered: SimpleQueue[tuple[Hook, asyncio.AbstractEventLoop]] = SimpleQueue()

        async def answer() -> None:
            async with Hook() as hook:
                entered.put((hook, asyncio.get_running_loop()))
                await hook.answer(self.bare, decide)

        thread = Thread(target=asyncio.run, args=[answer()])
        thread.start()
        hook, loop = entered.get()
        try:
            yield hook
        finally:
            with suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(hook.handed_over)
            thread.join()

    def receive_pack(self, hook: Hook) -> Path:
        """Return a script that runs receive-pack with the environment the server gives it, and no more."""
        environment = self.repositories.receive_pack_environment(actor="me") | hook.environment
        pairs = [f"{name}={value}" for name, value in environment.items()]
        script = self.settings.home / "receive-pack"
        script.write_text(
            f"#!/bin/sh\nexec env -i {shlex.join(pairs)} {shlex.join(self.repositories.receive_pack_argv(SHOP.id))}\n"
        )
        script.chmod(0o755)
        return script

    def take(self, work: WorkTree) -> None:
        """Have what a user committed, without the hook: for tests of what comes after a push."""
        git("push", "--quiet", str(self.bare), "+HEAD:refs/heads/main", at=work.path)

    def refs(self) -> list[str]:
        return git("for-each-ref", "--format=%(refname)", at=self.bare).stdout.decode().split()

    def write(self, kind: str, content: bytes) -> str:
        """Write an object without any of git's checks and return its id."""
        store = b"%s %d\0%s" % (kind.encode(), len(content), content)
        return self.write_loose(hashlib.sha1(store).hexdigest(), store)

    def write_loose(self, id: str, store: bytes) -> str:
        path = self.bare / "objects" / id[:2] / id[2:]
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            path.write_bytes(zlib.compress(store))
        return id

    def write_tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Write a folder of (mode, name, id)."""
        return self.write(
            "tree", b"".join(b"%s %s\0%s" % (m.encode(), n, bytes.fromhex(i)) for m, n, i in entries)
        )

    def write_commit(self, tree: str) -> Commit:
        who = "a <a@example.com> 1700000000 +0000"
        return Commit(self.write("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode()))
