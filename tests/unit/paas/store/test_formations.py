"""Formations and the slots that differ from the default."""

from paas.domain.app import App
from paas.domain.formation import Slot
from paas.domain.names import WEB, process_type
from paas.store.database import Store

WORKER = process_type("worker")


def test_counts_are_set_together_and_kept_by_app(store: Store, shop: App) -> None:
    store.formations.set(shop.id, {WEB: 2, WORKER: 1})
    store.formations.set(shop.id, {WEB: 3})
    assert store.formations.get(shop.id) == {WEB: 3, WORKER: 1}
    assert store.formations.all() == {shop.id: {WEB: 3, WORKER: 1}}


def test_each_restart_raises_the_epoch_by_one_and_runs_a_stopped_slot(store: Store, shop: App) -> None:
    store.formations.stop_slot(shop.id, WEB, 1, version=4)
    store.formations.restart(shop.id, [(WEB, 1), (WEB, 2)])
    store.formations.restart(shop.id, [(WEB, 1)])
    assert store.formations.slots() == {
        shop.id: {(WEB, 1): Slot(WEB, 1, epoch=2), (WEB, 2): Slot(WEB, 2, epoch=1)}
    }


def test_a_stopped_slot_keeps_its_epoch(store: Store, shop: App) -> None:
    store.formations.restart(shop.id, [(WEB, 1)])
    store.formations.stop_slot(shop.id, WEB, 1, version=4)
    assert store.formations.slots()[shop.id][WEB, 1] == Slot(WEB, 1, epoch=1, stopped_for=4)


def test_scaling_a_type_runs_its_stopped_slots_again(store: Store, shop: App) -> None:
    store.formations.stop_slot(shop.id, WEB, 1, version=4)
    store.formations.stop_slot(shop.id, WORKER, 1, version=4)
    store.formations.set(shop.id, {WEB: 2})
    assert store.formations.slots() == {shop.id: {(WORKER, 1): Slot(WORKER, 1, stopped_for=4)}}
