"""Rule 2: one write in flight per listing; an older revision never overwrites a newer one."""

from __future__ import annotations

import pytest

from channels import Result
from tests.conftest import Bench


def sold(bench: Bench, left: int = 9) -> None:
    """Everything shows 10; the till sells down to what is left."""
    bench.counted(10)
    bench.read("till", left)


def test_two_workers_cannot_claim_one_listing(bench: Bench) -> None:
    sold(bench)

    assert [bench.claim("store").what, bench.claim("store").what] == ["claimed", "busy"]


def test_listings_of_one_sku_on_two_channels_are_claimed_apart(bench: Bench) -> None:
    sold(bench)

    assert [bench.claim("store").what, bench.claim("market").what] == ["claimed", "claimed"]


def test_a_claim_at_an_older_revision_is_refused(bench: Bench) -> None:
    sold(bench, 9)
    old = bench.intent()
    bench.read("till", 8)

    assert bench.claim("store", intent=old).what == "moved"
    assert bench.dirty("store") == ["a"], "it is tried again"


def test_a_claim_says_from_which_level_it_starts(bench: Bench) -> None:
    sold(bench)
    bench.read("store", 7)

    claim = bench.claim("store").claim
    assert (claim.base, claim.target) == (7, 6)


def test_a_listing_that_shows_its_target_is_not_written(bench: Bench) -> None:
    bench.counted(10)

    assert bench.claim("store").what == "right"
    assert bench.listing("store").write is None


def test_a_listing_that_is_not_known_is_not_written(bench: Bench) -> None:
    bench.read("till", 10)

    assert bench.claim("store").what == "gone"


def test_the_claim_stands_until_its_writer_says_what_became_of_it(bench: Bench) -> None:
    sold(bench)
    held = bench.claim("store")
    write = bench.listing("store").write
    assert write is not None
    assert (write.phase, write.target, write.base, write.revision) == ("sent", 9, 10, 2)

    assert held.settle(Result.CONFIRMED) == "done"
    assert bench.listing("store").write is None
    assert bench.open("store") == {}


def test_only_the_writer_that_holds_the_claim_settles_it(bench: Bench) -> None:
    sold(bench)
    held = bench.claim("store")
    stranger = bench.claim("store")

    assert stranger.settle(Result.CONFIRMED) == "late"
    assert bench.level("store") == 10
    assert held.settle(Result.CONFIRMED) == "done"


def test_settling_twice_changes_nothing_the_second_time(bench: Bench) -> None:
    sold(bench)
    held = bench.claim("store")
    held.settle(Result.CONFIRMED)
    before = bench.record()

    assert held.settle(Result.UNKNOWN) == "late"
    assert bench.record() == before


def test_an_outcome_that_comes_after_the_lease_and_a_reading_changes_nothing(bench: Bench) -> None:
    sold(bench)
    held = bench.claim("store")
    bench.later(bench.writes.lease_s + 3)
    bench.read("store", 10)  # the write is lost
    before = bench.record()

    assert held.settle(Result.CONFIRMED) == "late"
    assert bench.record() == before
    assert bench.dirty("store") == ["a"]


def test_an_outcome_that_comes_after_the_lease_and_a_newer_claim_changes_nothing(bench: Bench) -> None:
    sold(bench)
    old = bench.claim("store")
    bench.later(bench.writes.lease_s + 3)
    bench.read("store", 10)
    bench.read("till", 8)
    new = bench.claim("store")
    assert new.what == "claimed"

    assert old.settle(Result.CONFIRMED) == "late"
    assert new.settle(Result.CONFIRMED) == "done"
    assert bench.level("store") == 8


def test_an_outcome_that_comes_after_the_lease_but_before_any_reading_still_counts(bench: Bench) -> None:
    sold(bench)
    held = bench.claim("store")
    bench.later(bench.writes.lease_s + 3)

    assert held.settle(Result.CONFIRMED) == "done"
    assert bench.level("store") == 9


def test_the_listing_of_a_dead_writer_is_not_claimed_before_a_reading_has_told_its_fate(bench: Bench) -> None:
    sold(bench)
    bench.claim("store")
    bench.later(bench.writes.lease_s + 1000)
    bench.read("till", 8)

    assert bench.claim("store").what == "busy"
    assert bench.worklist.due_writes("store", bench.store.now_ms(), 10) == ["a"], "it is looked at"
    bench.read("store", 9)
    assert bench.claim("store").what == "claimed"


def test_a_deferred_write_stays_dirty_and_changes_nothing(bench: Bench) -> None:
    sold(bench)
    bench.write("store", Result.DEFERRED)

    assert bench.level("store") == 10
    assert bench.listing("store").write is None
    assert bench.dirty("store") == ["a"]


@pytest.mark.parametrize("result", list(Result))
def test_looking_claims_nothing(bench: Bench, result: Result) -> None:
    sold(bench)
    bench.writes.rest("store", [bench.intent()], bench.store.now_ms())

    assert bench.dirty("store") == ["a"]
    assert bench.listing("store").write is None
    assert bench.claim("store", token="").settle(result) == "done"
