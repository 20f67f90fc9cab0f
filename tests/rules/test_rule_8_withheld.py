"""Rule 8: what the guard is to judge is not merged before, and loses nothing by being merged late."""

from __future__ import annotations

import pytest

from channels import Level, Result
from sync.stock.ledger import Merged, Window, Withhold
from tests.conftest import Bench


@pytest.fixture
def counted(bench: Bench) -> Bench:
    """A, B and C are at 10 on every channel."""
    for sku in "ABC":
        bench.counted(10, sku)
    return bench


def judge(
    bench: Bench, channel: str, units: dict[str, int], *, withhold: Withhold = Withhold.MOVES, window: Window
) -> Merged:
    levels = [Level(sku, f"{channel}-{sku.casefold()}", level) for sku, level in units.items()]
    return bench.ledger.merge(
        channel,
        levels,
        window,
        bench.channels[channel],
        cause="a test",
        now_ms=bench.store.now_ms(),
        withhold=withhold,
    )


def test_a_row_that_would_move_stock_is_withheld_and_changes_nothing(counted: Bench) -> None:
    before = counted.record("A"), counted.record("B")
    merged = judge(counted, "store", {"A": 0, "B": 15, "C": 10}, window=counted.window())

    assert sorted((row.level.sku, row.what, row.units) for row in merged.withheld) == [
        ("A", "fell", -10),
        ("B", "rose", 5),
    ]
    assert merged.valid == {"c"}
    assert (counted.record("A"), counted.record("B")) == before


def test_a_withheld_row_is_merged_late_with_its_own_window(counted: Bench) -> None:
    window = counted.window()
    (row,) = judge(counted, "store", {"A": 4}, window=window).withheld
    counted.later(60)
    counted.merge("store", [row.level], window=window)

    assert counted.on_hand() == 4
    assert counted.read_ms("store") == window.ended_ms


def test_a_withheld_row_that_was_overtaken_is_skipped_when_it_comes_late(counted: Bench) -> None:
    window = counted.window()
    (row,) = judge(counted, "store", {"A": 0}, window=window).withheld
    counted.read("store", 9)
    merged = counted.merge("store", [row.level], window=window)

    assert merged.counts == {"skipped": 1}
    assert counted.on_hand() == 9


def test_a_withheld_row_says_nothing_of_a_write_that_came_after_it(counted: Bench) -> None:
    window = counted.window()
    (row,) = judge(counted, "store", {"A": 2}, window=window).withheld
    counted.read("till", 7)
    counted.write("store", Result.CONFIRMED)
    counted.merge("store", [row.level], window=window)

    assert counted.on_hand() == 7
    assert counted.level("store") == 7


def test_a_rise_that_is_the_landing_of_a_write_would_move_nothing_and_is_not_withheld(counted: Bench) -> None:
    counted.read("till", 7)
    counted.write("market", Result.ACCEPTED)
    for shown in (7, 5):
        counted.later(6)
        counted.read("market", shown)
    counted.later(6)
    merged = judge(counted, "market", {"A": 7}, window=counted.window())

    assert (merged.withheld, merged.counts) == ([], {"landed": 1})


def test_a_row_that_would_only_be_skipped_is_not_withheld(counted: Bench) -> None:
    counted.read("till", 7)
    counted.write("store", Result.ACCEPTED)
    merged = judge(counted, "store", {"A": 0}, window=counted.window())

    assert merged.withheld == []
    assert merged.counts == {"skipped": 1}


def test_a_write_whose_fate_moves_no_stock_is_settled_by_a_reading_that_is_judged(counted: Bench) -> None:
    counted.read("till", 7)
    counted.write("store", Result.ACCEPTED)
    counted.later(10)
    merged = judge(counted, "store", {"A": 7}, window=counted.window())

    assert merged.counts == {"settled": 1}
    assert counted.listing("store").write is None


def test_a_row_that_would_move_stock_beside_a_write_leaves_the_write_open(counted: Bench) -> None:
    counted.read("till", 7)
    counted.write("store", Result.UNKNOWN)
    counted.later(10)
    merged = judge(counted, "store", {"A": 0}, window=counted.window())

    assert [(row.what, row.units) for row in merged.withheld] == [("fell", -10)]
    assert counted.listing("store").write is not None


def test_of_a_document_new_rows_and_settled_writes_wait_too(counted: Bench) -> None:
    counted.read("till", 7)
    counted.write("store", Result.ACCEPTED)
    counted.later(10)
    merged = judge(counted, "store", {"A": 7, "B": 10, "D": 5}, withhold=Withhold.CHANGES, window=counted.window())

    assert sorted((row.level.sku, row.what) for row in merged.withheld) == [("A", "settles"), ("D", "new")]
    assert counted.listing("store").write is not None
    assert not counted.ledger.records(["D"])
