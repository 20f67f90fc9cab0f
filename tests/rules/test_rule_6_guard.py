"""Rule 6: an absolute write can swallow a sale, so the level is read once more just before it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import sync.look
from channels import Result
from channels.errors import ChannelError
from sync.deadline import Deadline
from sync.look import Look
from sync.pull import pull
from sync.push import push
from sync.refresh import refresh
from sync.storage.store import bucket_of, bucket_prefix
from tests.conftest import CHANNELS, STORE, Fate, TimedStore, Town, unreachable


@pytest.fixture
def sold(town: Town) -> Town:
    return sell_three(town)


def sell_three(town: Town) -> Town:
    """A to G are at 10 everywhere; then the till sells 3 of each."""
    for sku in "ABCDEFG":
        town.put(sku, 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for sku in "ABCDEFG":
        town.till.shop.sell(sku, 3)
    pull(town.context, "till", Deadline(60))
    return town


def with_wide_looks(store: TimedStore, *, orders: bool) -> Town:
    """One call of the store reads more than one writes."""
    return Town.build(store, CHANNELS | {"store": replace(STORE, read_batch=100, orders=orders)})


def on_hand(town: Town, sku: str = "A") -> int | None:
    (record,) = town.context.ledger.records([sku])
    return record.on_hand


def test_a_sale_between_the_reading_and_the_write_is_caught_and_not_overwritten(sold: Town) -> None:
    sold.store.shop.sell("A", 2)
    push(sold.context, "store", Deadline(60))

    assert on_hand(sold) == 5
    assert sold.store.shop.shown("A") == 5
    assert sold.context.worklist.dirty("market", 100)


def test_the_guard_is_one_reading_for_a_batch_of_writes(sold: Town) -> None:
    pages = []
    sold.store.shop.before_page = lambda: pages.append(1)
    push(sold.context, "store", Deadline(60))

    assert len(sold.store.shop.written) == 7
    assert len(pages) == 3, "seven writes in batches of three"


@pytest.mark.parametrize(("orders", "slow_s", "looks"), [(True, 0.0, 1), (True, 1.1, 3), (False, 0.0, 3)])
def test_a_look_serves_batches_that_follow_at_once_where_orders_tell_what_came_between(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch, orders: bool, slow_s: float, looks: int
) -> None:
    """Seven writes in batches of three; a look that is older than a second serves no more of them."""
    town = sell_three(with_wide_looks(store, orders=orders))
    pages, now = [], [0.0]
    monkeypatch.setattr(sync.look, "time", SimpleNamespace(monotonic=lambda: now[0]))
    town.store.shop.before_page = lambda: pages.append(1)

    def take_long() -> None:
        now[0] += slow_s

    town.store.shop.before_write = take_long
    push(town.context, "store", Deadline(60))

    assert {town.store.shop.shown(sku) for sku in "ABCDEFG"} == {7}
    assert len(pages) == looks


def test_a_sale_between_a_shared_look_and_a_later_batch_is_left_to_the_orders(store: TimedStore) -> None:
    town = sell_three(with_wide_looks(store, orders=True))

    def sale_in_the_last_batch() -> None:
        town.store.shop.before_write = lambda: None
        town.store.shop.sell("G", 2)

    town.store.shop.before_write = sale_in_the_last_batch
    push(town.context, "store", Deadline(60))

    assert town.store.shop.shown("G") == 7
    assert town.context.worklist.due_audits("store", 10**15, 100) == list("abcdefg")


def test_a_listing_that_a_reading_gives_to_another_record_meanwhile_is_not_written(
    sold: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its twin has taken its place between the look and the claim, so that its level is to be opened anew."""

    def look(*args: Any) -> Look:
        seen = sync.look.look(*args)
        fields = (f"store:{field}" for field in ("level", "ref", "read", "hold"))
        sold.context.store.client.hdel(f"{bucket_prefix(bucket_of('a'))}sku:a", *fields)
        return seen

    monkeypatch.setattr("sync.push.look", look)
    push(sold.context, "store", Deadline(60))

    assert sorted(write.sku for write in sold.store.shop.written) == list("BCDEFG")


