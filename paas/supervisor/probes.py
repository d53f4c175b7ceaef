"""Probes: one task for each web instance that has something to be found out, and none for any other."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from paas.domain.ids import InstanceId
from paas.domain.instance import Instance, InstanceState
from paas.domain.names import WEB
from paas.domain.process import CheckKind
from paas.supervisor.desired import Desired
from paas.supervisor.health import Examined, Prober
from paas.supervisor.observed import Verdict
from paas.supervisor.place import place_of

log = logging.getLogger(__name__)

Report = Callable[[InstanceId, Verdict | None], None]
_Key = tuple[InstanceId, InstanceState]


class Probes:
    """Owns the probing tasks. `keep` is level-triggered: it starts what is missing and cancels what is over."""

    def __init__(self, prober: Prober, report: Report) -> None:
        self._prober, self._report = prober, report
        self._tasks: dict[_Key, asyncio.Task[None]] = {}

    def keep(self, desired: Desired, instances: Iterable[Instance]) -> None:
        """Probe exactly the instances that need it now."""
        needed = {_key(each.instance): each for each in examined(desired, instances) if _needs_probe(each)}
        for key in self._tasks.keys() - needed.keys():
            self._tasks.pop(key).cancel()
        for key in needed.keys() - self._tasks.keys():
            task = asyncio.create_task(self._probe(needed[key]), name=f"probe {key[0]}")
            task.add_done_callback(partial(self._ended, key))
            self._tasks[key] = task

    async def close(self) -> None:
        """Cancel every probe and return when all have ended."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: _Key, task: asyncio.Task[None]) -> None:
        """Log what a probe failed by, and forget it: the next `keep` begins it anew."""
        if not task.cancelled() and (error := task.exception()):
            log.error("a probe failed", exc_info=error, extra={"probe": task.get_name()})
            self._tasks.pop(key, None)

    async def _probe(self, subject: Examined) -> None:
        id = subject.instance.id
        if subject.instance.state is InstanceState.STARTING:
            self._report(id, await self._prober.readiness(subject))
        else:
            await self._prober.liveness(subject, lambda verdict: self._report(id, verdict))


def examined(desired: Desired, instances: Iterable[Instance]) -> Iterator[Examined]:
    """Yield the web instances that run, each with the checks of its release."""
    web = [each for each in instances if each.type == WEB and not each.one_off and each.identity]
    places = desired.places() if web else {}
    for instance in web:
        wanted = places.get(place_of(instance))
        if wanted and wanted.release.manifest and instance.port is not None:
            host = desired.apps[instance.app].hosts[0]
            checks = tuple(wanted.release.manifest.checks.get(WEB, ()))
            yield Examined(instance, instance.port, host, checks)


def _needs_probe(subject: Examined) -> bool:
    if subject.instance.state is InstanceState.UP:
        return bool(subject.of_kind(CheckKind.LIVENESS))
    return subject.instance.state is InstanceState.STARTING


def _key(instance: Instance) -> _Key:
    return instance.id, instance.state
