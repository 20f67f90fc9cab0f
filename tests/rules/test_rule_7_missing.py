"""Rule 7: missing is not zero. Rule 12: the same SKU twice on one channel is quarantined."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from channels import Level, Result
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.readings import Pulls
from sync.refresh import refresh
from sync.stock.records import State, state_of
from sync.stock.writes import Intent, Writes
from tests.conftest import Bench, Town

REF = "ref-a"
TWIN = "ref-twin"


def hold(town: Town, channel: str = "store") -> str:
    (record,) = town.context.ledger.records(["A"])
    listing_hold = record.listings[channel].hold
    return listing_hold.kind if listing_hold else ""


def reconciled(town: Town) -> None:
    """Everything that is to be done now is done."""
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for name in town.context.channels:
        refresh(town.context, name, Deadline(60))
        push(town.context, name, Deadline(60))


def on_hand(town: Town) -> int | None:
    (record,) = town.context.ledger.records(["A"])
    return record.on_hand


@pytest.fixture
def settled(town: Town) -> Town:
    """A and B are at 10 everywhere."""
    town.put("A", 10)
    town.put("B", 10)
    reconciled(town)
    return town


# --- missing


def test_a_listing_that_is_no_longer_shown_keeps_its_level_and_is_written_no_more(settled: Town) -> None:
    del settled.store.shop.units[REF]
    settled.till.shop.sell("A", 3)
    reconciled(settled)

    (record,) = settled.context.ledger.records(["A"])
    listing = record.listings["store"]
    assert (listing.level, record.on_hand) == (10, 7)
    assert state_of(record, listing, 7, paused=False, now_ms=0) is State.MISSING
    assert [write.sku for write in settled.store.shop.written] == []
    assert settled.context.worklist.dirty("store", 10) == []
    assert settled.market.shop.shown("A") == 7


def test_a_listing_that_comes_back_is_written_again(settled: Town) -> None:
    del settled.store.shop.units[REF]
    settled.till.shop.sell("A", 3)
    reconciled(settled)
    settled.store.shop.put("A", 10)
    reconciled(settled)

    assert hold(settled) == ""
    assert settled.store.shop.shown("A") == 7
    assert on_hand(settled) == 7


def test_what_was_sold_while_it_was_missing_is_counted_when_it_comes_back(settled: Town) -> None:
    del settled.store.shop.units[REF]
    reconciled(settled)
    settled.store.shop.put("A", 8)
    reconciled(settled)

    assert on_hand(settled) == 8
    assert settled.market.shop.shown("A") == 8


def test_an_empty_answer_zeroes_nothing(settled: Town) -> None:
    settled.store.shop.units.clear()
    reconciled(settled)

    assert [record.on_hand for record in settled.context.ledger.every_record()] == [10, 10]
    assert settled.market.shop.written == []


def test_a_row_left_out_of_a_tills_file_is_not_missing(settled: Town) -> None:
    """A file may hold only what has changed."""
    del settled.till.shop.units[REF]
    reconciled(settled)

    assert hold(settled, "till") == ""
    assert on_hand(settled) == 10


def test_a_listing_that_a_targeted_reading_does_not_show_changes_nothing(settled: Town) -> None:
    del settled.store.shop.units[REF]
    settled.context.worklist.mark("store", [REF], settled.context.store.now_ms())
    refresh(settled.context, "store", Deadline(60))

    (record,) = settled.context.ledger.records(["A"])
    assert (record.listings["store"].level, record.on_hand) == (10, 10)
    assert settled.context.worklist.due_marks("store", settled.context.store.now_ms(), 10) == []


def test_an_open_write_to_a_listing_that_vanished_is_looked_for_once_a_minute(bench: Bench) -> None:
    town = Town.build(bench.store)
    town.put("A", 10)
    reconciled(town)
    bench.read("till", 7, ref="ref-a")
    bench.write("store", Result.UNKNOWN)
    del town.store.shop.units[REF]
    bench.later(3)

    refresh(town.context, "store", Deadline(60))
    refresh(town.context, "store", Deadline(60))
    assert town.store.shop.looked_at == [REF]
    bench.later(60)
    refresh(town.context, "store", Deadline(60))
    assert town.store.shop.looked_at == [REF, REF]


# --- twins


def test_two_listings_with_one_sku_are_quarantined_and_not_written(settled: Town) -> None:
    settled.store.shop.put("a ", 4, TWIN)
    settled.till.shop.sell("A", 3)
    reconciled(settled)

    assert hold(settled) == "quarantined"
    assert settled.store.shop.written == []
    assert (settled.store.shop.units[REF], settled.store.shop.units[TWIN]) == (10, 4)
    assert on_hand(settled) == 7


def test_a_twin_adds_nothing_to_the_stock(settled: Town) -> None:
    settled.store.shop.put("A", 4, TWIN)
    reconciled(settled)
    settled.store.shop.units[TWIN] = 1
    reconciled(settled)

    assert on_hand(settled) == 10


def test_a_sale_on_the_known_one_of_two_twins_still_counts(settled: Town) -> None:
    settled.store.shop.put("A", 4, TWIN)
    reconciled(settled)
    settled.store.shop.sell("A", 2)
    reconciled(settled)

    assert on_hand(settled) == 8


def test_a_twin_that_takes_the_place_of_the_other_is_adopted(settled: Town) -> None:
    """A product was deleted and made anew: another id, the same SKU."""
    del settled.store.shop.units[REF]
    settled.store.shop.put("A", 4, TWIN)
    reconciled(settled)
    reconciled(settled)

    (record,) = settled.context.ledger.records(["A"])
    assert record.listings["store"].ref == TWIN
    assert (hold(settled), record.on_hand) == ("", 10)
    assert settled.store.shop.units[TWIN] == 10
    assert settled.context.ledger.listings("store") == 2


def test_an_adopted_listing_is_opened_anew_even_if_the_first_look_at_it_is_lost(settled: Town) -> None:
    del settled.store.shop.units[REF]
    settled.store.shop.put("A", 4, TWIN)
    pull(settled.context, "store", Deadline(60))

    assert Pulls(settled.context.store).state("store").wanted_ms
    assert settled.context.worklist.due_marks("store", settled.context.store.now_ms(), 10) == [TWIN]


def test_a_listing_whose_twin_is_gone_is_alone_again(settled: Town) -> None:
    settled.store.shop.put("A", 4, TWIN)
    settled.till.shop.sell("A", 3)
    reconciled(settled)
    del settled.store.shop.units[TWIN]
    reconciled(settled)

    assert hold(settled) == ""
    assert settled.store.shop.shown("A") == 7


def test_the_ledger_knows_that_a_listing_is_alone_again(bench: Bench) -> None:
    bench.counted(10)
    bench.merge("store", [Level("A", "store-a", 10), Level("a", TWIN, 4)])
    bench.read("till", 7)
    assert bench.claim("store").what == "held"

    began_ms = bench.store.now_ms()
    bench.read("store", 10)
    assert bench.ledger.absent("store", began_ms) == {"alone": 1}
    assert bench.dirty("store") == ["a"]
    assert bench.claim("store").what == "claimed"


@pytest.mark.parametrize("result", [Result.CONFIRMED, Result.REFUSED])
def test_a_twin_that_is_found_during_a_write_stays_found(bench: Bench, result: Result) -> None:
    bench.counted(10)
    bench.read("till", 7)
    held = bench.claim("store")
    bench.merge("store", [Level("a", TWIN, 4)])
    held.settle(result)

    found = bench.listing("store").hold
    assert found is not None
    assert (found.kind, found.words) == ("quarantined", TWIN)


def test_one_adopted_and_forgotten_leaves_no_write_open(bench: Bench) -> None:
    bench.counted(10)
    bench.read("till", 7)
    held = bench.claim("store")
    began_ms = bench.store.now_ms()
    bench.merge("store", [Level("A", TWIN, 10)])

    assert bench.ledger.absent("store", began_ms) == {"adopted": 1}
    assert bench.open("store") == {}
    assert held.settle(Result.CONFIRMED) == "late"


def test_twins_on_the_authority_are_not_added_up(bench: Bench) -> None:
    bench.merge("till", [Level("A", "one", 10), Level("A", "two", 5)])

    assert bench.on_hand() == 10
    found = bench.listing("till").hold
    assert found is not None
    assert found.kind == "quarantined"


def test_a_listing_that_opens_while_its_mark_is_dropped_stays_marked(settled: Town) -> None:
    """Its old listing is gone, so its mark is dropped; in that moment the new one opens, at zero."""

    class Meanwhile(Writes):
        def rest(self, channel: str, intents: Sequence[Intent], now_ms: int) -> None:
            refresh(settled.context, "store", Deadline(60))
            super().rest(channel, intents, now_ms)

    settled.till.shop.sell("A", 3)
    pull(settled.context, "till", Deadline(60))
    del settled.store.shop.units[REF]
    settled.store.shop.put("A", 0, TWIN)
    pull(settled.context, "store", Deadline(60))
    settled.context.writes = Meanwhile(settled.context.store)
    push(settled.context, "store", Deadline(60))

    assert settled.context.worklist.dirty("store", 10) or settled.store.shop.units[TWIN] == 7


def test_a_reading_that_another_has_overtaken_ends_and_calls_nothing_missing(settled: Town) -> None:
    """A worker that stood still goes on amid a reading that another one has begun since."""
    pages = 0

    def another_begins() -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            Pulls(settled.context.store).begin("store", settled.context.store.now_ms())

    for sku in "BCDEF":
        settled.put(sku, 1)
    settled.store.shop.before_page = another_begins
    assert pull(settled.context, "store", Deadline(60))

    state = Pulls(settled.context.store).state("store")
    assert pages == 2
    assert (state.cursor, state.rows) == (None, 0), "the other reading is as it was"
    assert state.finished_began_ms < state.began_ms
    (record,) = settled.context.ledger.records(["A"])
    assert record.listings["store"].hold is None
