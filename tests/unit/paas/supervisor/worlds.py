"""Small worlds for the pure rules: releases, instances and snapshots with the parts that a test does not name filled in."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from paas.domain.app import App
from paas.domain.formation import Slot
from paas.domain.ids import AppId, BuildId, Commit, ConfigId, InstanceId, ReleaseId
from paas.domain.instance import Instance, InstanceState, ProcessIdentity
from paas.domain.names import AppName, ProcessType
from paas.domain.process import Manifest, Procfile
from paas.domain.release import Release, ReleaseKind
from paas.supervisor.desired import Desired, DesiredApp
from paas.supervisor.observed import Draining, Observed

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOW = 1000.0
SHOP = AppId("shop")


def a_release(
    version: int, *, types: Iterable[str] = ("web", "worker"), built: bool = True, auto_rollback: bool = True
) -> Release:
    procfile = Procfile({ProcessType(name): f"run {name}" for name in types})
    return Release(
        id=ReleaseId(f"release-{version}"),
        app=SHOP,
        version=version,
        kind=ReleaseKind.DEPLOY,
        description="Deploy",
        build=BuildId("build") if built else None,
        commit=Commit("c" * 40) if built else None,
        config=ConfigId("config"),
        manifest=Manifest(procfile, auto_rollback=auto_rollback) if built else None,
        origin=version,
        actor="me",
        created_at=AT,
        content_hash="",
    )


def an_instance(
    release: Release,
    name: str,
    state: InstanceState = InstanceState.UP,
    *,
    started: float = NOW - 100,
    epoch: int = 0,
    restarts: int = 0,
    streak: int = 0,
    cause: str = "healthy",
    copy: str = "a",
    identified: bool = True,
    one_off: bool = False,
    time_limit: float | None = None,
) -> Instance:
    kind, _, index = name.partition(".")
    up = state is not InstanceState.STARTING
    return Instance(
        id=InstanceId(f"{name}-v{release.version}-{copy}"),
        app=release.app,
        release=release.id,
        version=release.version,
        type=ProcessType(kind),
        index=int(index),
        epoch=epoch,
        state=state,
        created_at=AT,
        started_monotonic=started,
        port=20000 + int(index) if kind == "web" else None,
        address=f"127.0.0.1:{20000 + int(index)}" if kind == "web" and up else None,
        identity=ProcessIdentity("boot", 1, 1) if identified else None,
        up_monotonic=started + 0.5 if up else None,
        cause=cause,
        restarts=restarts,
        streak=streak,
        one_off=one_off,
        time_limit=time_limit,
    )


def desire(
    serving: Release | None,
    candidate: Release | None = None,
    *,
    web: int = 1,
    worker: int = 0,
    slots: Iterable[Slot] = (),
) -> Desired:
    app = DesiredApp(
        App(SHOP, AppName("shop"), AT, serving.id if serving else None),
        serving=serving,
        candidate=candidate,
        formation={ProcessType("web"): web, ProcessType("worker"): worker},
        slots={(slot.type, slot.index): slot for slot in slots},
        hosts=("shop.localhost",),
    )
    return Desired({SHOP: app})


def observe(*instances: Instance, draining: Mapping[InstanceId, Draining] | None = None) -> Observed:
    return Observed(instances={each.id: each for each in instances}, draining=draining or {})
