"""What is alike is counted by all processes together, and by each alone without the store."""

from __future__ import annotations

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from sync.telemetry.flood import HOUR_S, Flood, is_told
from tests.conftest import TimedStore


def test_all_processes_count_what_is_alike_together(store: TimedStore) -> None:
    one, other = Flood(store), Flood(store)
    assert [one.count("429"), other.count("429"), one.count("429")] == [1, 2, 3]
    assert one.count("parked") == 1


def test_a_count_ends_an_hour_after_its_first(store: TimedStore) -> None:
    flood = Flood(store)
    flood.count("429")
    flood.count("429")
    (key,) = store.client.scan_iter("is:reported:*")
    assert 0 < store.client.ttl(key) <= HOUR_S
    store.client.persist(key)  # as if its process had died between the two
    flood.count("429")
    assert 0 < store.client.ttl(key) <= HOUR_S
    store.client.delete(key)  # as the store does then
    assert flood.count("429") == 1


def test_without_the_store_each_process_counts_alone(store: TimedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError("the store is away")

    now = [10.0]
    flood = Flood(store, lambda: now[0])
    monkeypatch.setattr("redis.client.Pipeline.execute", away)
    assert [flood.count("429") for _ in range(3)] == [1, 2, 3]
    now[0] += HOUR_S
    assert flood.count("429") == 1
    assert len(flood._alone) == 1, "what is over is forgotten"


@given(st.integers(1, 10**9))
def test_of_a_thousand_that_are_alike_four_are_told(number: int) -> None:
    assert is_told(number) == (number in {10**power for power in range(10)})
