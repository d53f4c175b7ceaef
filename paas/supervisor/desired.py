"""Desired state: what should run, read from the store as one value. It knows nothing of what does run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from paas.domain.app import App
from paas.domain.formation import Formation, Slot
from paas.domain.ids import AppId
from paas.domain.names import ProcessType
from paas.domain.release import Release
from paas.domain.route import RoutedCertificate
from paas.domain.traffic import TrafficRule
from paas.settings import Settings
from paas.store.database import Store
from paas.supervisor.place import Place
from paas.threads import in_thread

Slots = Mapping[tuple[ProcessType, int], Slot]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One place that a formation asks for."""

    place: Place
    release: Release
    epoch: int = 0
    stopped: bool = False
    candidate: bool = False


@dataclass(frozen=True, slots=True)
class DesiredApp:
    """One living app: the release that serves, at most one that is being deployed, and the formation of both."""

    app: App
    serving: Release | None = None
    candidate: Release | None = None
    formation: Formation = field(default_factory=dict)
    slots: Slots = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    rule: TrafficRule = field(default_factory=TrafficRule)
    certificates: tuple[RoutedCertificate, ...] = ()

    def wanted(self) -> tuple[Wanted, ...]:
        """Return the places to fill, of the serving release first, by type as the Procfile has them."""
        return (
            *self._places(self.serving, candidate=False),
            *self._places(self.candidate, candidate=True),
        )

    def _places(self, release: Release | None, *, candidate: bool) -> tuple[Wanted, ...]:
        if release is None or release.build is None or release.manifest is None:
            return ()
        return tuple(
            self._wanted(Place(self.app.id, release.id, name, index), release, candidate=candidate)
            for name in release.manifest.procfile.long_running
            for index in range(1, self.formation.get(name, 0) + 1)
        )

    def _wanted(self, place: Place, release: Release, *, candidate: bool) -> Wanted:
        slot = self.slots.get((place.type, place.index), Slot(place.type, place.index))
        return Wanted(
            place,
            release,
            epoch=slot.epoch,
            stopped=slot.stopped_for == release.version,
            candidate=candidate,
        )


@dataclass(frozen=True, slots=True)
class Desired:
    """All living apps at one moment; what runs for any other app is to go."""

    apps: Mapping[AppId, DesiredApp] = field(default_factory=dict)
    drain_limit: float = 30.0

    def places(self) -> dict[Place, Wanted]:
        """Return every place that any formation asks for."""
        return {wanted.place: wanted for app in self.apps.values() for wanted in app.wanted()}


class DesiredState:
    """What the store wants, read again only once that was changed."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._last: tuple[int, Desired] | None = None

    async def now(self) -> Desired:
        """Return the desired state of this moment; raises what the store raises."""
        version = self._store.version
        if self._last is None or self._last[0] != version:
            self._last = version, await in_thread(read_desired, self._store, settings=self._settings)
        return self._last[1]


def read_desired(store: Store, *, settings: Settings) -> Desired:
    """Return the desired state of this moment; raises what the store raises."""
    with store.snapshot():
        candidates = {app.id: release for app, release in store.releases.candidates()}
        serving = {app.id: release for app, release in store.releases.serving()}
        formations, slots = store.formations.all(), store.formations.slots()
        rules, certificates = store.traffic.all(), store.certificates.all()
        domains, apps = store.domains.all(), store.apps.list()
    hosts: dict[AppId, list[str]] = {}
    for domain in domains:
        hosts.setdefault(domain.app, []).append(domain.host)
    wanted = [
        DesiredApp(
            app,
            serving=serving.get(app.id),
            candidate=candidates.get(app.id),
            formation=formations.get(app.id, {}),
            slots=slots.get(app.id, {}),
            hosts=(f"{app.name}.localhost", *hosts.get(app.id, [])),
            rule=rules.get(app.id, TrafficRule()),
            certificates=tuple(
                RoutedCertificate(each.host, str(settings.certificate(each.id)))
                for each in certificates.get(app.id, ())
            ),
        )
        for app in apps
    ]
    return Desired({desired.app.id: desired for desired in wanted}, drain_limit=settings.drain_limit)
