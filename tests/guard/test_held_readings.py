"""Rule 8: an implausible reading moves nothing, and is one hold that waits for a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from channels import Level
from channels.errors import ChannelError
from sync.deadline import Deadline
from sync.guard import watch
from sync.guard.holds import KeepRows, Kind
from sync.guard.withheld import Chunk, Shelf
from sync.pull import pull, read_refs
from sync.push import push
from sync.refresh import refresh
from sync.stock.ledger import Window
from tests.conftest import CHANNELS, MARKET, STORE, TimedStore, Town, unreachable
from tests.guard.town import at_rest, held, pull_all, units

SKUS = [f"S{number:02}" for number in range(40)]


@pytest.fixture
def even(store: TimedStore) -> Town:
    """40 SKUs at 10 everywhere, and that is known."""
    channels = {**CHANNELS, "store": replace(STORE, read_batch=30), "market": replace(MARKET, read_batch=30)}
    return at_rest(Town.build(store, channels), SKUS)


def break_down(town: Town, count: int = 30) -> None:
    """The store shows zero for so many."""
    for sku in SKUS[:count]:
        town.store.shop.put(sku, 0)


def mend(town: Town) -> None:
    """It shows what it should again."""
    for sku in SKUS:
        town.store.shop.put(sku, 10)


def test_a_reading_in_which_nearly_everything_falls_to_zero_is_held_and_moves_nothing(even: Town) -> None:
    break_down(even)
    pull_all(even, "store")

    hold = held(even)
    assert (hold.kind, hold.channel) == (Kind.READING, "store")
    assert "30 listings fall to zero, of 40; the limit is 30%" in hold.words
    assert {"sku": "S00", "was": 10, "is": 0} in hold.sample
    assert units(even) == 400
    assert even.context.worklist.dirty("market", 100) == []


def test_an_ordinary_sale_among_unchanged_rows_is_merged_at_once(even: Town) -> None:
    even.store.shop.sell("S00", 3)
    seen: list[int] = []
    even.store.shop.before_page = lambda: seen.append(units(even))
    pull_all(even, "store")

    assert seen == [400, 397, 397, 397, 397]
    assert even.context.holds.open_ones() == []


def test_more_than_a_few_rows_wait_for_the_end_of_the_reading_and_are_merged_then(even: Town) -> None:
    for sku in SKUS[:20]:
        even.store.shop.sell(sku, 1)
    seen: list[int] = []
    even.store.shop.before_page = lambda: seen.append(units(even))
    pull_all(even, "store")

    assert seen == [400, 400, 400, 400, 400]
    assert units(even) == 380
    assert even.context.holds.open_ones() == []


def test_an_empty_catalogue_page_is_held_and_no_listing_is_noted_as_missing(even: Town) -> None:
    even.store.shop.units.clear()
    pull_all(even, "store")

    assert held(even).words == ["it shows nothing, and 40 listings are known"]
    assert all(record.listings["store"].hold is None for record in even.context.ledger.every_record())


def test_a_reading_that_lost_half_of_the_listings_is_held_and_one_that_lost_a_few_is_not(even: Town) -> None:
    for sku in SKUS[:4]:
        del even.store.shop.units[f"ref-{sku.lower()}"]
    pull_all(even, "store")
    assert even.context.holds.open_ones() == []

    for sku in SKUS[4:22]:
        del even.store.shop.units[f"ref-{sku.lower()}"]
    pull_all(even, "store")
    assert held(even).words == ["22 listings are missing, of 40; the limit is 30%"]


def test_the_same_trouble_again_refreshes_the_hold(even: Town) -> None:
    break_down(even)
    pull_all(even, "store")
    first = held(even)
    break_down(even, 35)
    pull_all(even, "store")

    again = held(even)
    assert (again.id, again.times, again.opened_ms) == (first.id, 2, first.opened_ms)
    assert again.figures.zeroed == 35


def test_a_channel_that_recovers_closes_its_hold(even: Town) -> None:
    break_down(even)
    pull_all(even, "store")
    hold = held(even)
    mend(even)
    even.store.shop.sell("S00", 1)
    pull_all(even, "store")

    assert even.context.holds.open_ones() == []
    decided = even.context.holds.get(hold.id)
    assert decided is not None
    assert decided.state == "overtaken"
    assert units(even) == 399


def test_a_burst_of_hints_that_zeroes_most_listings_is_held(even: Town) -> None:
    break_down(even)
    even.context.worklist.mark("store", [f"ref-{sku.lower()}" for sku in SKUS[:30]], 0)
    refresh(even.context, "store", Deadline(60))

    assert held(even).kind is Kind.READING
    assert units(even) == 400
    assert even.context.worklist.waiting("store", even.context.store.now_ms()).marks == 0


def test_a_burst_that_comes_in_small_parts_is_seen_as_one(even: Town) -> None:
    break_down(even)
    for sku in SKUS[:30]:
        read_refs(even.context, "store", [f"ref-{sku.lower()}"], "a hint")

    assert units(even) == 400 - 12 * 10, "up to the limit of 30 percent nothing tells a burst from sales"
    assert held(even).figures.zeroed == 30


def test_while_a_reading_is_not_believed_sales_elsewhere_on_the_channel_are(even: Town) -> None:
    break_down(even)
    pull_all(even, "store")
    even.store.shop.sell("S39", 4)
    read_refs(even.context, "store", ["ref-s39", "ref-s00"], "a hint")
    assert units(even) == 396


def test_a_listing_that_is_not_believed_is_not_written(even: Town) -> None:
    break_down(even)
    pull_all(even, "store")
    even.till.shop.sell("S00", 2)
    even.till.shop.sell("S39", 2)
    pull_all(even, "till")
    push(even.context, "store", Deadline(60))

    assert [write.sku for write in even.store.shop.written] == ["S39"]
    assert units(even) == 396


def test_falls_that_are_held_are_not_believed_one_by_one_either(even: Town) -> None:
    for sku in SKUS[:30]:
        even.store.shop.put(sku, 1)
    pull_all(even, "store")
    assert held(even).words == ["270 units go, of 400; the limit is 50%"]

    read_refs(even.context, "store", [f"ref-{sku.lower()}" for sku in SKUS[:30]], "a hint")
    assert units(even) == 400


def test_a_hold_of_another_kind_takes_nothing_from_a_reading_under_way(even: Town) -> None:
    for sku in SKUS[:20]:
        even.store.shop.sell(sku, 1)
    pages: list[int] = []

    def a_plan_is_held() -> None:
        pages.append(1)
        if len(pages) == 5:
            watch.hold(even.context, Kind.PLAN, "store", ["too many writes"])

    even.store.shop.before_page = a_plan_is_held
    pull_all(even, "store")
    assert units(even) == 380


def test_a_file_that_is_held_after_another_leaves_none_of_its_rows(even: Town) -> None:
    shelf = Shelf.of_reading(even.context.store, "till")
    shelf.keep(1, Chunk(Window(1, 1), "one.csv", [Level("S00", "ref-s00", 0)]))
    watch.hold(even.context, Kind.FILE, "till", ["one.csv: no"], keep_rows=KeepRows.INSTEAD)
    assert len(list(even.context.holds.rows(held(even)).chunks())) == 1

    watch.hold(even.context, Kind.FILE, "till", ["two.csv: no"], keep_rows=KeepRows.INSTEAD)
    assert list(even.context.holds.rows(held(even)).chunks()) == []


def test_what_was_counted_below_zero_does_not_fall_to_zero_and_was_never_there_to_go(even: Town) -> None:
    """A till that never counts what comes in goes below zero, further every day."""
    for start in (0, 5, 10, 15, 20, 25):
        for sku in SKUS[start : start + 5]:
            even.store.shop.put(sku, -1)
        pull_all(even, "store")
    for sku in SKUS[:25]:
        even.store.shop.sell(sku, 1)
    pull_all(even, "store")

    assert even.context.holds.open_ones() == []
    assert units(even) == 10 * 10 - 25 * 2 - 5


def test_a_hold_that_opens_during_a_reading_is_not_answered_by_it(even: Town) -> None:
    refs = [f"ref-{sku.lower()}" for sku in SKUS[:16]]
    pages: list[int] = []

    def a_burst_comes() -> None:
        pages.append(1)
        if len(pages) == 3:  # the first 16 were read as they were before
            break_down(even, 16)
            read_refs(even.context, "store", refs, "hints")
            assert held(even).figures.zeroed == 16

    even.store.shop.before_page = a_burst_comes
    pull_all(even, "store")
    read_refs(even.context, "store", refs[:10], "hints")

    assert held(even).figures.zeroed == 16
    assert units(even) == 400


def test_a_reading_that_dies_in_the_middle_goes_on_and_is_held_in_the_end(even: Town) -> None:
    break_down(even)
    pages: list[int] = []

    def third_page_fails() -> None:
        pages.append(1)
        if len(pages) == 3:
            raise unreachable()

    even.store.shop.before_page = third_page_fails
    with pytest.raises(ChannelError):
        pull(even.context, "store", Deadline(60))
    pull_all(even, "store")

    assert held(even).figures.zeroed == 30
    assert units(even) == 400


def test_a_till_without_news_is_no_empty_reading(even: Town) -> None:
    even.till.shop.units.clear()
    pull_all(even, "till")
    assert even.context.holds.open_ones() == []
