"""The receiver: what is kept before it says 200, and what it refuses."""

from __future__ import annotations

import base64
import hmac
import io
import json
import logging
import os
import signal
import time
from datetime import UTC, datetime

import pytest
import redis
from standardwebhooks import Webhook

from channels.bigcommerce.webhooks import SECRET_HEADER, secret_header
from channels.webhooks import BODY_LIMIT
from sync.pull import Pulls
from sync.web import create_app
from tests.conftest import TimedStore
from tests.web.conftest import SECRET, Desk, OwnBroker, bigcommerce, build_app, no_timer, signed

REFRESH = ("sync.refresh", {"channel": "store"})


def test_an_event_is_marked_and_rung_for_before_it_is_answered(desk: Desk) -> None:
    assert desk.send(desk.event(7)) == 200
    assert set(desk.marks) == {"p7"}
    assert desk.rung == [REFRESH]
    assert desk.counted() == {"kept": 1}


def test_a_burst_of_events_rings_once(desk: Desk) -> None:
    assert {desk.send(desk.event(product)) for product in range(1, 30)} == {200}
    assert len(desk.marks) == 29
    assert desk.rung == [REFRESH]


def test_the_ring_goes_to_the_queue_that_is_served_first(desk: Desk) -> None:
    desk.send()
    assert desk.broker.llen("is:celery:webhooks") == 1


# What is not from the store.


def refuse(desk: Desk, body: bytes, headers: dict[str, str], status: int, reason: str, channel: str = "store") -> None:
    answer = desk.post(body, headers, channel)
    assert (answer.status_code, answer.data) == (status, b"")
    assert not desk.touched
    assert desk.counted() == {reason: 1}


def test_an_unsigned_request_is_refused(desk: Desk) -> None:
    refuse(desk, json.dumps(desk.event()).encode(), {}, 401, "unsigned")


def test_a_forged_request_is_refused(desk: Desk) -> None:
    body = json.dumps(desk.event()).encode()
    refuse(desk, body, signed(body, secret="guessed"), 401, "forged")


def test_a_body_that_was_changed_on_its_way_is_refused(desk: Desk) -> None:
    body = json.dumps(desk.event()).encode()
    refuse(desk, body + b" ", signed(body), 401, "forged")


def test_a_request_of_another_time_is_refused(desk: Desk) -> None:
    body = json.dumps(desk.event()).encode()
    refuse(desk, body, signed(body, at=time.time() - 301), 401, "stale")


def test_a_body_larger_than_any_event_is_refused(desk: Desk) -> None:
    body = b" " * (BODY_LIMIT + 1)
    refuse(desk, body, signed(body), 413, "oversized")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"scope": 1}'])
def test_what_is_no_event_is_refused(desk: Desk, body: bytes) -> None:
    refuse(desk, body, signed(body), 400, "malformed")


