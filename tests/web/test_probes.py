"""Probes, metrics and the counters behind them."""

from __future__ import annotations

import math
import threading

import pytest
import redis

from sync.telemetry.counters import Counters
from sync.web import create_app
from tests.conftest import TimedStore
from tests.web.conftest import Desk, OwnBroker, bigcommerce, build_app, no_timer


def test_whoever_answers_is_healthy_whatever_is_broken(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.store.client, "ping", away)
    assert desk.client.get("/healthz").status_code == 200


def test_ready_is_who_reaches_store_and_broker(desk: Desk) -> None:
    answer = desk.client.get("/readyz")
    assert (answer.status_code, answer.text) == (200, "store: ok\nbroker: ok\n")


def test_without_the_store_nobody_is_ready(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.store.client, "ping", away)
    answer = desk.client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "store: does not answer\nbroker: ok\n")


def test_without_the_broker_nobody_is_ready(
    store: TimedStore, own_broker: OwnBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_timer(monkeypatch)
    client = create_app(build_app(store, own_broker.url, bigcommerce())).test_client()
    own_broker.stop()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "store: ok\nbroker: does not answer\n")


def test_a_store_that_hangs_is_told_in_bounded_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(desk.store.client, "ping", lambda: over.wait(60))
    try:
        assert desk.client.get("/readyz").status_code == 503
    finally:
        over.set()


def test_metrics_are_prometheus_text(desk: Desk) -> None:
    desk.send()
    desk.post(b"{}")
    answer = desk.client.get("/metrics")
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'inventory_sync_webhooks_total{channel="store",result="kept"} 1' in lines
    assert 'inventory_sync_webhooks_total{channel="store",result="unsigned"} 1' in lines
    assert 'inventory_sync_waiting{channel="store",work="read"} 1' in lines
    assert "inventory_sync_store_up 1" in lines
    for line in lines:
        assert line.startswith(("# HELP ", "# TYPE ")) or len(line.rsplit(" ", 1)) == 2


def test_metrics_tell_when_the_store_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.store, "now_ms", away)
    answer = desk.client.get("/metrics")
    assert answer.status_code == 200
    assert "inventory_sync_store_up 0" in answer.text


def test_all_processes_count_as_one(store: TimedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    no_timer(monkeypatch)
    ours, theirs = Counters(store), Counters(store)
    ours.add("things", "a", "b")
    theirs.add("things", "a", "b", by=2)
    theirs.add("things", "", "c")
    ours.flush()
    theirs.flush()
    ours.flush()
    assert ours.read("things") == {("", "c"): 1, ("a", "b"): 3}


def test_counts_outlast_a_store_that_is_away(store: TimedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    no_timer(monkeypatch)
    counters = Counters(store)
    counters.add("things", "a")
    with monkeypatch.context() as patch:
        patch.setattr("redis.client.Pipeline.execute", away)
        counters.flush()
    counters.flush()
    assert counters.read("things") == {("a",): 1}


def test_counts_reach_the_store_by_themselves(store: TimedStore) -> None:
    counters = Counters(store, gather_s=0.01)
    counters.add("things", "a")
    timer = counters._timer
    assert timer is not None
    timer.join(5)
    assert counters.read("things") == {("a",): 1}


def test_nothing_is_found_where_nothing_is(desk: Desk) -> None:
    answer = desk.client.get("/")
    assert (answer.status_code, answer.data) == (404, b"")
    assert desk.counted() == {}


def away(*_: object, **__: object) -> bool:
    raise redis.ConnectionError("the store is away")


def test_a_forked_process_counts_what_it_counts_and_nothing_twice(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = Counters(store, gather_s=math.inf)
    counters.add("things", "before the fork")
    with monkeypatch.context() as child:
        child.setattr("sync.telemetry.counters.os.getpid", lambda: -1)
        counters.add("things", "after it")
        counters.flush()
    assert counters.read("things") == {("after it",): 1}
