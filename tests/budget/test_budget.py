"""What the budget does for those who share a quota, one behaviour each."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import redis
import requests

from channels.bigcommerce import BigCommerceSettings
from channels.contract import ChannelSettings
from channels.errors import Throttled
from channels.http import HttpClient
from channels.services import Quota
from sync.budget import StoreBudget, Urgency, calls_made, urgency
from tests.budget.outside import OPERATION, Caller, Play, Tokens, Windows, granted
from tests.conftest import START_MS, Clock, TimedStore


def full(left: int, *, limit: int = 100, reset_s: float = 10.0) -> Quota:
    """What an answer of a store says."""
    return Quota(left=left, limit=limit, reset_s=reset_s, window_s=10.0)


@pytest.fixture
def make(store: TimedStore, clock: Clock) -> Callable[..., StoreBudget]:
    """Budgets as the processes of one credential have them; a sleep moves the clock."""

    def budget(name: str = "shop", **options: object) -> StoreBudget:
        return StoreBudget(store, "store", name, sleep=clock.advance, draw=lambda: 0.0, **options)  # type: ignore[arg-type]

    return budget


def one_call(budget: StoreBudget, told: Quota, *, throttled_s: float | None = None, operation: str = "read") -> None:
    budget.enter(operation)
    budget.leave(operation, told, throttled_s=throttled_s)


def wait_named(budget: StoreBudget, operation: str = "read") -> float:
    with pytest.raises(Throttled) as caught:
        budget.enter(operation)
    assert caught.value.status is None
    return caught.value.retry_after_s


def test_an_unknown_quota_is_found_out_by_one_call(store: TimedStore) -> None:
    play = Play(store, Windows(100, 10_000, START_MS))
    play.call(*(Caller(number) for number in range(20)))
    play.run(for_s=10)

    first, second, *_ = granted(play.callers)
    assert second.granted_ms >= first.done_ms


def test_a_probe_that_dies_is_sent_again_by_another(store: TimedStore) -> None:
    play = Play(store, Windows(100, 10_000, START_MS))
    play.call(Caller(0, fate="dies before"), Caller(5))
    play.run(for_s=20)

    assert play.callers[1].served


def test_a_channel_that_tells_of_no_quota_is_called_freely(make: Callable[..., StoreBudget], clock: Clock) -> None:
    budget = make()
    for _ in range(3):
        one_call(budget, Quota())
    before = clock.ms

    for _ in range(50):
        budget.enter("read")
    assert clock.ms - before < 1000


def test_what_one_process_learns_holds_for_all(make: Callable[..., StoreBudget]) -> None:
    one, other = make(), make()
    one_call(one, full(0))

    assert wait_named(other) >= 9


def test_channels_of_one_owner_share_a_budget_and_no_secret_is_stored(store: TimedStore) -> None:
    def settings(token: str, shop: str = "abc") -> ChannelSettings:
        return BigCommerceSettings(type="bigcommerce", store_hash=shop, access_token=token)

    one, other = StoreBudget.of(store, "one", settings("s3cret")), StoreBudget.of(store, "two", settings("other"))
    third = StoreBudget.of(store, "three", settings("s3cret", "xyz"))
    one_call(one, full(0))

    assert one.name == other.name != third.name
    assert wait_named(other) > 0
    assert not any("s3cret" in key or "abc" in key for key in store.client.scan_iter())


def test_channels_that_name_no_owner_have_a_budget_each(store: TimedStore) -> None:
    settings = ChannelSettings(type="mine")

    assert StoreBudget.of(store, "one", settings).name != StoreBudget.of(store, "two", settings).name


def test_operations_with_a_documented_quota_have_one_each(make: Callable[..., StoreBudget]) -> None:
    plans = {"search": Quota(rate=0.1, burst=2), "patch": Quota(rate=0.1, burst=2)}
    budget = make(plans=plans)
    with urgency(Urgency.WRITE_TO_ZERO):
        budget.enter("search")

        assert wait_named(budget, "search") > 5
        budget.enter("patch")


def test_the_longest_wait_that_a_429_names_is_kept_by_everybody(make: Callable[..., StoreBudget], clock: Clock) -> None:
    one, other = make(), make()
    one.enter("read")
    one.leave("read", full(35), throttled_s=60.0)
    with urgency(Urgency.WRITE_TO_ZERO):
        assert wait_named(other) >= 59

    clock.advance(61)
    one_call(other, full(99))


def test_a_shorter_wait_does_not_cut_a_longer_one_short(make: Callable[..., StoreBudget]) -> None:
    one, other = make(), make()
    one_call(one, full(50))
    one.enter("read")
    other.enter("read")
    one.leave("read", full(48), throttled_s=40.0)
    other.leave("read", full(47), throttled_s=3.0)

    assert wait_named(other) > 35


def test_a_429_that_names_no_time_backs_off_further_each_time(make: Callable[..., StoreBudget], clock: Clock) -> None:
    budget = make()
    budget.draw = lambda: 0.999
    one_call(budget, full(90))
    pauses = []
    for _ in range(8):
        budget.enter("read")
        before = clock.ms
        budget.leave("read", Quota(), throttled_s=0.0)
        while True:
            try:
                budget.enter("read")
                break
            except Throttled as error:
                clock.advance(error.retry_after_s)
        pauses.append((clock.ms - before) / 1000)
        budget.leave("read", Quota())

    assert pauses == sorted(pauses)
    assert pauses[0] < 2 < 30 < pauses[-1] < 70


def test_refusals_of_calls_that_were_under_way_together_count_once(make: Callable[..., StoreBudget]) -> None:
    budget = make()
    budget.draw = lambda: 0.999
    one_call(budget, full(90))
    others = [make() for _ in range(6)]
    for other in others:
        other.draw = budget.draw
        other.enter("read")
    for other in others:
        other.leave("read", Quota(), throttled_s=0.0)

    before = budget.store.now_ms()
    budget.enter("read")
    assert budget.store.now_ms() - before < 1_500


def test_a_date_in_the_place_of_a_reset_stops_nobody(make: Callable[..., StoreBudget]) -> None:
    budget = make()
    one_call(budget, Quota(left=99, limit=100, reset_s=1_790_000_000.0))

    before = budget.store.now_ms()
    one_call(budget, full(98))
    assert budget.store.now_ms() - before < 1000, "nobody has waited"


@pytest.mark.parametrize("garbled", [0.0, -1.0, float("inf"), float("nan")])
def test_a_rate_that_is_none_stops_nobody(make: Callable[..., StoreBudget], clock: Clock, garbled: float) -> None:
    budget = make(plans={"read": Quota(rate=5.0, burst=5)})
    one_call(budget, Quota(rate=garbled))
    began_ms = clock.ms
    for _ in range(10):
        one_call(budget, Quota(rate=5.0))

    assert clock.ms - began_ms < 5000


def test_a_clock_that_is_set_back_stops_nobody_for_as_long(make: Callable[..., StoreBudget], clock: Clock) -> None:
    """The store has failed over to a machine whose clock is an hour behind."""
    window, bucket, refused = make("window"), make("bucket", plans={"read": Quota(rate=5.0, burst=5)}), make("refused")
    one_call(window, full(0))
    for _ in range(20):
        one_call(bucket, Quota(rate=5.0))
    one_call(refused, full(50), throttled_s=30.0)
    clock.advance(-3600)

    assert wait_named(window) <= 11
    assert wait_named(refused) <= 31
    began_ms = clock.ms
    for _ in range(10):
        one_call(bucket, Quota(rate=5.0))
    assert clock.ms - began_ms < 5000


def test_a_caller_that_stood_still_is_not_a_clock_set_back(make: Callable[..., StoreBudget], clock: Clock) -> None:
    budget = make()
    one_call(budget, full(0))
    clock.advance(-90)
    wait_named(budget)
    clock.advance(90)

    assert wait_named(budget) > 5


def test_an_answer_that_came_before_its_call_by_the_clock_stops_nobody(
    make: Callable[..., StoreBudget], clock: Clock
) -> None:
    budget = make()
    one_call(budget, full(60))
    budget.enter("read")
    clock.advance(-90)
    budget.leave("read", full(50))
    began_ms = clock.ms
    for _ in range(5):
        one_call(budget, full(40))

    assert clock.ms - began_ms < 100


def test_a_part_of_the_quota_is_left_to_others(store: TimedStore) -> None:
    windows = Windows(100, 10_000, START_MS)
    play = Play(store, windows, reserve=0.25)
    play.call(*(Caller(number * 20, Urgency.WRITE_TO_ZERO) for number in range(300)))
    play.run(for_s=9.9)

    assert windows.used == 75


def test_a_window_is_used_whole_while_there_is_work(store: TimedStore) -> None:
    windows = Windows(100, 10_000, START_MS)
    play = Play(store, windows)
    play.call(*(Caller(number, Urgency.WRITE_UP) for number in range(400)))
    play.run(for_s=9.9)

    assert windows.used >= 97


def test_a_window_is_used_whole_beside_another_app(store: TimedStore) -> None:
    windows = Windows(150, 30_000, START_MS)
    refused: list[Caller] = []
    play = Play(store, windows, refused=refused.append)
    for number in range(150):  # fifty in each window
        play.timeline.after(number * 600, lambda: windows.spend(play.timeline.ms, 1))
    used: list[int] = []
    for number in range(1, 4):
        play.timeline.after(number * 30_000 - 1, lambda: used.append(windows.used))
    play.call(*(Caller(number, Urgency.WRITE_UP, up_ms=150, down_ms=150) for number in range(400)))
    play.run(for_s=95)

    assert not refused
    assert min(used[:2]) >= 146


def test_a_bucket_is_used_whole_while_there_is_work(store: TimedStore) -> None:
    outside = Tokens(5.0, 5, 5)
    play = Play(store, outside, {OPERATION: Quota(rate=5.0, burst=5)})
    play.call(*(Caller(number * 190, Urgency.WRITE_UP, up_ms=100, down_ms=100) for number in range(400)))
    play.run(for_s=60)

    assert sum(caller.served for caller in play.callers) >= 0.97 * 60 * 5


def test_a_write_to_zero_goes_at_once_when_a_full_reading_has_taken_all_it_may(store: TimedStore) -> None:
    play = Play(store, Windows(100, 30_000, START_MS))
    play.call(*(Caller(number, Urgency.BULK) for number in range(300)))
    sale = Caller(2_000, Urgency.WRITE_TO_ZERO)
    play.call(sale)
    play.run(for_s=29)

    assert sale.granted_ms - START_MS < 2_100


@pytest.mark.parametrize("outside", [Windows(20, 5_000, START_MS), Tokens(4.0, 5, 5)])
def test_the_more_urgent_are_served_first(store: TimedStore, outside: Windows | Tokens) -> None:
    plans = {OPERATION: Quota(rate=4.0, burst=5)} if isinstance(outside, Tokens) else {}
    play = Play(store, outside, plans, wait_s=60)
    play.call(*(Caller(10 * number, Urgency(4 - number % 5)) for number in range(100)))
    play.run(for_s=120)

    def middle(of: Urgency) -> int:
        times = sorted(caller.granted_ms for caller in play.callers if caller.urgency is of)
        return times[len(times) // 2]

    assert all(caller.served for caller in play.callers)
    assert [middle(of) for of in Urgency] == sorted(middle(of) for of in Urgency)


@pytest.mark.parametrize("outside", [Windows(10, 5_000, START_MS), Windows(1, 5_000, START_MS), Tokens(2.0, 5, 5)])
def test_a_full_reading_is_never_starved_for_ever(store: TimedStore, outside: Windows | Tokens) -> None:
    plans = {OPERATION: Quota(rate=2.0, burst=5)} if isinstance(outside, Tokens) else {}
    play = Play(store, outside, plans)
    reading = Caller(1_000, Urgency.BULK)
    # always more writes than there are calls
    play.call(*(Caller(number * 300, Urgency.WRITE_TO_ZERO) for number in range(200)), reading)
    play.run(for_s=60)

    assert reading.granted_ms


def test_nobody_waits_longer_than_a_few_seconds_for_leave(store: TimedStore) -> None:
    play = Play(store, Windows(10, 30_000, START_MS))
    play.call(*(Caller(number) for number in range(60)))
    play.run(for_s=20)

    late = [caller for caller in play.callers if not caller.granted_ms]
    assert late
    assert all(caller.put_off for caller in late)


def test_those_who_were_put_off_do_not_come_back_all_at_once(make: Callable[..., StoreBudget]) -> None:
    budget = make()
    one_call(budget, full(0))
    back = []
    for number in range(10):
        budget.draw = lambda number=number: number / 10
        back.append(wait_named(budget))

    assert max(back) - min(back) > 0.5


def test_a_call_that_ends_in_an_unforeseen_error_gives_its_place_back(make: Callable[..., StoreBudget]) -> None:
    budget = make()
    client = HttpClient("store", "http://127.0.0.1:1", budget=budget)

    def interrupt(*_: object, **__: object) -> requests.Response:
        raise KeyboardInterrupt

    client.session.request = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        client.call("read", "GET", "/")
    assert budget.store.client.zcard(budget._keys("read")[1]) == 0
    client.close()


def test_urgency_is_told_for_a_block_and_a_thread(make: Callable[..., StoreBudget]) -> None:
    budget = make()
    one_call(budget, full(5))  # the more urgent may have these; a part of the quota is kept from all others
    heard: list[str] = []

    def elsewhere() -> None:
        heard.append(budget.ask("read", "there", 1.0)[0])

    with urgency(Urgency.WRITE_TO_ZERO):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        verdict, _ = budget.ask("read", "here", 1.0)

    assert heard != ["go"]
    assert verdict == "go"


def test_one_can_tell_whether_a_call_was_made(make: Callable[..., StoreBudget]) -> None:
    before = calls_made()
    one_call(make(), full(99))

    assert calls_made() == before + 1


def test_what_an_answer_said_is_not_lost_when_the_store_is_down(
    make: Callable[..., StoreBudget], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    budget = make()
    budget.enter("read")

    def gone(*_: object) -> list[object]:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(TimedStore, "run", gone)
    budget.leave("read", full(99))

    assert "could not be told" in caplog.text
