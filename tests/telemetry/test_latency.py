"""The time from an event to the write that it brings about elsewhere, as it is counted."""

from __future__ import annotations

import pytest

from channels import Result
from channels.webhooks import Event
from sync import webhooks
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.refresh import refresh
from sync.storage.store import BUCKETS, bucket_prefix
from sync.telemetry import latency
from sync.telemetry.counters import Counters
from sync.telemetry.latency import BOUNDS_S, Latency
from tests.conftest import MARKET, STORE, TILL, Fate, TimedStore, Town

#: A store that sends events.
SENDING = {"till": TILL, "store": STORE, "market": MARKET}


@pytest.fixture
def town(store: TimedStore) -> Town:
    """One SKU, ten of it everywhere, and nothing to be done."""
    town = Town.build(store, SENDING)
    town.put("MUG", 10)
    for channel in town.everywhere:
        pull(town.context, channel.name, Deadline(60))
    settle(town)
    return town


def settle(town: Town) -> None:
    store = town.context.store
    assert isinstance(store, TimedStore)
    store.clock.advance(60)
    for name in ("store", "market"):
        push(town.context, name, Deadline(60))
        refresh(town.context, name, Deadline(60))
    store.clock.advance(60)


def event(town: Town, number: int = 1, ref: str = "ref-mug") -> None:
    """The store says that something happened to a listing."""
    kept = webhooks.keep(town.context, "store", Event("updated", f"event {number}", 0, refs=(ref,)))
    assert kept.fresh


def later(town: Town, seconds: float) -> None:
    store = town.context.store
    assert isinstance(store, TimedStore)
    store.clock.advance(seconds)


def counted(town: Town) -> dict[tuple[str, ...], int]:
    town.context.counters.flush()
    return town.context.counters.read("event_to_write")


def seconds(town: Town) -> float:
    town.context.counters.flush()
    return sum(town.context.counters.read("event_to_write_ms").values()) / 1000


def test_it_runs_from_the_event_until_the_other_channel_has_the_write(town: Town) -> None:
    town.store.shop.sell("MUG", 3)
    event(town)
    later(town, 4)
    refresh(town.context, "store", Deadline(60))
    later(town, 2)
    push(town.context, "market", Deadline(60))
    assert town.market.shop.shown("MUG") == 7
    assert counted(town) == {("market", "confirmed", "10"): 1}
    assert seconds(town) == pytest.approx(6, abs=0.1)


def test_a_write_that_is_taken_and_not_shown_yet_counts_as_such(town: Town) -> None:
    town.market.shop.fates.append(Fate(Result.ACCEPTED, applied=True))
    town.store.shop.sell("MUG")
    event(town)
    refresh(town.context, "store", Deadline(60))
    push(town.context, "market", Deadline(60))
    assert counted(town) == {("market", "accepted", f"{BOUNDS_S[0]:g}"): 1}


def test_of_several_events_the_first_counts_that_no_reading_has_answered(town: Town) -> None:
    town.store.shop.sell("MUG", 3)
    event(town, 1)
    later(town, 8)
    event(town, 2)
    refresh(town.context, "store", Deadline(60))
    push(town.context, "market", Deadline(60))
    assert seconds(town) == pytest.approx(8, abs=0.1)


def test_an_event_that_a_reading_has_answered_is_behind_no_later_write(town: Town) -> None:
    event(town)
    refresh(town.context, "store", Deadline(60))
    later(town, 30)
    town.store.shop.sell("MUG")
    town.context.worklist.mark("store", ["ref-mug"], town.context.store.now_ms())
    refresh(town.context, "store", Deadline(60))
    push(town.context, "market", Deadline(60))
    assert town.market.shop.shown("MUG") == 9
    assert counted(town) == {}


def test_a_write_at_another_number_is_not_the_events(town: Town) -> None:
    town.store.shop.sell("MUG")
    event(town)
    refresh(town.context, "store", Deadline(60))
    town.till.shop.sell("MUG", 2)
    later(town, 60)
    pull(town.context, "till", Deadline(60))
    push(town.context, "market", Deadline(60))
    assert town.market.shop.shown("MUG") == 7
    assert counted(town) == {}


def test_a_write_that_failed_measures_nothing(town: Town) -> None:
    town.market.shop.fates.append(Fate(Result.UNKNOWN, applied=False))
    town.store.shop.sell("MUG")
    event(town)
    refresh(town.context, "store", Deadline(60))
    push(town.context, "market", Deadline(60))
    assert counted(town) == {}


def test_writes_are_counted_by_what_became_of_them(town: Town) -> None:
    town.context.counters.flush()
    before = town.context.counters.read("writes")
    town.market.shop.fates.append(Fate(Result.REFUSED, applied=False, words="no"))
    town.store.shop.sell("MUG")
    event(town)
    refresh(town.context, "store", Deadline(60))
    push(town.context, "market", Deadline(60))
    town.context.counters.flush()
    after = town.context.counters.read("writes")
    assert {key: after[key] - before.get(key, 0) for key in after} == {("market", "refused"): 1}


def test_what_is_remembered_of_events_is_bounded_however_many_skus_sell(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "MOST", 3)
    measured = Latency(store, Counters(store))
    for number in range(200):
        measured.moved("store", {f"sku {number}": store.now_ms()})

    kept = [store.client.hlen(f"{bucket_prefix(bucket)}news") for bucket in range(BUCKETS)]
    assert max(kept) <= 3
    assert sum(kept) > 0
