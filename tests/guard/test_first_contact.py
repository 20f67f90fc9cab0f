"""A channel's first push is planned, and done once a person has approved it."""

from __future__ import annotations

import pytest

from sync.deadline import Deadline
from sync.guard import decisions, gate
from sync.guard.holds import Kind
from sync.guard.judge import GuardSettings
from sync.pull import pull
from sync.push import push
from sync.views.progress import progress
from tests.conftest import TimedStore, Town
from tests.guard.town import held


@pytest.fixture
def fresh(store: TimedStore) -> Town:
    """A to H at 10 at the till; the store shows something else; the market agrees. Nothing was read yet."""
    town = Town.build(store, guard=GuardSettings())
    for sku in "ABCDEFGH":
        town.put(sku, 10)
    for sku, units in zip("ABCDEF", (0, 3, 30, 40, 11, 9), strict=True):
        town.store.shop.put(sku, units)
    town.till.shop.put("F", 0)
    town.market.shop.put("F", 0)
    return town


def read(town: Town, *names: str) -> None:
    for name in names or town.context.channels:
        pull(town.context, name, Deadline(60))


def test_nothing_is_written_to_a_new_channel_and_the_hold_says_what_would_be(fresh: Town) -> None:
    read(fresh)
    push(fresh.context, "store", Deadline(60))

    assert fresh.store.shop.written == []
    hold = held(fresh)
    assert (hold.kind, hold.channel) == (Kind.FIRST_CONTACT, "store")
    assert hold.words == ["6 of 8 listings would be written for the first time: 2 up, 3 down, 1 to zero"]
    assert {"sku": "A", "was": 0, "is": 10} in hold.sample


def test_an_approved_first_push_is_done(fresh: Town) -> None:
    read(fresh)
    push(fresh.context, "store", Deadline(60))
    decisions.approve(fresh.context, held(fresh), "ann")
    push(fresh.context, "store", Deadline(60))

    assert len(fresh.store.shop.written) == 6
    assert fresh.store.shop.shown("F") == 0
    assert fresh.context.holds.open_ones() == []


def test_a_channel_that_agrees_already_has_nothing_to_approve(fresh: Town) -> None:
    read(fresh)
    push(fresh.context, "market", Deadline(60))
    fresh.till.shop.sell("B", 4)
    read(fresh, "till")
    push(fresh.context, "market", Deadline(60))

    assert [(write.sku, write.units) for write in fresh.market.shop.written] == [("B", 6)]


def test_before_the_authority_was_read_nothing_is_held_and_nothing_written(fresh: Town) -> None:
    read(fresh, "store")
    push(fresh.context, "store", Deadline(60))
    assert fresh.context.holds.open_ones() == []
    assert not fresh.context.holds.contacted("store")
    assert gate.rests(fresh.context, "store")


def test_an_authority_without_a_count_makes_no_channel_agree(fresh: Town) -> None:
    fresh.till.shop.units.clear()
    read(fresh)
    push(fresh.context, "store", Deadline(60))
    assert not fresh.context.holds.contacted("store")


def test_nobody_rings_for_a_push_that_waits_and_everybody_does_once_its_figures_are_old(fresh: Town) -> None:
    read(fresh)
    assert not gate.rests(fresh.context, "store")
    push(fresh.context, "store", Deadline(60))
    assert gate.rests(fresh.context, "store")
    fresh.context.store.clock.advance(61)  # type: ignore[attr-defined]
    assert not gate.rests(fresh.context, "store")


def test_a_reconcile_says_that_writes_wait_for_approval(fresh: Town) -> None:
    read(fresh)
    push(fresh.context, "store", Deadline(60))
    (one,) = progress(fresh.context, ["store"], 0)
    assert one.settled
    assert not one.done
    then = f"celery -A sync approve {held(fresh).id}"
    assert one.waits == f"6 writes wait for approval: celery -A sync plan --channel store, then: {then}"


def test_who_wants_it_so_is_not_asked(store: TimedStore) -> None:
    town = Town.build(store, guard=GuardSettings(auto_approve_first=True))
    for sku in "ABCDEFGH":
        town.put(sku, 10)
        town.store.shop.put(sku, 4)
    read(town)
    push(town.context, "store", Deadline(60))
    assert len(town.store.shop.written) == 8
    assert town.context.holds.contacted("store")
