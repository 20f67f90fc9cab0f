"""A quota that comes by the window lasts to its end, though sales trickle in one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import Services
from channels.services import Quota
from sync.budget import Left, StoreBudget
from sync.deadline import Deadline
from sync.pace import FREELY, MOST_S, Pace, interval_s
from sync.pull import pull
from sync.push import push
from sync.refresh import refresh
from tests.conftest import TimedStore, Town


class Spent:
    """A town whose store has told how many calls are left of its window of 100 in 30 s."""

    def __init__(self, town: Town, store: TimedStore, left: int) -> None:
        self.town, self.clock = town, store.clock
        budget = StoreBudget(store, "store", "store")
        town.store.services = Services(budget=budget)
        budget.enter("read")
        budget.leave("read", Quota(left=left, limit=100, reset_s=20.0, window_s=30.0))
        self.waited: list[float] = []

    def pace(self, task: str) -> Pace:
        return Pace(self.town.context, task, "store", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.town.context.store.client.delete("is:pace:sync.push:store", "is:pace:sync.refresh:store")


def test_while_much_is_left_nobody_waits(town: Town, store: TimedStore) -> None:
    pace = Spent(town, store, 60).pace("sync.push")
    assert [pace.wait() for _ in range(5)] == [False] * 5


def test_a_first_batch_goes_at_once_and_the_next_waits_for_its_part_of_the_time(town: Town, store: TimedStore) -> None:
    spent = Spent(town, store, 40)
    pace = spent.pace("sync.refresh")
    assert not pace.wait()
    assert pace.wait()
    assert 0 < spent.waited[0] <= 2 * 20.0 / 40
    assert not pace.wait()


def test_a_channel_without_a_budget_of_calls_is_not_waited_for(town: Town) -> None:
    assert not Pace(town.context, "sync.push", "till").wait()


def test_what_comes_meanwhile_is_written_with_it(town: Town, store: TimedStore) -> None:
    for sku in "AB":
        town.put(sku, 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    town.till.shop.sell("A", 3)
    pull(town.context, "till", Deadline(60))
    waits = iter([True, False])

    def pace() -> bool:
        waited = next(waits)
        if waited:
            town.till.shop.sell("B", 1)
            pull(town.context, "till", Deadline(60))
        return waited

    assert push(town.context, "store", Deadline(60), pace=pace).finished
    assert (town.store.shop.shown("A"), town.store.shop.shown("B")) == (7, 9)
    assert list(waits) == [], "one batch for both"


def test_what_is_marked_meanwhile_is_read_with_it(town: Town, store: TimedStore) -> None:
    for sku in "AB":
        town.put(sku, 10)
    pull(town.context, "store", Deadline(60))
    mark, waits, read = town.context.worklist.mark, iter([True, False]), list[list[str]]()
    mark("store", ["ref-a"], store.now_ms())

    def pace() -> bool:
        mark("store", ["ref-b"], store.now_ms())
        return next(waits)

    town.store.shop.before_page = lambda: read.append(sorted(town.store.shop.looked_at))
    assert refresh(town.context, "store", Deadline(60), pace=pace)
    assert read == [["ref-a", "ref-b"]]


def test_the_last_unit_does_not_wait(town: Town) -> None:
    town.put("A", 3)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    town.till.shop.sell("A", 3)
    pull(town.context, "till", Deadline(60))
    push(town.context, "store", Deadline(60), pace=lambda: pytest.fail("it was made to wait"))
    assert town.store.shop.shown("A") == 0


def test_nothing_to_read_or_write_is_no_batch(town: Town) -> None:
    push(town.context, "store", Deadline(60), pace=lambda: pytest.fail("nothing was to be written"))
    refresh(town.context, "store", Deadline(60), pace=lambda: pytest.fail("nothing was to be read"))


@given(st.floats(0, 500), st.floats(1, 500), st.integers(0, 30_000), st.integers(1, 4), st.floats(0, 0.9))
def test_batches_so_far_apart_do_not_use_up_a_window(
    calls: float, limit: float, ends_ms: int, size: int, reserve: float
) -> None:
    ends_s = ends_ms / 1000
    apart_s = interval_s(Left(calls, limit, ends_s), size, reserve)
    assert 0 <= apart_s <= MOST_S
    ours = calls - reserve * limit
    if ours >= FREELY * (1 - reserve) * limit:
        assert apart_s == 0
    elif ends_s and ours >= 1 and apart_s < MOST_S:
        assert size * ends_s / apart_s <= ours * 1.001