def test_what_the_guard_shows_to_be_right_already_is_not_written(sold: Town) -> None:
    """Somebody typed our very number in: the same units are counted twice, and both channels agree on them."""
    sold.store.shop.units["ref-a"] = 7
    push(sold.context, "store", Deadline(60))

    assert on_hand(sold) == 4
    assert sold.store.shop.shown("A") == 4


def test_nothing_is_written_where_the_guard_could_not_read(sold: Town) -> None:
    sold.store.shop.trouble = unreachable()
    with pytest.raises(ChannelError):
        push(sold.context, "store", Deadline(60))

    assert sold.store.shop.written == []
    assert len(sold.context.worklist.dirty("store", 100)) == 7


def test_a_sale_on_another_channel_during_the_guard_moves_the_target(sold: Town) -> None:
    def sale_at_the_till() -> None:
        sold.store.shop.before_page = lambda: None
        sold.till.shop.sell("A", 1)
        pull(sold.context, "till", Deadline(60))

    sold.store.shop.before_page = sale_at_the_till
    push(sold.context, "store", Deadline(60))

    assert sold.store.shop.shown("A") == 6


def test_a_refused_row_stops_only_itself(sold: Town) -> None:
    sold.store.shop.fates.append(Fate(Result.REFUSED, applied=False, words="no such product"))
    pushed = push(sold.context, "store", Deadline(60))

    assert pushed.counts["refused"] == 1
    assert pushed.counts["confirmed"] == 6
    assert pushed.finished


def test_a_batch_that_came_to_nothing_leaves_the_rest_for_later(sold: Town) -> None:
    sold.store.shop.fates.extend([Fate(Result.UNKNOWN, applied=True, words="timed out")] * 3)
    pushed = push(sold.context, "store", Deadline(60))

    assert "timed out" in str(pushed.trouble)
    assert len(sold.store.shop.written) == 3
    assert len(sold.context.worklist.dirty("store", 100)) == 4


def test_a_pass_over_what_is_right_costs_no_call(sold: Town) -> None:
    push(sold.context, "store", Deadline(60))
    sold.store.shop.written.clear()
    calls = []
    sold.store.shop.before_page = lambda: calls.append(1)
    push(sold.context, "store", Deadline(60))

    assert (calls, sold.store.shop.written) == ([], [])
    assert sold.context.worklist.dirty("store", 100) == []


def test_a_channel_that_is_only_read_is_never_written(sold: Town) -> None:
    sold.store.shop.sell("A", 2)
    pull(sold.context, "store", Deadline(60))
    push(sold.context, "till", Deadline(60))

    assert sold.till.shop.written == []


def test_unknown_writes_are_told_by_the_next_look(sold: Town) -> None:
    sold.store.shop.fates.append(Fate(Result.UNKNOWN, applied=True))
    sold.store.shop.fates.append(Fate(Result.UNKNOWN, applied=False))
    push(sold.context, "store", Deadline(60))
    sold.context.store.clock.advance(3)  # type: ignore[attr-defined]
    assert refresh(sold.context, "store", Deadline(60))
    push(sold.context, "store", Deadline(60))

    assert {sold.store.shop.shown(sku) for sku in "ABCDEFG"} == {7}
    assert [on_hand(sold, sku) for sku in "ABCDEFG"] == [7] * 7


def test_a_row_whose_answer_is_always_lost_does_not_starve_the_others(sold: Town) -> None:
    """It is the most urgent one, and each write of it stops the round."""
    one_by_one = replace(STORE, write_batch=1)
    sold.store._capabilities = one_by_one
    sold.till.shop.sell("A", 7)
    pull(sold.context, "till", Deadline(60))
    for _ in range(20):
        sold.store.shop.fates.clear()
        sold.store.shop.fates.append(Fate(Result.UNKNOWN, applied=False))
        push(sold.context, "store", Deadline(60))
        sold.context.store.clock.advance(3)  # type: ignore[attr-defined]
        refresh(sold.context, "store", Deadline(60))

    assert {sold.store.shop.shown(sku) for sku in "BCDEFG"} == {7}
