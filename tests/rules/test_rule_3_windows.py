"""Rule 3: a reading says nothing about a listing whose write was in flight, or had not settled, in its window."""

from __future__ import annotations

from channels import Result
from sync.stock.ledger import Window
from tests.conftest import STORE, Bench

SETTLE_MS = round(STORE.settle_s * 1000)


def sold(bench: Bench) -> None:
    bench.counted(10)
    bench.read("till", 9)


def moved(bench: Bench) -> list[int]:
    """What has moved since the count."""
    return [movement.units for movement in bench.movements()[1:]]


def test_a_reading_taken_before_a_write_and_merged_during_it_is_skipped(bench: Bench) -> None:
    sold(bench)
    window = bench.window()
    bench.claim("store")

    assert bench.read("store", 10, window=window).counts == {"skipped": 1}
    assert moved(bench) == [-1]


def test_a_reading_taken_before_a_write_and_merged_after_it_is_skipped(bench: Bench) -> None:
    sold(bench)
    window = bench.window()
    bench.write("store", Result.CONFIRMED)

    assert bench.read("store", 10, window=window).counts == {"skipped": 1}
    assert (bench.level("store"), moved(bench)) == (9, [-1])


def test_a_reading_that_began_before_a_write_and_ended_after_it_is_skipped(bench: Bench) -> None:
    sold(bench)
    began_ms = bench.store.now_ms()
    bench.write("store", Result.CONFIRMED)

    assert bench.read("store", 10, window=Window(began_ms, bench.store.now_ms())).counts == {"skipped": 1}
    assert bench.level("store") == 9


def test_a_reading_that_began_within_the_settle_time_is_skipped(bench: Bench) -> None:
    sold(bench)
    bench.write("store", Result.CONFIRMED)
    bench.later(STORE.settle_s - 0.5)

    assert bench.read("store", 10).counts == {"skipped": 1}
    assert bench.level("store") == 9


def test_a_reading_that_was_skipped_is_looked_at_again_when_the_write_has_settled(bench: Bench) -> None:
    sold(bench)
    bench.write("store", Result.CONFIRMED)
    ended_ms = bench.clock.ms
    bench.read("store", 10)

    (due_ms,) = bench.marks("store").values()
    assert ended_ms + SETTLE_MS <= due_ms <= ended_ms + SETTLE_MS + 1


def test_a_reading_after_the_settle_time_counts(bench: Bench) -> None:
    sold(bench)
    bench.write("store", Result.CONFIRMED)
    bench.later(STORE.settle_s + 0.1)

    assert bench.read("store", 7).counts == {"moved": 1}
    assert moved(bench) == [-1, -2]


def test_a_reading_that_overlaps_a_newer_one_is_skipped_and_looked_at_again(bench: Bench) -> None:
    bench.counted(10)
    older = bench.window(took_s=5)
    newer = Window(older.began_ms + 1000, older.began_ms + 2000)
    bench.read("store", 9, window=newer)

    assert bench.read("store", 10, window=Window(older.began_ms, older.ended_ms)).counts == {"skipped": 1}
    assert list(bench.marks("store")) == ["store-a"]
    assert (bench.level("store"), moved(bench)) == (9, [-1])


def test_a_reading_that_overlaps_a_newer_one_and_agrees_with_it_is_no_news(bench: Bench) -> None:
    bench.counted(10)
    older = bench.window(took_s=5)
    bench.read("store", 9, window=Window(older.began_ms + 1000, older.began_ms + 2000))

    assert not bench.read("store", 9, window=older).counts
    assert bench.marks("store") == {}


def test_a_reading_of_a_listing_whose_writer_died_waits_for_the_end_of_its_lease(bench: Bench) -> None:
    sold(bench)
    bench.claim("store")
    bench.later(bench.writes.lease_s - 1)
    assert bench.read("store", 10).counts == {"skipped": 1}

    bench.later(1 + STORE.settle_s + 0.1)
    assert bench.read("store", 10).counts == {"settled": 1}


def test_a_reading_that_began_in_the_very_millisecond_in_which_a_write_ended_is_skipped(bench: Bench) -> None:
    """Which of the two came first within it, nobody can say."""
    sold(bench)
    bench.write("store", Result.CONFIRMED)
    edge_ms = bench.clock.ms + SETTLE_MS

    assert bench.read("store", 10, window=Window(edge_ms, edge_ms)).counts == {"skipped": 1}
    assert bench.level("store") == 9
    (due_ms,) = bench.marks("store").values()
    assert due_ms > edge_ms, "or the second look would be as blind"


def test_a_hint_within_the_settle_time_is_not_lost_though_the_reading_agrees(bench: Bench) -> None:
    """A sale right after our write: the lagging answer still shows what we wrote, and only the hint knows better."""
    sold(bench)
    bench.write("store", Result.CONFIRMED)
    bench.worklist.mark("store", ["store-a"], bench.store.now_ms())
    window = bench.window()
    bench.read("store", 9, window=window)
    bench.worklist.unmark("store", ["store-a"], window.began_ms)

    assert list(bench.marks("store")) == ["store-a"]


def test_what_cannot_be_read_alone_is_left_to_the_next_full_reading(bench: Bench) -> None:
    bench.counted(10)
    older = bench.window(took_s=5)
    bench.read("till", 9, window=Window(older.began_ms + 1000, older.began_ms + 2000))

    assert bench.read("till", 10, window=older).counts == {"skipped": 1}
    assert bench.marks("till") == {}


def test_a_file_from_the_future_does_not_silence_those_of_today(bench: Bench) -> None:
    bench.counted(10)
    tomorrow_ms = bench.clock.ms + 86_400_000
    bench.read("till", 9, window=Window(tomorrow_ms, tomorrow_ms))
    bench.later(60)

    bench.read("till", 7)
    assert bench.on_hand() == 7


def test_marks_that_came_after_a_reading_began_outlive_it(bench: Bench) -> None:
    bench.worklist.mark("store", ["before"], bench.store.now_ms())
    window = bench.window()
    bench.worklist.mark("store", ["after"], bench.store.now_ms())
    bench.worklist.unmark("store", ["before", "after"], window.began_ms)

    assert list(bench.marks("store")) == ["after"]


def test_a_clock_that_is_set_back_hides_no_sale(bench: Bench) -> None:
    """The store has failed over to a machine whose clock is an hour behind."""
    bench.counted(10)
    bench.later(100)
    bench.read("store", 10)
    bench.later(-3600)

    assert bench.read("store", 8).counts == {"moved": 1}
    assert bench.marks("store") == {}
    assert bench.read("store", 7).counts == {"moved": 1}
    assert (bench.level("store"), moved(bench)) == (7, [-2, -1])


def test_a_reading_merged_long_after_a_newer_one_is_skipped_as_always(bench: Bench) -> None:
    bench.counted(10)
    window = bench.window()
    bench.later(120)
    bench.read("store", 8)
    bench.later(-120)  # its process asked for the time, and stood still

    assert bench.read("store", 10, window=window).counts == {"skipped": 1}
