"""What `git push` is told while its objects wait in quarantine."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from api import pushes
from api.services import Services
from builds.hook import Push
from builds.updates import Update
from paas.domain.release import DeploymentState
from paas.settings import Address
from tests.eventually import eventually_async
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit

pytestmark = pytest.mark.anyio


async def decided(stage: Stage, said: list[str], *refs: str) -> bool:
    """Return whether a push of `aaaaaaa` to these refs is taken."""

    async def say(line: str) -> None:
        said.append(line)

    routers = SimpleNamespace(address=Address("127.0.0.1", 80))
    here = SimpleNamespace(deployer=stage.deployer, store=stage.store, routers=routers)
    push = Push([Update("0" * 40, commit("aaaaaaa"), ref) for ref in refs], None)
    return await pushes.deploy(cast(Services, here), stage.app, actor="me")(push, say)


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

    async def building() -> bool:
        return "       fetching what it needs" in said

    await eventually_async(building)
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding
    (ended,) = stage.store.deployments.list(stage.app.id, limit=2)
    assert ended.state is DeploymentState.CANCELLED
