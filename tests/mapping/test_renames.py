"""A renamed listing keeps its record, its open write and its sales: ids first, SKU second."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from channels import Result, Sale
from sync.audit import audit
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.refresh import refresh
from sync.storage.store import bucket_of, bucket_prefix
from tests.conftest import CHANNELS, STORE, Bench, Fate, TimedStore, Town
from tests.dying import died, steps_of

NAMES = ("till", "store", "market")


def pull_all(town: Town) -> None:
    for name in NAMES:
        pull(town.context, name, Deadline(60))
        push(town.context, name, Deadline(60))


@pytest.fixture
def ten(town: Town) -> Town:
    return with_ten(town)


def with_ten(town: Town) -> Town:
    """Ten of MUG and of TEA everywhere."""
    for sku in ("MUG", "TEA"):
        town.put(sku, 10)
    pull_all(town)
    return town


def rename(town: Town, sku: str = "CUP") -> None:
    town.store.shop.skus["ref-mug"] = sku


def records(town: Town) -> dict[str, int | None]:
    return {record.sku: record.on_hand for record in town.context.ledger.every_record()}


def test_a_listing_that_is_renamed_keeps_its_record(ten: Town) -> None:
    rename(ten)
    pull_all(ten)
    ten.till.shop.sell("MUG", 2)
    pull_all(ten)

    assert records(ten) == {"MUG": 8, "TEA": 10}
    assert ten.store.shop.shown("MUG") == 8
    (record,) = ten.context.ledger.records(["MUG"])
    assert (record.listings["store"].hold, record.listings["store"].ref) == (None, "ref-mug")


def test_a_new_name_that_nothing_can_write_down_stops_only_its_listing(ten: Town) -> None:
    rename(ten, "MUG \ud83d")
    pull_all(ten)

    (record,) = ten.context.ledger.records(["MUG"])
    assert record.listings["store"].hold
    assert ten.context.ledger.records(["TEA"])[0].listings["store"].hold is None
    rename(ten, "MUG")
    pull_all(ten)
    assert ten.context.ledger.records(["MUG"])[0].listings["store"].hold is None


def test_what_was_sold_while_it_was_renamed_is_booked_once(ten: Town) -> None:
    ten.store.shop.sell("MUG", 3)
    rename(ten)
    pull_all(ten)
    ten.store.shop.sell("MUG", 1)
    pull_all(ten)
    pull_all(ten)

    assert records(ten) == {"MUG": 6, "TEA": 10}
    assert ten.market.shop.shown("MUG") == 6


def test_a_write_that_was_under_way_is_settled(ten: Town) -> None:
    ten.till.shop.sell("MUG", 2)
    pull(ten.context, "till", Deadline(60))
    ten.store.shop.fates.append(Fate(Result.UNKNOWN, applied=True))
    push(ten.context, "store", Deadline(60))
    rename(ten)
    ten.context.store.clock.advance(70)  # type: ignore[attr-defined]
    pull_all(ten)

    (record,) = ten.context.ledger.records(["MUG"])
    assert (record.on_hand, record.listings["store"].write, record.listings["store"].level) == (8, None, 8)


def test_a_hint_about_it_is_understood(ten: Town) -> None:
    rename(ten)
    pull_all(ten)
    ten.store.shop.sell("MUG", 1)
    ten.context.worklist.mark("store", ["ref-mug"], ten.context.store.now_ms())
    refresh(ten.context, "store", Deadline(60))

    assert records(ten) == {"MUG": 9, "TEA": 10}


def test_a_sale_under_a_write_is_found_whatever_its_order_calls_it(store: TimedStore) -> None:
    town = Town.build(store, CHANNELS | {"store": replace(STORE, orders=True)})
    for sku in ("MUG", "TEA"):
        town.put(sku, 10)
    pull_all(town)
    rename(town)
    pull_all(town)
    store.clock.advance(120)
    pull_all(town)
    town.till.shop.sell("MUG")
    pull(town.context, "till", Deadline(60))
    sales: list[Sale] = []

    def sold_under_the_write() -> None:
        sales.append(Sale("1001", "1", "CUP", "ref-mug", 2, datetime.fromtimestamp(store.clock.ms / 1000, UTC)))
        town.store.shop.before_write = lambda: None

    town.store.sales = lambda since: iter(sales)  # type: ignore[method-assign]
    town.store.shop.before_write = sold_under_the_write
    push(town.context, "store", Deadline(60))
    for _ in range(4):
        store.clock.advance(60)
        pull(town.context, "store", Deadline(60))
        audit(town.context, "store", Deadline(60))

    assert records(town) == {"MUG": 7, "TEA": 10}


def test_a_listing_that_is_with_its_record_already_is_opened_there_anew(bench: Bench) -> None:
    """Its level was forgotten, for a twin seemed to have taken its place."""
    fields = f"{bucket_prefix(bucket_of('a'))}renamed:store"
    bench.store.client.hset(fields, "store-a", "a")

    assert bench.read("store", 4).counts == {"opened": 1}
    assert bench.level("store") == 4


def test_one_that_is_renamed_back_or_again_keeps_its_record(ten: Town) -> None:
    for name in ("CUP", "BEAKER", "MUG", "CUP"):
        rename(ten, name)
        ten.store.shop.sell("MUG", 1)
        pull_all(ten)

    assert records(ten) == {"MUG": 6, "TEA": 10}
    assert ten.context.ledger.listings("store") == 2


def test_a_name_that_the_authority_counts_takes_the_listing(ten: Town) -> None:
    ten.till.shop.put("CUP", 4)
    pull(ten.context, "till", Deadline(60))
    rename(ten)
    pull_all(ten)
    pull_all(ten)

    assert ten.store.shop.units["ref-mug"] == 4
    (old,) = ten.context.ledger.records(["MUG"])
    assert old.listings["store"].hold is not None


def test_one_that_takes_the_name_of_another_listing_is_its_twin(ten: Town) -> None:
    rename(ten, "TEA")
    pull_all(ten)

    (tea,) = ten.context.ledger.records(["TEA"])
    assert tea.listings["store"].hold is not None
    assert tea.listings["store"].hold.kind == "quarantined"


def test_one_that_a_hint_has_shown_under_its_new_name_keeps_its_record(ten: Town) -> None:
    rename(ten)
    ten.store.shop.sell("MUG", 2)
    ten.context.worklist.mark("store", ["ref-mug"], ten.context.store.now_ms())
    refresh(ten.context, "store", Deadline(60))
    ten.store.shop.sell("MUG", 1)
    pull_all(ten)

    assert records(ten) == {"MUG": 7, "TEA": 10}
    assert ten.context.ledger.listings("store") == 2


def test_a_listing_that_is_gone_is_looked_for_once(ten: Town) -> None:
    del ten.store.shop.units["ref-mug"]
    for _ in range(3):
        pull(ten.context, "store", Deadline(60))

    assert ten.store.shop.looked_at.count("ref-mug") == 1


def test_where_very_many_are_gone_only_some_are_looked_for(ten: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.stock.renames.MOST", 1)
    ten.store.shop.units.clear()
    ten.store.shop.put("CUP", 4)
    pull(ten.context, "store", Deadline(60))

    assert len(ten.store.shop.looked_at) == 1
    gone = ten.context.ledger.records(["MUG", "TEA"])
    assert [record.listings["store"].hold is not None for record in gone] == [True, True]


def test_wherever_the_worker_dies_no_unit_is_lost(store: TimedStore) -> None:
    def once(step: int) -> bool:
        store.client.flushall()
        ten = with_ten(Town.build(store))
        ten.store.shop.sell("MUG", 3)
        rename(ten)
        dead = died(step, lambda: pull(ten.context, "store", Deadline(60)))
        for _ in range(2):
            store.clock.advance(70)
            pull_all(ten)
        assert records(ten) == {"MUG": 7, "TEA": 10}
        assert [channel.shop.shown("MUG") for channel in (ten.store, ten.market)] == [7, 7]
        return dead

    assert steps_of(once) > 12
