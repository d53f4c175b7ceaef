"""The outlook: how far the instances that a formation wants of a release have come. Pure, like the rules."""

from dataclasses import dataclass

from paas.domain.ids import AppId, ReleaseId
from paas.domain.instance import InstanceState
from paas.supervisor.desired import Desired, Wanted
from paas.supervisor.moment import Moment
from paas.supervisor.observed import Ended, Ending, Observed


@dataclass(frozen=True, slots=True)
class Outlook:
    """`missing` are the wanted instances that are not up yet, `broken` the first that ended instead. `known` is
    False where the release neither serves nor is being deployed."""

    known: bool = True
    missing: tuple[Wanted, ...] = ()
    broken: Ended | None = None


def outlook(desired: Desired, observed: Observed, *, app: AppId, release: ReleaseId, since: float) -> Outlook:
    """Return how far `release` is. A crash before `since` counts for a candidate alone: all its life is one boot."""
    moment = Moment(desired, observed, since)
    places = [each for each in moment.places.values() if each.place.app == app and not each.stopped]
    wanted = [each for each in places if each.release.id == release]
    missing = tuple(each for each in wanted if not _is_up(moment, each))
    broken = (moment.ended.get(each.place) for each in wanted)
    crashes = (
        last
        for each, last in zip(wanted, broken, strict=True)
        if last and last.ending is Ending.CRASHED and (each.candidate or last.at >= since)
    )
    return Outlook(known=_is_known(desired, app, release), missing=missing, broken=next(crashes, None))


def _is_known(desired: Desired, app: AppId, release: ReleaseId) -> bool:
    found = desired.apps.get(app)
    return found is not None and release in [each.id for each in (found.serving, found.candidate) if each]


def _is_up(moment: Moment, wanted: Wanted) -> bool:
    here = moment.alive.get(wanted.place, [])
    return any(each.state is InstanceState.UP and each.epoch >= wanted.epoch for each in here)