class NoChunk(io.RawIOBase):
    """What a server makes of a body whose chunks are none."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        raise LookupError("Invalid chunk size: b'zz'")  # each server has an error of its own


def test_a_body_that_is_no_http_is_refused_and_no_error_of_ours(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    body = {"wsgi.input": io.BufferedReader(NoChunk()), "CONTENT_LENGTH": "10"}
    answer = desk.client.post("/webhooks/store", environ_overrides=body)
    assert (answer.status_code, answer.data) == (400, b"")
    assert desk.counted() == {"malformed": 1}
    assert not caplog.records


def test_another_stores_event_is_refused(desk: Desk) -> None:
    body = json.dumps(desk.event(producer="stores/other")).encode()
    refuse(desk, body, signed(body), 403, "foreign")


@pytest.mark.parametrize("channel", ["nobody", "market", "stor", "STORE", "%2e%2e", "a%00b"])
def test_a_channel_that_takes_no_webhooks_is_unknown(desk: Desk, channel: str) -> None:
    body = json.dumps(desk.event()).encode()
    refuse(desk, body, signed(body), 404, "unknown", channel)


def test_only_posts_are_taken(desk: Desk) -> None:
    for method in ("get", "put", "delete", "patch"):
        answer = getattr(desk.client, method)("/webhooks/store")
        assert (answer.status_code, answer.data) == (405, b"")
    assert desk.counted() == {"method": 4}


def test_refused_requests_are_answered_while_the_store_is_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.store, "now_ms", unreachable)
    assert desk.post(b"{}", {}).status_code == 401


def test_neither_secrets_nor_payloads_are_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = json.dumps(desk.event(note="a customer's name")).encode()
    for headers in (signed(body), signed(body, secret="guessed"), {}):
        desk.post(body, headers)
    desk.post(b"{", signed(b"{"))
    for secret in (SECRET, "guessed", "customer", "v1,", secret_header(bigcommerce().settings.client_secret, "abc123")):  # type: ignore[arg-type]
        assert secret not in caplog.text


# The three proofs, and the library that BigCommerce prescribes.


def test_what_the_library_signs_is_taken(desk: Desk) -> None:
    body = json.dumps(desk.event(), ensure_ascii=False)
    now = datetime.now(UTC)
    library = Webhook(base64.b64encode(SECRET.encode()).decode())
    headers = {
        "webhook-id": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": library.sign("msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", now, body),
    }
    assert desk.post(body.encode(), headers).status_code == 200


def test_what_our_store_signs_the_library_takes() -> None:
    body = b'{"scope": "store/product/updated"}'
    assert Webhook(base64.b64encode(SECRET.encode()).decode()).verify(body, signed(body)) == json.loads(body)


def test_each_way_of_proof_is_its_own(store: TimedStore, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    no_timer(monkeypatch)
    by_header, by_body = bigcommerce("header", webhook_auth="header"), bigcommerce("body", webhook_auth="body")
    desk.celery.context.channels = {"header": by_header, "body": by_body}
    body = json.dumps(desk.event()).encode()
    secret = by_header.settings.client_secret
    assert secret is not None
    header = {SECRET_HEADER: secret_header(secret, "abc123")}
    hexadecimal = {"X-BC-Webhook-Signature": hmac.digest(SECRET.encode(), body, "sha256").hex()}
    assert desk.post(body, header, "header").status_code == 200
    assert desk.post(body, hexadecimal, "body").status_code == 200
    for channel, headers in (("header", hexadecimal), ("body", header), ("header", signed(body)), ("body", {})):
        assert desk.post(body, headers, channel).status_code == 401


# Repetitions.


def test_a_repetition_within_two_days_costs_nothing(desk: Desk) -> None:
    event = desk.event(age_s=5)
    assert desk.send(event) == 200
    desk.come()
    before = desk.marks
    desk.store.clock.advance(40 * 3600)
    assert desk.send(event) == 200
    assert (desk.marks, desk.rung) == (before, [])
    assert desk.counted() == {"kept": 1, "repeated": 1}


def test_the_same_message_is_a_repetition_even_at_once(desk: Desk) -> None:
    event = desk.event()
    desk.send(event, message="msg_a")
    before = desk.marks
    desk.send(event, message="msg_a")
    assert desk.marks == before


def test_a_like_change_within_the_same_second_is_another_event(desk: Desk) -> None:
    event = desk.event()
    desk.send(event, message="msg_a")
    first = desk.marks["p7"]
    desk.store.clock.advance(0.4)
    desk.send(event, message="msg_b")
    assert desk.marks["p7"] > first + 300


def test_a_like_change_that_was_delivered_late_is_read_once_more(desk: Desk) -> None:
    event = desk.event()
    desk.send(event, message="msg_a")
    first = desk.marks["p7"]
    desk.store.clock.advance(30)
    for _ in range(3):
        desk.send(event, message="msg_b")
    assert desk.marks["p7"] > first
    assert desk.counted() == {"kept": 2, "repeated": 2}


def test_events_of_one_second_about_one_product_are_told_apart_by_their_scope(desk: Desk) -> None:
    for scope in ("store/product/created", "store/product/updated"):
        desk.send(desk.event(scope=scope, age_s=5))
    assert desk.counted() == {"kept": 2}


def test_an_event_without_a_time_is_repeated_only_by_the_same_message(desk: Desk) -> None:
    event = desk.event(created_at=None)
    for message in ("msg_a", "msg_a", "msg_b"):
        desk.send(event, message=message)
    assert desk.counted() == {"kept": 2, "repeated": 1}


# What events ask for.


def test_an_event_about_a_listing_that_is_being_written_waits_for_the_settle_time(desk: Desk) -> None:
    until_ms = desk.store.now_ms() + 2500
    desk.celery.context.worklist.hush("store", ["p7"], desk.store.now_ms(), until_ms)
    desk.send(desk.event(7))
    desk.send(desk.event(8))
    assert desk.marks["p7"] == until_ms
    assert desk.marks["p8"] < until_ms
    desk.store.clock.advance(3)
    desk.send(desk.event(7, value=4, hash="another"))
    assert desk.marks["p7"] > until_ms


def test_an_event_about_an_order_has_the_orders_looked_at(desk: Desk) -> None:
    desk.send(desk.event(scope="store/order/created", data={"type": "order", "id": 250}))
    assert desk.rung == [("sync.audit_orders", {"channel": "store"})]
    assert desk.marks == {}


def test_a_listing_that_is_gone_is_read_and_a_full_reading_asked_for(desk: Desk) -> None:
    desk.send(desk.event(scope="store/product/deleted", data={"type": "product", "id": 7}))
    assert set(desk.marks) == {"p7"}
    assert desk.tasks == ["sync.reconcile", "sync.refresh"]
    assert desk.store.client.hexists("is:pull:store", "unsure"), "what has changed would not tell"


def test_a_change_that_names_nothing_asks_for_a_full_reading_now(desk: Desk) -> None:
    event = desk.event(data={"x": 1}, age_s=5)
    desk.send(event)
    assert desk.tasks == ["sync.pull"]
    assert wanted(desk) > 0
    desk.store.client.delete("is:pull:store")
    desk.send(event)
    assert wanted(desk) == 0


def test_a_late_event_means_that_others_were_missed(desk: Desk) -> None:
    desk.send(desk.event(1, age_s=10))
    assert wanted(desk) == 0
    desk.send(desk.event(2, age_s=61))
    assert wanted(desk) > 0
    assert desk.tasks == ["sync.pull", "sync.refresh"]


def test_one_full_reading_is_asked_for_however_many_events_are_late(desk: Desk) -> None:
    desk.send(desk.event(1, age_s=61))
    desk.store.client.delete("is:pull:store")
    desk.send(desk.event(2, age_s=62))
    assert wanted(desk) == 0


def test_a_full_reading_is_asked_for_when_whoever_was_to_ask_has_died(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = desk.event(1, age_s=61)
    with monkeypatch.context() as patch:
        patch.setattr(Pulls, "want", unreachable)
        assert desk.send(event, message="msg_a") == 503
    assert desk.send(event, message="msg_a") == 200
    assert wanted(desk) > 0


def test_an_unknown_scope_is_accepted_and_counted(desk: Desk) -> None:
    assert desk.send(desk.event(scope="store/cart/created")) == 200
    assert (desk.marks, desk.rung) == ({}, [])
    assert 'inventory_sync_webhooks_unknown_scope_total{channel="store"} 1' in desk.client.get("/metrics").text


# When it cannot be kept.


def unreachable(*_: object, **__: object) -> int:
    raise redis.ConnectionError("the store is away")


def test_without_the_store_it_is_never_200(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    event = desk.event()
    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "now_ms", unreachable)
        assert desk.send(event, message="msg_a") == 503
    assert desk.send(event, message="msg_a") == 200
    assert set(desk.marks) == {"p7"}
    assert desk.counted() == {"kept": 1, "not kept": 1}


@pytest.fixture
def apart(store: TimedStore, own_broker: OwnBroker, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A receiver whose broker is another server than its store."""
    no_timer(monkeypatch)
    celery = build_app(store, own_broker.url, bigcommerce())
    return Desk(celery, create_app(celery).test_client(), own_broker.client)


