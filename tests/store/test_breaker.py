"""How long a channel in trouble is left alone."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.errors import Denied, Throttled, Unreachable
from sync.breaker import FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_WAIT_S, SHORTEST_PAUSE_S, Breaker, pause_s
from tests.conftest import TimedStore, unreachable

DENIED = Denied("store", "read", "no")


def throttled(seconds: float) -> Throttled:
    return Throttled("store", "read", "slowly", retry_after_s=seconds)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_double_up_to_the_longest_one(failures: int, draw: float) -> None:
    whole = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(failures - 1, 20))

    assert pause_s(unreachable(), failures, draw) == max(SHORTEST_PAUSE_S, whole * draw)
    assert pause_s(unreachable(), failures, draw, writing=True) >= pause_s(unreachable(), failures, draw)


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_a_refused_credential_waits_for_a_person(failures: int, draw: float) -> None:
    assert pause_s(DENIED, failures, draw) == LONGEST_PAUSE_S


def test_a_channel_in_trouble_is_left_alone_until_its_pause_is_over(store: TimedStore) -> None:
    breaker = Breaker(store, random.Random(1))
    trouble = breaker.failed("store", Unreachable("store", "read", "refused"), 1_000_000)

    assert breaker.closed_to("store", trouble.until_ms - 1, "sync.push")
    assert not breaker.closed_to("store", trouble.until_ms, "sync.push")
    assert not breaker.closed_to("market", trouble.at_ms, "sync.push")
    assert breaker.trouble("store") == trouble


def test_failures_in_a_row_are_counted_from_the_first_and_forgotten_when_it_works(store: TimedStore) -> None:
    breaker = Breaker(store, random.Random(1))
    breaker.failed("store", unreachable(), 1_000)
    again = breaker.failed("store", unreachable(), 5_000)

    assert (again.failures, again.since_ms) == (2, 1_000)
    breaker.worked("store")
    assert breaker.trouble("store") is None


def test_words_with_half_a_sign_are_kept_all_the_same(store: TimedStore) -> None:
    Breaker(store).failed("shop", Unreachable("shop", "read", "gift \ud83c"), store.now_ms())
    trouble = Breaker(store).trouble("shop")
    assert trouble is not None
    assert r"gift \ud83c" in trouble.message


def test_a_task_that_is_told_to_wait_waits_and_no_other_does(store: TimedStore) -> None:
    breaker = Breaker(store)

    assert breaker.told_to_wait("market", throttled(9), 1_000, "sync.audit_orders") == 10_000
    assert breaker.closed_to("market", 9_999, "sync.audit_orders")
    assert not breaker.closed_to("market", 10_000, "sync.audit_orders")
    assert not breaker.closed_to("market", 1_000, "sync.push")
    assert breaker.trouble("market") is None


def test_the_longest_wait_that_was_named_is_kept(store: TimedStore) -> None:
    breaker = Breaker(store)
    breaker.told_to_wait("store", throttled(300), 1_000_000, "sync.push")
    breaker.told_to_wait("store", throttled(5), 1_001_000, "sync.push")

    assert breaker.closed_to("store", 1_200_000, "sync.push")


@pytest.mark.parametrize("named_s", [1_790_000_000.0, math.inf])
def test_a_date_in_the_place_of_a_wait_stops_nobody_for_years(store: TimedStore, named_s: float) -> None:
    breaker = Breaker(store)
    until_ms = breaker.told_to_wait("store", throttled(named_s), 1_000_000, "sync.push")

    assert until_ms == 1_000_000 + LONGEST_WAIT_S * 1000
    assert not breaker.closed_to("store", until_ms, "sync.push")


def test_a_person_who_wants_it_tried_now_ends_every_wait(store: TimedStore) -> None:
    breaker = Breaker(store)
    breaker.failed("store", DENIED, 1_000)
    breaker.told_to_wait("store", throttled(300), 1_000, "sync.push")

    breaker.try_now("store")
    assert not breaker.closed_to("store", 1_001, "sync.push")


def test_a_trouble_that_ends_just_before_it_is_told_leaves_nothing_behind(store: TimedStore) -> None:
    """One task fails while another, at the same channel, finds that it answers."""
    failing, other = Breaker(store, random.Random(1)), Breaker(store)
    trouble = failing.failed("store", DENIED, 1_000)
    other.worked("store")

    assert not failing.tells("store", DENIED, trouble)
    assert other.trouble("store") is None
    assert not other.closed_to("store", 1_001, "sync.push")


def test_a_lasting_trouble_is_told_once(store: TimedStore) -> None:
    breaker = Breaker(store, random.Random(1))
    told = [breaker.tells("store", DENIED, breaker.failed("store", DENIED, ms)) for ms in (1, 2, 3)]

    assert told == [True, False, False]
    assert breaker.worked("store").told  # type: ignore[union-attr]


def test_a_clock_that_is_set_back_keeps_nobody_away_for_as_long(store: TimedStore) -> None:
    breaker, now_ms = Breaker(store), 10_000_000
    breaker.failed("store", DENIED, now_ms)
    breaker.told_to_wait("market", throttled(3000), now_ms, "sync.push")
    now_ms -= 3_600_000
    assert not breaker.closed_to("store", now_ms, "sync.push")
    assert not breaker.closed_to("market", now_ms, "sync.push")

    until_ms = breaker.failed("store", DENIED, now_ms).until_ms
    assert breaker.closed_to("store", until_ms - 1, "sync.push")
    assert until_ms == now_ms + LONGEST_PAUSE_S * 1000
    assert breaker.told_to_wait("market", throttled(5), now_ms, "sync.push") == now_ms + 5000
