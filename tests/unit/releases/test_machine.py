"""Whatever is done to an app in whatever order, its releases stay what a simple model says they are."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from paas.domain.release import DeploymentState
from paas.errors import InvalidError, PaasError
from tests.unit.releases.fakes import commit
from tests.unit.releases.town import COMMITS, Town

T = TypeVar("T")

EXAMPLES = int(os.environ.get("MINI_TEST_EXAMPLES", "5"))

fates = st.sampled_from(["well", "well", "well", "sick", "spoilt"])
commits = st.sampled_from(COMMITS)


@dataclass
class Modelled:
    """A release as the model sees it."""

    version: int
    commit: str | None
    config: dict[str, str]
    origin: int
    served: bool = False


class Releases(RuleBasedStateMachine):
    """Push, config, rollback, scale, crash and restart, with failing release commands and sick releases between."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory(prefix="mini-machine-", ignore_cleanup_errors=True)
        self.town = self.do(self._open())
        self.releases: list[Modelled] = []
        self.current: Modelled | None = None
        self.counts: dict[str, int] = {}

    async def _open(self) -> Town:
        town = Town(Path(self.folder.name))
        await town.start()
        return town

    def do(self, coroutine: Coroutine[None, None, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def teardown(self) -> None:
        self.do(self.town.close())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self.folder.cleanup()

    # -- what is done -----------------------------------------------------------------------------------------------
    @rule(
        name=commits,
        fate=st.sampled_from(["well", "well", "well", "sick", "spoilt", "broken"]),
        no_cache=st.booleans(),
    )
    def push(self, name: str, fate: str, no_cache: bool) -> None:
        runs = self.current is not None and self.current.commit == commit(name)
        if fate == "broken":
            self.town.builds.broken.add(commit(name))
        builds = not runs or no_cache
        cached = not no_cache and self.town.store.builds.reusable(
            self.town.app.id, commit=commit(name), builder="fake/1"
        )
        ended = self.watched(self.town.push(name, no_cache=no_cache), fate, name)
        self.town.builds.broken.clear()
        if not builds:
            assert ended == "unchanged"
        elif fate == "broken" and not cached:
            assert ended == "build_failed"
        else:
            self.released(ended, fate, commit(name), self.config(), origin=None)

    @rule(key=st.sampled_from(["A", "B"]), value=st.sampled_from(["1", "2", None]), fate=fates)
    def configure(self, key: str, value: str | None, fate: str) -> None:
        before = self.config()
        after = {**before, key: value} if value is not None else {k: v for k, v in before.items() if k != key}
        running = self.current.commit if self.current else None
        ended = self.watched(self.town.configure({key: value}), fate, running)
        if after == before:
            assert ended == "unchanged"
        else:
            fate = fate if running else "well"
            self.released(ended, fate, running, after, origin=None)

    @precondition(lambda self: self.current is not None)
    @rule(back=st.integers(0, 6), named=st.booleans(), fate=fates)
    def roll_back(self, back: int, named: bool, fate: str) -> None:
        assert self.current
        if named:
            target = self.releases[-1 - back] if back < len(self.releases) else None
            possible = target and target.served and target.commit and target is not self.current
        else:
            earlier = [each for each in self.releases if each.served and each.commit]
            earlier = [each for each in earlier if each.version < self.current.origin]
            target = possible = earlier[-1] if earlier else None
        if named and target is None:
            return
        to = f"v{target.version}" if named and target else None
        if not possible or not target:
            with pytest.raises(InvalidError):
                self.do(self.town.roll_back(to))
            return
        ended = self.watched(self.town.roll_back(to), fate, target.commit)
        self.released(ended, fate, target.commit, target.config, origin=target.origin)

    @precondition(lambda self: self.current is not None and self.current.commit is not None)
    @rule(
        tokens=st.lists(
            st.sampled_from(["web=2", "web+1", "web-1", "worker=1", "worker=0", "clock=1", "web=4"]),
            min_size=1,
            max_size=2,
        )
    )
    def scale(self, tokens: list[str]) -> None:
        before = self.town.running()
        counts = dict(self.counts)
        for token in tokens:
            name = token.rstrip("0123456789").rstrip("=+-")
            number, operator = int(token[-1]), token[-2]
            counts[name] = {
                "=": number,
                "+": counts.get(name, 0) + number,
                "-": counts.get(name, 0) - number,
            }[operator]
        types = [token.rstrip("0123456789").rstrip("=+-") for token in tokens]
        if "clock" in types or len(set(types)) < len(types) or min(counts.values()) < 0 or counts["web"] > 4:
            if "clock" in types or len(set(types)) < len(types) or min(counts.values()) < 0:
                with pytest.raises(InvalidError):
                    self.do(self.town.service.scale(self.town.app, tokens, wait=False, actor="me"))
            return
        self.do(self.town.over(self.town.service.scale(self.town.app, tokens, wait=True, actor="me")))
        self.counts = counts
        self.do(self.town.settle())
        after = self.town.running()
        assert all(after[place] == pid for place, pid in before.items() if place in after)

    @precondition(lambda self: bool(self.town.running()))
    @rule()
    def crash_an_instance(self) -> None:
        self.town.clock.move(61)  # a release's first minute is over: this one crash is no reason to go back
        self.do(self.town.settle())
        before = self.town.running()
        victim = next(each for each in self.town.engine.machine.instances.values() if each.running)
        self.town.engine.crash(victim.spec.id)
        self.do(self.town.settle())
        after = self.town.running()
        changed = {place for place in before if after[place] != before[place]}
        assert changed == {(victim.spec.name, victim.spec.version)}

    @rule()
    def restart_the_control_plane(self) -> None:
        before = self.town.running()
        self.do(self.town.restart())
        self.do(self.town.settle())
        assert self.town.running() == before

    @rule(name=commits, steps=st.integers(0, 12))
    def crash_the_control_plane_amid_a_push(self, name: str, steps: int) -> None:
        before = self.town.running()
        versions = len(self.releases)
        deployment = self.do(self.town.begin_push(name, no_cache=True))
        self.do(self.town.clock.pass_by(steps * 0.05))
        self.do(self.town.crash())
        ended = self.town.store.deployments.get(self.town.app.id, deployment.id)
        assert ended.state.ended
        found = self.town.store.releases.list(self.town.app.id, limit=1000)
        if len(found) > versions:
            made = Modelled(versions + 1, commit(name), self.config(), versions + 1)
            self.releases.append(made)
            if ended.state is DeploymentState.SUCCEEDED:
                self.switched(made)
        self.do(self.town.settle())
        if ended.state is not DeploymentState.SUCCEEDED:
            assert self.town.running() == before

    # -- what must hold -----------------------------------------------------------------------------------------------
    @invariant()
    def what_serves_is_what_the_model_says(self) -> None:
        release = self.town.current()
        assert (release and release.version) == (self.current and self.current.version)
        assert (release and release.commit) == (self.current and self.current.commit)
        assert self.town.config() == self.config()

    @invariant()
    def numbers_have_no_gap_and_are_never_used_again(self) -> None:
        found = self.town.store.releases.list(self.town.app.id, limit=1000)
        assert [release.version for release, _ in found] == list(range(len(self.releases), 0, -1))

    @invariant()
    def a_rollback_carries_the_build_and_config_of_its_origin(self) -> None:
        for release, _ in self.town.store.releases.list(self.town.app.id, limit=1000):
            origin = self.town.store.releases.get(self.town.app.id, release.origin)
            assert (release.build, release.config) == (origin.build, origin.config)

    @invariant()
    def nothing_is_left_half_done(self) -> None:
        assert self.town.store.deployments.open() == []

    # -- the model ----------------------------------------------------------------------------------------------------
    def config(self) -> dict[str, str]:
        return dict(self.current.config) if self.current else {}

    def watched(self, coroutine: Coroutine[None, None, object], fate: str, name: str | None) -> str:
        """Return how a releasing command ended: `well`, `unchanged` or an error's code. What fails changes nothing, and
        there are never more instances than those of the old release and those of the new."""
        short = (name or COMMITS[0])[:7]
        {"sick": self.town.sicken, "spoilt": self.town.spoil}.get(fate, self.town.cure)(short)
        before, self.town.most = self.town.running(), 0
        ended = self.do(self._ended(coroutine))
        self.town.cure(short)
        self.do(self.town.settle())
        surge = sum((self.counts or {"web": 1}).values())
        assert self.town.most <= len(before) + surge
        if ended != "well":
            assert self.town.running() == before
        return ended

    async def _ended(self, coroutine: Coroutine[None, None, object]) -> str:
        try:
            await coroutine
        except PaasError as error:
            return error.code
        deployment = self.town.store.deployments.list(self.town.app.id, limit=1)[0]
        if deployment.state is DeploymentState.SUCCEEDED:
            return "well" if deployment.release else "unchanged"
        return deployment.code

    def released(
        self, ended: str, fate: str, name: str | None, config: dict[str, str], *, origin: int | None
    ) -> None:
        web = self.counts.get("web", 1)
        expected = {"spoilt": "release_failed", "sick": "not_healthy" if web else "well"}.get(fate, "well")
        assert ended == expected
        version = len(self.releases) + 1
        made = Modelled(version, name, config, origin or version)
        self.releases.append(made)
        if ended == "well":
            self.switched(made)

    def switched(self, release: Modelled) -> None:
        release.served = True
        self.current = release
        if release.commit and not self.counts:
            self.counts = {"web": 1, "worker": 0}


Releases.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    derandomize="MINI_TEST_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
TestReleases = Releases.TestCase
