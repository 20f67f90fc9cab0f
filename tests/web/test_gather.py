"""Waiting for a burst to come together, and for our own writes to settle, before anything is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import Capabilities
from sync import webhooks
from sync.deadline import Deadline
from sync.refresh import BURST_S, FEW_S, LULL_S, Gather, patience_s, refresh
from sync.stock.worklist import Crowd
from tests.conftest import TimedStore, Town

NOW = 1_000_000


def test_without_marks_nothing_is_waited_for() -> None:
    assert patience_s(Crowd(0, 0), 250, NOW, NOW) == 0


def test_a_single_mark_waits_for_a_lull_only() -> None:
    assert patience_s(Crowd(1, NOW), 250, NOW, NOW) == pytest.approx(LULL_S)
    assert patience_s(Crowd(1, NOW - round(1000 * LULL_S)), 250, NOW, NOW) <= 0


def test_marks_that_keep_coming_are_not_waited_for_longer_than_a_sale_may_take() -> None:
    assert patience_s(Crowd(3, NOW), 250, NOW, NOW - round(FEW_S * 1000)) <= 0


def test_a_burst_is_waited_for_longer() -> None:
    assert patience_s(Crowd(100, NOW), 250, NOW, NOW - round(FEW_S * 1000)) > 0
    assert patience_s(Crowd(100, NOW), 250, NOW, NOW - round(BURST_S * 1000)) <= 0


def test_writes_to_be_confirmed_wait_for_those_that_soon_will_be() -> None:
    assert patience_s(Crowd(0, 0, soon=3), 250, NOW, NOW) > 0
    assert patience_s(Crowd(0, 0, soon=3), 250, NOW, NOW - round(BURST_S * 1000)) <= 0


def test_a_sale_does_not_wait_for_them() -> None:
    assert patience_s(Crowd(1, NOW - round(1000 * LULL_S), soon=3), 250, NOW, NOW) <= 0


def test_what_fills_a_call_is_read_at_once() -> None:
    assert patience_s(Crowd(250, NOW), 250, NOW, NOW) == 0


@given(st.integers(0, 600), st.integers(NOW - 5000, NOW), st.integers(0, 5000))
def test_nobody_waits_for_longer_than_a_burst_may_last(size: int, newest_ms: int, waited_ms: int) -> None:
    left_s = patience_s(Crowd(size, newest_ms), 250, NOW, NOW - waited_ms)
    assert left_s <= LULL_S
    assert waited_ms < BURST_S * 1000 or left_s <= 0


def test_marks_that_come_while_it_waits_are_read_by_the_same_call(town: Town, store: TimedStore) -> None:
    for number in range(3):
        town.store.shop.put(f"S{number}", 5)
    refs = list(town.store.shop.units)
    worklist = town.context.worklist
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        store.clock.advance(seconds / 2)
        if len(waited) < len(refs):
            worklist.mark("store", [refs[len(waited)]], store.now_ms())
        store.clock.advance(seconds / 2)

    worklist.mark("store", refs[:1], store.now_ms())
    read: list[list[str]] = []
    town.store.shop.before_page = lambda: read.append(list(town.store.shop.looked_at))
    assert refresh(town.context, "store", Deadline(60), lambda: Gather(sleep).wait(town.context, "store"))
    assert [sorted(one) for one in read] == [sorted(refs)]
    assert sum(waited) <= FEW_S + LULL_S


def test_the_others_hear_of_each_reading_while_hints_still_come(town: Town, store: TimedStore) -> None:
    for number in range(8):
        town.store.shop.put(f"S{number}", 5)
    refs = list(town.store.shop.units)
    worklist = town.context.worklist
    worklist.mark("store", refs[:1], store.now_ms())
    heard: list[int] = []

    def news() -> None:
        heard.append(len(town.store.shop.looked_at))
        if len(heard) < 3:
            worklist.mark("store", [refs[len(heard)]], store.now_ms())

    assert refresh(town.context, "store", Deadline(60), news=news)
    assert heard == [1, 2, 3]


# Our own writes.


def test_hints_about_what_is_being_written_wait_for_the_settle_time(town: Town, store: TimedStore) -> None:
    can = Capabilities(writes=True, read_batch=4, settle_s=2.0, webhooks=True)
    town.store._capabilities = can
    before_ms = store.now_ms()
    webhooks.expect_echo(town.context, town.store, ["ref-a"])
    (key,) = store.client.scan_iter("is:*quiet:store")
    quiet = dict(store.client.zrange(key, 0, -1, withscores=True))
    assert set(quiet) == {"ref-a"}
    assert before_ms + 2000 < quiet["ref-a"] <= before_ms + 3000


def test_the_batches_of_one_push_are_looked_at_together() -> None:
    began = 1_790_000_000_300
    dues = {webhooks.quiet_until(began + 150 * batch, 2.0, 50) for batch in range(10)}
    assert len(dues) <= 2


@given(st.integers(0, 10**13), st.floats(0, 60), st.integers(1, 2000))
def test_no_reading_is_asked_for_before_it_counts(now_ms: int, settle_s: float, size: int) -> None:
    until_ms = webhooks.quiet_until(now_ms, settle_s, size)
    assert until_ms >= now_ms + round(settle_s * 1000)
    assert until_ms <= now_ms + round((settle_s + webhooks.WRITE_S) * 1000) + webhooks.MANY_STEP_MS
