"""Rules 8 and 13: whoever judges or decides may die between any two steps; in the end there is one outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.deadline import Deadline
from sync.guard import decisions
from sync.guard.holds import Kind
from sync.guard.judge import GuardSettings
from sync.pull import pull
from sync.push import push
from tests.conftest import TimedStore
from tests.dying import died, steps_of
from tests.guard.test_decisions import SKUS as FEW
from tests.guard.test_decisions import build
from tests.guard.test_held_files import SKUS, Shop
from tests.guard.town import held, look_again, pull_all, units


def test_a_reading_whose_judge_dies_at_any_step_is_one_hold_in_the_end(store: TimedStore) -> None:
    def once(step: int) -> bool:
        store.client.flushall()
        town = build(store)
        for sku in FEW[:15]:
            town.store.shop.put(sku, 0)
        dead = died(step, lambda: pull(town.context, "store", Deadline(60)))
        pull_all(town, "store")
        assert held(town).kind is Kind.READING
        assert units(town) == 200
        return dead

    assert steps_of(once) > 20


@pytest.mark.timeout(300)
def test_an_approval_that_dies_at_any_step_is_carried_out_once_in_the_end(store: TimedStore) -> None:
    def once(step: int) -> bool:
        store.client.flushall()
        town = build(store)
        for sku in FEW[:15]:
            town.store.shop.put(sku, 0)
        pull_all(town, "store")
        hold = held(town)
        dead = died(step, lambda: decisions.approve(town.context, hold, "ann"))
        decisions.carry_out_all(town.context)  # the sweeper
        if town.context.holds.open_ones():
            decisions.approve(town.context, hold, "ann")
        look_again(town)
        assert units(town) == 50
        assert len(town.context.ledger.history("S00")) == 2
        return dead

    assert steps_of(once) > 3


def test_a_file_whose_reader_dies_at_any_step_is_one_hold_and_then_applied_once(
    store: TimedStore, tmp_path: Path
) -> None:
    def once(step: int) -> bool:
        store.client.flushall()
        folder = tmp_path / str(step)
        folder.mkdir()
        shop = Shop(store, folder)
        dead = died(step, lambda: shop.drop({sku: 0 if place < 90 else 9 for place, sku in enumerate(SKUS)}))
        shop.read("till")
        hold = shop.held()
        assert hold.kind is Kind.FILE
        assert shop.units() == 1000
        died(step, lambda: decisions.approve(shop.context, hold, "ann"))
        decisions.carry_out_all(shop.context)
        if shop.context.holds.open_ones():
            decisions.approve(shop.context, hold, "ann")
        assert shop.units() == 90
        assert len(shop.context.ledger.history("S000")) == 2
        return dead

    assert steps_of(once) > 10


def test_a_discarding_that_dies_at_any_step_parks_the_writes_in_the_end(store: TimedStore) -> None:
    def once(step: int) -> bool:
        store.client.flushall()
        town = build(store, GuardSettings(auto_approve_first=True))
        for sku in FEW[:15]:
            town.till.shop.sell(sku, 2)
        pull_all(town, "till")
        push(town.context, "store", Deadline(60))
        hold = held(town)
        dead = died(step, lambda: decisions.discard(town.context, hold, "ann"))
        decisions.carry_out_all(town.context)
        if town.context.holds.open_ones():
            decisions.discard(town.context, hold, "ann")
        push(town.context, "store", Deadline(60))
        assert town.store.shop.written == []
        assert town.context.holds.to_carry_out() == []
        return dead

    assert steps_of(once) > 3
