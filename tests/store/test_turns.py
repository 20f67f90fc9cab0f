"""Turns: one process at a time, and a wish for another round is never lost."""

from __future__ import annotations

import time
from typing import cast

import pytest

from sync import turns
from sync.turns import Turn
from tests.conftest import TimedStore
from tests.waiting import wait_until


def turn(store: TimedStore) -> Turn:
    return Turn(store, "sync.push", "store")


def keys(store: TimedStore) -> list[str]:
    return sorted(store.client.scan_iter())


def test_only_one_process_has_the_turn(store: TimedStore) -> None:
    holder, other = turn(store), turn(store)

    assert holder.take()
    assert not other.take()
    assert holder.take(), "renewing is taking again"


def test_turns_at_different_things_do_not_meet(store: TimedStore) -> None:
    assert turn(store).take()
    assert Turn(store, "sync.pull", "store").take()
    assert Turn(store, "sync.push", "market").take()


def test_whoever_comes_meanwhile_is_served_by_the_holder(store: TimedStore) -> None:
    rounds = []

    def mine() -> bool:
        rounds.append("mine")
        if len(rounds) == 1:
            assert not turn(store).rounds(theirs)
        return True

    def theirs() -> bool:
        rounds.append("theirs")
        return True

    assert not turn(store).rounds(mine)
    assert rounds == ["mine", "mine"]
    assert keys(store) == []


def test_a_round_that_did_not_do_all_asks_to_be_rung_for(store: TimedStore) -> None:
    assert turn(store).rounds(lambda: False)
    assert keys(store) == []


def test_a_round_that_fails_gives_the_turn_back(store: TimedStore) -> None:
    def fails() -> bool:
        raise LookupError

    try:
        turn(store).rounds(fails)
    except LookupError:
        assert turn(store).take()
    else:
        raise AssertionError("the failure was swallowed")


def test_a_dead_holders_wish_is_not_the_next_ones(store: TimedStore) -> None:
    dead, other = turn(store), turn(store)
    dead.take()
    other.take()
    store.client.delete("is:turn:{store}:sync.push")

    assert not turn(store).rounds(lambda: True)
    assert keys(store) == []


def test_a_wish_outlives_the_lease_of_a_holder_that_is_slow(store: TimedStore) -> None:
    rounds = []

    def one_round() -> bool:
        rounds.append(1)
        if len(rounds) == 1:
            turn(store).take()
            store.client.delete("is:turn:{store}:sync.push")  # the lease is over, and nobody came
        return True

    assert not turn(store).rounds(one_round)
    assert rounds == [1, 1]
    assert keys(store) == []


def test_a_wish_outlives_the_renewal_of_a_lease_that_was_over(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "RENEW_S", 0.0)
    holder, rounds = turn(store), []

    def one_round() -> bool:
        rounds.append(1)
        if len(rounds) == 1:
            turn(store).take()
            store.client.delete("is:turn:{store}:sync.push")
            holder.keep()
        return True

    assert not holder.rounds(one_round)
    assert rounds == [1, 1]


def test_a_wish_lives_longer_than_a_round_may_take(store: TimedStore) -> None:
    turn(store).take()
    turn(store).take()

    assert store.client.pttl("is:turn:{store}:sync.push:again") > turns.LEASE_S * 1000


def test_going_round_again_renews_the_lease(store: TimedStore) -> None:
    def one_round() -> bool:
        left = store.client.pttl("is:turn:{store}:sync.push")
        lefts.append(left)
        if len(lefts) == 1:
            turn(store).take()
            store.client.pexpire("is:turn:{store}:sync.push", 1000)
        return True

    lefts: list[int] = []
    turn(store).rounds(one_round)
    assert lefts[1] > 2000


def test_a_slow_holder_does_not_end_somebody_elses_turn(store: TimedStore) -> None:
    slow, other = turn(store), turn(store)
    slow.take()
    store.client.delete("is:turn:{store}:sync.push")
    other.take()

    assert not slow.end()
    assert not slow.end(whatever=True)
    assert other.end() is False
    assert keys(store) == []


def test_a_turn_whose_holder_died_is_free_after_its_lease(store: TimedStore) -> None:
    turn(store).take()
    store.client.pexpire("is:turn:{store}:sync.push", 1)

    wait_until(lambda: turn(store).take(), 10, "the turn is free")


def test_a_look_renews_the_turn_now_and_then_and_not_each_time(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, key = turn(store), "is:turn:{store}:sync.push"
    holder.take()
    store.client.pexpire(key, 1000)
    holder.keep()
    assert cast(int, store.client.pttl(key)) <= 1000

    monkeypatch.setattr(turns, "RENEW_S", 0.0)
    holder.keep()
    assert cast(int, store.client.pttl(key)) > 1000


def test_a_round_longer_than_the_lease_keeps_its_turn(store: TimedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LEASE_S", 0.3)
    monkeypatch.setattr(turns, "RENEW_S", 0.05)
    seen = []

    def long_round() -> bool:
        began = time.monotonic()
        wait_until(lambda: time.monotonic() > began + 1.0, 10, "the time goes by")
        seen.append(store.client.exists("is:turn:{store}:sync.push"))
        return True

    turn(store).rounds(long_round)
    assert seen == [1]
    assert keys(store) == []