def test_without_the_broker_it_is_503_and_the_repetition_is_news(apart: Desk, own_broker: OwnBroker) -> None:
    event = apart.event(age_s=5)
    own_broker.stop()
    assert apart.send(event, message="msg_a") == 503
    assert apart.send(event, message="msg_a") == 503
    own_broker.start()
    apart.store.clock.advance(60)
    forget_what_the_broker_said(apart)
    assert apart.send(event, message="msg_a") == 200
    assert apart.tasks == ["sync.pull", "sync.refresh"]


def test_without_the_broker_it_is_503_even_if_the_bell_was_rung_before(apart: Desk, own_broker: OwnBroker) -> None:
    assert apart.send(apart.event(1)) == 200
    own_broker.stop()
    forget_what_the_broker_said(apart)
    assert apart.send(apart.event(2)) == 503


def test_a_broker_that_came_back_is_found_again(apart: Desk, own_broker: OwnBroker) -> None:
    assert apart.send(apart.event(1)) == 200
    own_broker.stop()
    own_broker.start()
    apart.store.client.delete("is:bell:sync.refresh:store")
    assert apart.send(apart.event(2)) == 200
    assert apart.tasks == ["sync.refresh"]


def test_a_broker_that_hangs_holds_nobody_up_for_long(apart: Desk, own_broker: OwnBroker) -> None:
    assert own_broker.server is not None
    os.kill(own_broker.server.pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        assert apart.send(apart.event(1)) == 503
        assert apart.client.get("/readyz").status_code == 503
    finally:
        os.kill(own_broker.server.pid, signal.SIGCONT)
    assert time.monotonic() - began < 8


def forget_what_the_broker_said(desk: Desk) -> None:
    desk.client = create_app(desk.celery).test_client()


def wanted(desk: Desk) -> int:
    """When a full reading was asked for last."""
    return int(desk.store.client.hget("is:pull:store", "wanted") or 0)
