"""Rule 4: delta = level read − confirmed level; it becomes a movement exactly once, in one atomic step."""

from __future__ import annotations

import pytest

from channels import Level
from sync.stock.ledger import Ledger, Roster
from tests.conftest import Bench


def test_a_first_reading_opens_the_listing_and_moves_nothing(bench: Bench) -> None:
    assert bench.read("store", 7).counts == {"opened": 1}

    assert bench.level("store") == 7
    assert (bench.on_hand(), bench.movements(), bench.dirty("store")) == (None, [], ["a"])


def test_the_authoritys_first_count_opens_on_hand(bench: Bench) -> None:
    assert bench.read("till", 10).counts == {"counted": 1}

    (opened,) = bench.movements()
    assert (opened.units, opened.on_hand, opened.revision, opened.why) == (10, 10, 1, "opened")
    assert bench.on_hand() == 10


def test_whatever_opened_before_the_authority_counted_is_brought_to_its_count(bench: Bench) -> None:
    bench.read("store", 7)
    bench.rest()
    bench.read("till", 10)

    assert bench.on_hand() == 10
    assert bench.dirty("store") == ["a"]


def test_a_channel_that_becomes_the_authority_counts_what_it_listed_before(bench: Bench) -> None:
    bench.read("store", 7)
    bench.rest()
    bench.ledger = Ledger(bench.store, Roster("store", ("store", "market")))

    assert bench.read("store", 7).counts == {"counted": 1}
    assert bench.read("store", 6).counts == {"moved": 1}
    assert [(movement.units, movement.why) for movement in bench.movements()] == [(7, "opened"), (-1, "changed")]


def test_a_listing_that_opens_later_is_brought_to_the_count_and_adds_nothing(bench: Bench) -> None:
    bench.read("till", 10)
    bench.read("store", 7)

    assert bench.on_hand() == 10
    assert bench.dirty("store") == ["a"]


def test_what_changes_before_the_authority_has_counted_moves_nothing(bench: Bench) -> None:
    bench.read("store", 7)

    assert bench.read("store", 5).counts == {"uncounted": 1}
    assert (bench.level("store"), bench.on_hand(), bench.movements()) == (5, None, [])


def test_a_delta_becomes_a_movement_and_the_level_read_is_confirmed(bench: Bench) -> None:
    bench.counted(10)

    assert bench.read("store", 7).counts == {"moved": 1}
    movement = bench.movements()[-1]
    assert (movement.channel, movement.units, movement.on_hand, movement.level) == ("store", -3, 7, 7)
    assert (movement.why, movement.cause, movement.revision) == ("changed", "reading of store", 2)
    assert (bench.level("store"), bench.on_hand()) == (7, 7)


def test_a_movement_marks_every_other_listing_of_its_sku(bench: Bench) -> None:
    bench.counted(10)
    bench.counted(10, "B")
    bench.read("store", 7)

    assert bench.dirty("market") == ["a"]
    assert "till" not in bench.ledger.roster.writable
    assert bench.dirty("till") == []


def test_a_reading_that_is_merged_twice_counts_once(bench: Bench) -> None:
    bench.counted(10)
    window = bench.window()
    bench.read("store", 7, window=window)
    once = bench.record()

    assert not bench.read("store", 7, window=window).counts
    assert bench.record() == once
    assert [movement.units for movement in bench.movements()] == [10, -3]


def test_an_older_reading_that_is_merged_again_later_counts_nothing(bench: Bench) -> None:
    bench.counted(10)
    window = bench.window()
    bench.read("store", 7, window=window)
    bench.read("store", 8)
    bench.read("store", 7, window=window)

    assert [movement.units for movement in bench.movements()] == [10, -3, 1]
    assert bench.on_hand() == 8


def test_a_reading_that_shows_nothing_new_moves_nothing(bench: Bench) -> None:
    bench.counted(10)

    assert not bench.read("store", 10).counts
    assert len(bench.movements()) == 1
    assert bench.dirty("market") == []


def test_sales_on_several_channels_add_up(bench: Bench) -> None:
    bench.counted(10)
    bench.read("store", 7)
    bench.read("till", 8)
    bench.read("market", 9)

    assert bench.on_hand() == 4


def test_on_hand_below_zero_is_kept_while_zero_is_shown(bench: Bench) -> None:
    bench.counted(1)
    bench.read("store", 0)
    bench.read("market", 0)

    assert bench.on_hand() == -1
    assert bench.intent().target == 0


def test_an_oversell_is_filled_before_anything_is_shown_again(bench: Bench) -> None:
    bench.counted(1)
    bench.read("store", 0)
    bench.read("market", 0)
    bench.read("till", 6)

    assert bench.on_hand() == 4


def test_a_till_may_count_below_zero(bench: Bench) -> None:
    bench.counted(1)
    bench.read("till", -2)

    assert (bench.level("till"), bench.on_hand()) == (-2, -2)


@pytest.mark.parametrize("units", [0, 1, -5, 2_147_483_647])
def test_any_count_opens(bench: Bench, units: int) -> None:
    bench.read("till", units)

    assert bench.on_hand() == units


def test_history_explains_every_change_and_links_back(bench: Bench) -> None:
    bench.counted(10)
    bench.counted(5, "B")
    for units in (9, 7, 8):
        bench.read("till", units)
        bench.read("till", units, "B")

    movements = bench.movements()
    assert [movement.units for movement in movements] == [10, -1, -2, 1]
    assert [movement.on_hand for movement in movements] == [10, 9, 7, 8]
    assert [movement.revision for movement in movements] == [1, 2, 3, 4]
    assert [movement.id for movement in movements] == sorted({movement.id for movement in movements})
    assert movements[-1].id == bench.record().last
    assert {movement.sku for movement in movements} == {"a"}
    assert bench.movements("C") == []


def test_case_folded_and_trimmed_skus_are_one(bench: Bench) -> None:
    bench.read("till", 10, " Mug-Blue ")
    bench.read("store", 10, "MUG-BLUE")
    bench.read("store", 7, "mug-blue")

    assert list(bench.ledger.skus()) == ["mug-blue"]
    assert bench.on_hand("Mug-blue") == 7
    assert bench.record("mug-blue").sku == "Mug-Blue", "shown as it was first written"


def test_skus_are_opaque(bench: Bench) -> None:
    names = ["a:b", "{1}", "ä ö", "*", "sku:sku:", "1|2", 'quo"te', "new\nline", "0", "x" * 300]
    names += ["back\\slash", "nul\0", "🪴", "a\u2028b"]
    bench.merge("till", [Level(name, f"r{number}", number) for number, name in enumerate(names)])

    assert list(bench.ledger.skus()) == sorted(name.strip().casefold() for name in names)
    assert [bench.on_hand(name) for name in names] == list(range(len(names)))
    assert [record.sku for record in bench.ledger.every_record()] == sorted(names)


def test_one_reading_may_show_thousands(bench: Bench) -> None:
    merged = bench.merge("till", [Level(f"SKU-{number}", f"r{number}", number) for number in range(3000)])

    assert (merged.rows, merged.counts) == (3000, {"counted": 3000})
    assert bench.ledger.listings("till") == 3000
