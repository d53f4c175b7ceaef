"""What the rows of `mini ps` say of a command."""

from types import SimpleNamespace
from typing import Any

import pytest

from api.routes.formation import _instances
from paas.domain.ids import InstanceId
from paas.domain.instance import Instance, InstanceState
from paas.domain.names import ProcessType
from paas.domain.release import Release
from paas.supervisor.views import InstanceView, ShownState
from tests.unit.releases.conftest import Stage
from tests.unit.releases.fakes import commit, manifest

pytestmark = pytest.mark.anyio


def up(release: Release, kind: str) -> InstanceView:
    instance = Instance(
        id=InstanceId(f"{release.version}-{kind}"),
        app=release.app,
        release=release.id,
        version=release.version,
        type=ProcessType(kind),
        index=release.version,
        epoch=0,
        state=InstanceState.UP,
        created_at=release.created_at,
        started_monotonic=0.0,
    )
    return InstanceView(instance, ShownState.UP)


async def test_the_command_of_an_instance_is_that_of_its_own_release(stage: Stage) -> None:
    stage.builds.manifests[commit("aaaaaaa")] = manifest(web="old", cron="tick")
    stage.builds.manifests[commit("bbbbbbb")] = manifest(web="")
    seen = []
    for name, kinds in (("aaaaaaa", ("web", "cron")), ("bbbbbbb", ("web",))):
        await stage.push(name)
        release = stage.current()
        assert release
        seen += [up(release, kind) for kind in kinds]
    here: Any = SimpleNamespace(store=stage.store)
    rows = {(row.type, row.release): row.command for row in _instances(here, seen)}
    assert rows == {("cron", 1): "tick", ("web", 1): "old", ("web", 2): ""}
