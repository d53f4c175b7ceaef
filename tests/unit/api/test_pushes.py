"""What `git push` is told while its objects wait in quarantine."""

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import cast

import pytest

from api import pushes
from api.services import Services
from builds.hook import Push
from builds.updates import Update
from paas.clock import SystemClock
from paas.domain.release import DeploymentState
from paas.errors import ConflictError
from paas.settings import Address
from releases.lease import Leases
from tests.eventually import eventually_async
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit

pytestmark = pytest.mark.anyio


class Git:
    """Pushes of `aaaaaaa` to branches that are new, each until its git has ended."""

    def __init__(self, stage: Stage) -> None:
        self._app = stage.app
        self._here = SimpleNamespace(
            deployer=stage.deployer,
            repositories=stage.repositories,
            pushing=Leases(clock=SystemClock()),
            store=stage.store,
            routers=SimpleNamespace(address=Address("127.0.0.1", 80)),
        )

    async def push(self, said: list[str], *refs: str, ended: asyncio.Event | None = None) -> bool:
        """Return whether it is taken, once its git has `ended`."""

        async def say(line: str) -> None:
            said.append(line)

        async with AsyncExitStack() as until_git_ended:
            here = cast(Services, self._here)
            decide = pushes.deploy(here, self._app, actor="me", until_git_ended=until_git_ended)
            taken = await decide(Push([Update("0" * 40, commit("aaaaaaa"), ref) for ref in refs], None), say)
            if ended:
                await ended.wait()
            return taken


async def decided(stage: Stage, said: list[str], *refs: str) -> bool:
    """Return whether a push of `aaaaaaa` to these refs is taken."""
    return await Git(stage).push(said, *refs)


async def test_a_push_to_main_is_taken_when_it_serves(stage: Stage) -> None:
    said: list[str] = []
    assert await decided(stage, said, "refs/heads/main")
    assert said[:2] == ["-----> Building aaaaaaa (main)", "       fetching what it needs"]
    assert said[-1] == "v1  http://shop.localhost"
    assert stage.serves() == "v1: Deploy aaaaaaa"


async def test_what_already_runs_is_taken_too(stage: Stage) -> None:
    await stage.push("aaaaaaa")
    said: list[str] = []
    assert await decided(stage, said, "refs/heads/master")
    assert said[-1] == "v1  http://shop.localhost"


async def test_a_push_that_fails_to_deploy_is_refused_and_the_reason_said_once(stage: Stage) -> None:
    stage.builds.broken.add(commit("aaaaaaa"))
    said: list[str] = []
    assert not await decided(stage, said, "refs/heads/main")
    assert [line for line in said if "does not compile" in line] == [" !     it does not compile"]


async def test_a_branch_is_stored_and_how_to_deploy_it_is_said(stage: Stage) -> None:
    said: list[str] = []
    assert await decided(stage, said, "refs/heads/topic")
    assert said == [
        " !     topic is stored, not deployed. To deploy it: git push mini topic:main",
    ]
    assert stage.serves() == "nothing"


async def test_a_pusher_who_goes_away_cancels_the_deployment(stage: Stage) -> None:
    stage.builds.gate = asyncio.Event()
    said: list[str] = []
    deciding = asyncio.create_task(decided(stage, said, "refs/heads/main"))
    await until_said(said, "       fetching what it needs")
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding
    (ended,) = stage.store.deployments.list(stage.app.id, limit=2)
    assert ended.state is DeploymentState.CANCELLED


async def test_a_push_that_deploys_waits_until_the_git_of_the_one_before_has_ended(stage: Stage) -> None:
    git, ended = Git(stage), asyncio.Event()
    first, second = list[str](), list[str]()
    taken = asyncio.create_task(git.push(first, "refs/heads/main", ended=ended))
    await until_said(first, "v1  http://shop.localhost")
    refused = asyncio.create_task(git.push(second, "refs/heads/main"))
    await until_said(second, "-----> Waiting for the push of aaaaaaa by me")
    stage.repositories.branches["refs/heads/main"] = commit("aaaaaaa")
    ended.set()
    assert await taken
    with pytest.raises(ConflictError, match="main has moved since this push began"):
        await refused
    assert second == ["-----> Waiting for the push of aaaaaaa by me"]
    assert len(stage.store.deployments.list(stage.app.id, limit=2)) == 1


async def test_a_push_that_is_only_stored_waits_for_none(stage: Stage) -> None:
    git, ended = Git(stage), asyncio.Event()
    first: list[str] = []
    deploying = asyncio.create_task(git.push(first, "refs/heads/main", ended=ended))
    await until_said(first, "v1  http://shop.localhost")
    assert await git.push([], "refs/heads/topic")
    assert not deploying.done()
    ended.set()
    assert await deploying


async def test_nobody_waits_for_a_pusher_who_went_away_waiting(stage: Stage) -> None:
    git, ended = Git(stage), asyncio.Event()
    said: list[list[str]] = [[], [], []]
    first, gone, last = [
        asyncio.create_task(git.push(lines, "refs/heads/main", ended=ended)) for lines in said
    ]
    await until_said(said[0], "v1  http://shop.localhost")
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    ended.set()
    assert await first
    assert await last


async def until_said(said: list[str], line: str) -> None:
    async def is_said() -> bool:
        return line in said

    await eventually_async(is_said)
