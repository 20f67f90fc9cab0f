"""Schedulers: any number of them send each tick, and it counts once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from sync.beat import HEADER, Tick, Ticks, TickScheduler
from sync.celery import SyncApp
from sync.errors import SettingsError
from sync.schedule import Slots, parse_schedule
from sync.storage import embedded
from sync.telemetry import runs
from tests.conftest import TimedStore
from tests.web.conftest import build_app, no_timer

NOW = datetime(2026, 1, 31, 12, 7, tzinfo=UTC)

TICK = Tick("audit orders", 1_790_000_000)


@pytest.fixture
def app(store: TimedStore, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> SyncApp:
    """An app whose schedule has one entry, on a real store and broker."""
    no_timer(monkeypatch)
    app = build_app(store, embedded.broker_url(data_dir))
    app.context.settings = app.context.settings.model_copy(update={"schedule": None})
    app.conf.task_routes = None
    app.conf.beat_max_loop_interval = 5
    app.conf.beat_schedule = parse_schedule({"look": {"task": "sync.look", "every": "5m"}}, "a schedule")

    @app.task(name="sync.look", shared=False)
    def look() -> str:
        return "looked"

    return app


def sent(app: SyncApp) -> list[dict[str, Any]]:
    """The headers of all messages that wait in the queue, which are taken off it."""
    found = []
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue("celery")
        while True:
            try:
                message = queue.get(block=False)
            except queue.Empty:
                return found
            message.ack()
            found.append(message.headers)


def test_a_tick_is_taken_by_the_first_message_that_comes(store: TimedStore) -> None:
    ticks = Ticks(store)
    assert ticks.claim(TICK, "a")
    assert not ticks.claim(TICK, "b")


def test_a_message_that_is_delivered_again_still_has_its_tick(store: TimedStore) -> None:
    ticks = Ticks(store)
    assert ticks.claim(TICK, "a")
    assert ticks.claim(TICK, "a")


def test_a_tick_that_comes_after_a_later_one_is_dropped(store: TimedStore) -> None:
    ticks = Ticks(store)
    ticks.claim(Tick("look", 20), "a")
    assert not ticks.claim(Tick("look", 10), "b")
    assert ticks.claim(Tick("other", 10), "b")
    assert ticks.last() == {"look": 20, "other": 10}


def test_a_scheduler_whose_clock_is_ahead_silences_nobody(store: TimedStore, app: SyncApp) -> None:
    now_s, ticks = store.now_ms() // 1000, Ticks(store)
    assert ticks.claim(Tick("look", now_s + 86_400), "ahead")
    assert ticks.claim(Tick("look", now_s), "right")
    assert not ticks.claim(Tick("look", now_s), "right too")
    ticks.claim(Tick("look", 2**33), "far ahead")
    assert TickScheduler(app).schedule["look"].last_run_at <= datetime.now(UTC)


def test_the_name_of_a_tick_goes_into_a_header_and_back() -> None:
    assert Tick.parse(str(TICK)) == TICK


def test_two_schedulers_name_the_same_tick_alike_and_each_sends_it(app: SyncApp) -> None:
    for now in (NOW, NOW + timedelta(seconds=3)):
        scheduler = TickScheduler(app)
        entry = scheduler.schedule["look"]
        entry.schedule = Slots(timedelta(minutes=5), nowfun=lambda now=now: now)
        scheduler.apply_entry(entry, producer=scheduler.producer)
        scheduler.close()
    found = sent(app)
    slot = int(NOW.timestamp()) - 120
    assert [headers[HEADER] for headers in found] == [f"{slot} look"] * 2
    assert len({headers[runs.HEADER] for headers in found}) == 2, "each begins a run"


def test_what_one_scheduler_sends_says_nothing_about_its_next_tick(app: SyncApp) -> None:
    scheduler = TickScheduler(app)
    scheduler.apply_entry(scheduler.schedule["look"], producer=scheduler.producer)
    scheduler.close()
    assert "headers" not in scheduler.schedule["look"].options


def test_a_scheduler_knows_when_a_task_last_ran_wherever_that_was(app: SyncApp, store: TimedStore) -> None:
    Ticks(store).claim(Tick("look", int(NOW.timestamp())), "a")
    assert TickScheduler(app).schedule["look"].last_run_at == NOW


def test_a_scheduler_starts_without_the_store_too(
    app: SyncApp, store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise redis.ConnectionError("the store is away")

    monkeypatch.setattr(store.client, "hgetall", away)
    assert list(TickScheduler(app).schedule) == ["look"]


def test_a_scheduler_does_not_start_with_an_entry_that_cannot_run(app: SyncApp) -> None:
    app.conf.beat_schedule = parse_schedule({"look": {"task": "sync.lok", "every": "5m"}}, "a schedule")
    with pytest.raises(SettingsError, match=r"look.task: there is no task 'sync.lok'; did you mean 'sync.look'\?"):
        TickScheduler(app, lazy=True)
