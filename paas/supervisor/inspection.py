"""Inspection: what people ask of running instances beside their state. It changes and restarts nothing."""

from dataclasses import dataclass

from paas.domain.ids import AppId
from paas.domain.instance import InstanceState
from paas.domain.names import WEB
from paas.supervisor.exposure import exposed_ports
from paas.supervisor.health import Prober
from paas.supervisor.probes import examined
from paas.supervisor.waiting import Shown
from paas.threads import in_thread


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check of one instance went."""

    instance: str
    check: str
    ok: bool
    message: str


async def run_checks(prober: Prober, shown: Shown, app: AppId) -> list[CheckResult]:
    """Ask every check of every healthy web instance of an app once, now."""
    up = [each for each in shown.observed.instances.values() if each.state is InstanceState.UP]
    results = []
    for subject in examined(shown.desired, [each for each in up if each.app == app]):
        for check in subject.checks:
            reason = await prober.ask_once(subject, check, timeout=check.timeout)
            what = f"{check.kind.value} {check.path or 'listens'}"
            results.append(CheckResult(subject.instance.name, what, reason is None, reason or "well"))
    return results


async def exposed(shown: Shown) -> list[str]:
    """Return the instances that can be reached beside the router, as `shop web.1 on port 20001`."""
    open_ports, apps = await in_thread(exposed_ports), shown.desired.apps
    return [
        f"{apps[each.app].app.name} {each.name} on port {each.port}"
        for each in shown.observed.instances.values()
        if each.type == WEB and each.port in open_ports and each.app in apps
    ]
