"""A paused channel is not written; after the pause each listing that changed is written once."""

from __future__ import annotations

import pytest

from sync.context import Context
from sync.deadline import Deadline
from sync.guard.pauses import Pauses
from sync.pull import pull
from sync.push import push
from sync.stock.records import State
from sync.views.progress import progress
from sync.views.stock import stock_rows
from tests.conftest import Town


@pytest.fixture
def even(town: Town) -> Town:
    """A to E are at 10 everywhere, and that is known."""
    for sku in "ABCDE":
        town.put(sku, 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
        push(town.context, name, Deadline(60))
    return town


def sell(town: Town, sku: str, units: int = 1) -> None:
    town.till.shop.sell(sku, units)
    pull(town.context, "till", Deadline(60))


def state(context: Context, sku: str, channel: str) -> str:
    (row,) = stock_rows(context, context.ledger.records([sku]))
    return str(row["channels"][channel]["state"])


def test_a_paused_channel_is_not_written_and_the_others_are(even: Town) -> None:
    even.context.pauses.pause("store", even.context.store.now_ms())
    sell(even, "A")
    for name in ("store", "market"):
        push(even.context, name, Deadline(60))
    assert even.store.shop.written == []
    assert [write.sku for write in even.market.shop.written] == ["A"]
    assert state(even.context, "A", "store") == State.PAUSED
    assert state(even.context, "B", "store") == State.SETTLED


def test_after_a_pause_each_changed_listing_is_written_once_with_the_number_of_now(even: Town) -> None:
    even.context.pauses.pause("store", even.context.store.now_ms())
    for units in (1, 2, 3):
        sell(even, "A", units)
        push(even.context, "store", Deadline(60))
    sell(even, "B")
    even.context.pauses.resume("store")
    push(even.context, "store", Deadline(60))
    assert sorted((write.sku, write.units) for write in even.store.shop.written) == [("A", 4), ("B", 9)]


def test_a_sale_on_a_paused_channel_is_still_read(even: Town) -> None:
    even.context.pauses.pause("store", even.context.store.now_ms())
    even.store.shop.sell("C", 4)
    pull(even.context, "store", Deadline(60))
    push(even.context, "market", Deadline(60))
    assert even.market.shop.shown("C") == 6


def test_a_pause_during_a_push_stops_it_before_the_next_batch(even: Town) -> None:
    for sku in "ABCDE":
        sell(even, sku)
    even.store.shop.before_write = lambda: even.context.pauses.pause("store", 1)
    push(even.context, "store", Deadline(60))
    assert len(even.store.shop.written) == 3, "one batch was under way"
    assert len(even.context.worklist.dirty("store", 100)) == 2


def test_a_pause_is_kept_in_the_store_with_its_beginning(even: Town) -> None:
    Pauses(even.context.store).pause("store", 1000)
    Pauses(even.context.store).pause("store", 2000, reading=True)
    pause = Pauses(even.context.store).of("store")
    assert pause is not None
    assert (pause.since_ms, pause.reading) == (1000, True)
    assert Pauses(even.context.store).resume("store") == pause
    assert Pauses(even.context.store).all() == {}


def test_a_reconcile_that_meets_a_pause_waits_for_a_person_and_says_so(even: Town) -> None:
    even.context.pauses.pause("store", even.context.store.now_ms())
    sell(even, "A")
    (one,) = progress(even.context, ["store"], 0)
    assert one.settled
    assert not one.done
    assert "celery -A sync resume store" in one.waits
