"""The stock of record is set back, by a restored backup or a power cut, and work goes on.

That nothing is lost or counted twice is the simulator's to prove, in worlds that are set back at any moment.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from channels import Sale
from sync.audit import audit
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.readings import Pulls
from sync.refresh import refresh
from sync.stock import recovery
from sync.stock.records import State
from sync.views.stock import listing_views
from tests.conftest import CHANNELS, STORE, Bench, MemoryChannel, TimedStore, Town


def settle(town: Town) -> None:
    """Every channel is read, and writes that nobody remembers have certainly landed."""
    town.context.store.clock.advance(200)  # type: ignore[attr-defined]
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))


def reads(town: Town) -> Town:
    town.put("A", 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    return town


def on_hand(town: Town) -> int | None:
    (record,) = town.context.ledger.records(["A"])
    return record.on_hand


def test_nothing_is_written_until_all_is_found_out(town: Town) -> None:
    reads(town).till.shop.sell("A", 3)
    recovery.begin(town.context)
    pull(town.context, "till", Deadline(60))
    push(town.context, "store", Deadline(60))
    assert recovery.end_if_over(town.context)
    assert town.store.shop.written == []

    settle(town)
    assert not recovery.end_if_over(town.context)
    push(town.context, "store", Deadline(60))
    assert town.store.shop.shown("A") == 7


def test_a_write_that_was_forgotten_is_no_return(town: Town) -> None:
    """The store was written up, and the record was set back to before."""
    reads(town).store.shop.put("A", 15)
    recovery.begin(town.context)
    settle(town)
    assert on_hand(town) == 10


def test_without_orders_what_is_gone_counts_as_sold(town: Town) -> None:
    """A write down that was forgotten, or a sale: of two stories the one with less stock is taken."""
    reads(town).store.shop.sell("A", 2)
    recovery.begin(town.context)
    settle(town)
    assert on_hand(town) == 8
    assert town.context.ledger.history("A")[-1].why == "restored, less stock assumed"


def test_what_was_sold_of_a_sku_that_nobody_has_counted_is_no_count_of_it(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town.build(store, CHANNELS | {"store": replace(STORE, orders=True)})
    sales: list[Sale] = []
    monkeypatch.setattr(MemoryChannel, "sales", lambda channel, since: iter(sales))
    town.store.shop.put("A", 10)
    pull(town.context, "store", Deadline(60))
    store.clock.advance(300)
    recovery.begin(town.context)
    store.clock.advance(100)
    sales.append(Sale("7", "1", "A", "ref-a", 3, datetime.fromtimestamp(store.clock.ms / 1000, UTC)))
    town.store.shop.sell("A", 3)
    for _ in range(3):
        settle(town)
        audit(town.context, "store", Deadline(60))

    assert not recovery.end_if_over(town.context)
    assert on_hand(town) is None
    assert town.context.ledger.history("A") == []


def test_a_channel_that_is_never_written_is_read_as_always(town: Town) -> None:
    reads(town).till.shop.sell("A", 2)
    recovery.begin(town.context)
    settle(town)
    assert on_hand(town) == 8
    assert town.context.ledger.history("A")[-1].why == "changed"


def test_a_listing_says_meanwhile_that_it_is_not_known(town: Town) -> None:
    recovery.begin(reads(town).context)
    (record,) = town.context.ledger.records(["A"])
    views = listing_views(town.context, record, town.context.store.now_ms(), ())
    states = {name: view.state for name, view in views.items()}
    assert states == {"till": State.SETTLED, "store": State.UNKNOWN, "market": State.UNKNOWN}


def test_a_reading_before_the_last_forgotten_write_has_landed_tells_nothing(bench: Bench) -> None:
    bench.counted(10)
    context = Town.build(bench.store).context
    recovery.begin(context)
    bench.later(30)  # a request that was sent just before may still arrive
    assert bench.read("store", 4).counts["skipped"] == 1
    assert bench.on_hand() == 10


def test_it_goes_on_while_a_channel_has_not_been_read(town: Town) -> None:
    reads(town)
    recovery.begin(town.context)
    town.context.store.clock.advance(200)  # type: ignore[attr-defined]
    pull(town.context, "store", Deadline(60))
    pull(town.context, "till", Deadline(60))
    assert recovery.end_if_over(town.context)
    pull(town.context, "market", Deadline(60))
    assert not recovery.end_if_over(town.context)


def test_a_listing_that_is_gone_does_not_keep_it_up(town: Town) -> None:
    reads(town).put("B", 3)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    recovery.begin(town.context)
    del town.store.shop.units["ref-b"]
    settle(town)
    refresh(town.context, "store", Deadline(60))
    assert not recovery.end_if_over(town.context)


def test_one_that_died_while_marking_goes_on_when_it_is_run_again(town: Town) -> None:
    reads(town).store.shop.sell("A", 2)
    recovery.begin(town.context)
    began_ms = town.context.store.now_ms()
    town.context.store.client.set(recovery.KEY, f"marking {began_ms}")
    settle(town)
    assert recovery.end_if_over(town.context)
    assert recovery.begin(town.context) == 2
    settle(town)
    assert not recovery.end_if_over(town.context)
    assert on_hand(town) == 8


def test_it_can_be_ended_by_hand(town: Town) -> None:
    recovery.begin(reads(town).context)
    assert recovery.end(town.context)
    assert recovery.under_way(town.context.store) is None
    assert not recovery.end(town.context)


def test_a_reading_under_way_is_begun_anew(town: Town) -> None:
    pulls = Pulls(reads(town).context.store)
    pulls.begin("store", 5)
    pulls.advance("store", 5, "2", 2)
    recovery.begin(town.context)
    state = pulls.state("store")
    assert (state.cursor, state.began_ms) == (None, 0)
    assert state.wanted_ms
