"""How the store says no, what it tells of its quota, and what must never get out."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.client import words_of
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.contract import Write
from channels.errors import ChannelError, Denied, Rejected, Throttled, Unanswered
from channels.sandbox import Fault
from channels.services import Quota, Services, Unlimited

Connect = Callable[..., BigCommerceChannel]

TYPE = "https://developer.bigcommerce.com/api-docs/getting-started/api-status-codes"


def answer(status: int, body: object = "", *, headers: Mapping[str, str] | None = None) -> requests.Response:
    """An answer as the wire would bring it."""
    response = requests.Response()
    response.status_code, response.reason = status, "Reason"
    response._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response.headers.update(headers or {})
    response.request = requests.Request("GET", "https://api.example.com/stores/x/v3/catalog/products").prepare()
    return response


@pytest.mark.parametrize(
    ("status", "body", "kind", "text", "fields"),
    [
        (
            422,
            {"status": 422, "title": "Missing Required Fields", "type": TYPE, "errors": {"name": "Please provide."}},
            Rejected,
            "Missing Required Fields",
            {"name": "Please provide."},
        ),
        (409, {"status": 409, "title": "Sku is not unique", "type": TYPE}, Rejected, "Sku is not unique", {}),
        (404, {"status": 404, "title": "Not found", "errors": {}}, Rejected, "Not found", {}),
        (
            413,
            {"errors": {}, "status": 413, "title": "The maximum items allowed in the array is 10.", "type": "/x"},
            Rejected,
            "The maximum items allowed in the array is 10.",
            {},
        ),
        (
            422,
            {
                "batch_errors": [
                    {"status": 422, "title": "Bad", "errors": {"1.id": "no such variant"}},
                    {"status": 422, "title": "Bad", "errors": {"2.id": "nor this"}},
                    {"status": 409, "title": "Worse", "errors": {}},
                ]
            },
            Rejected,
            "Bad; Worse",
            {"1.id": "no such variant", "2.id": "nor this"},
        ),
        (
            400,
            [{"status": 400, "message": "The field 'x' is invalid."}, {"status": 404, "message": "Nor y."}],
            Rejected,
            "The field 'x' is invalid.; Nor y.",
            {},
        ),
        (401, "Unauthorized", Denied, "Unauthorized", {}),
        (415, "<html><head><title>415</title></head></html>", Rejected, "Reason", {}),
        (500, "", Unanswered, "Reason", {}),
        (502, "<html>Bad gateway</html>", Unanswered, "Reason", {}),
        (503, {"status": 503, "title": "Store down for maintenance"}, Unanswered, "Store down for maintenance", {}),
        (423, {"status": 423, "title": "Locked"}, Unanswered, "Locked", {}),
        (499, {"status": 499, "title": "Client Closed Request"}, Unanswered, "Client Closed Request", {}),
        (405, {"status": 405, "detail": "No PUT here"}, Rejected, "No PUT here", {}),
        (422, {"errors": {"a": "b"}}, Rejected, "the request is not valid", {"a": "b"}),
        (422, {"weird": True}, Rejected, '{"weird": true}', {}),
        (400, "null", Rejected, "null", {}),
        (429, {"status": 429, "title": "Too many requests"}, Throttled, "Too many requests", {}),
    ],
)
def test_every_way_to_say_no_becomes_a_typed_error_with_the_stores_words(
    channel: BigCommerceChannel, status: int, body: object, kind: type[ChannelError], text: str, fields: dict[str, str]
) -> None:
    error = channel.client.refusal("read products", answer(status, body))
    assert type(error) is kind
    assert (error.words, error.fields, error.status) == (text, fields, status)


def test_a_207_speaks_with_the_words_under_its_errors() -> None:
    body = {"data": [], "errors": {"status": 207, "title": "Multi-Status", "errors": {"inventory_level": "no"}}}
    assert words_of(body) == ("Multi-Status", {"inventory_level": "no"}, "")


def test_a_long_list_of_items_does_not_hide_what_is_wrong_with_them() -> None:
    items = ", ".join(f"product_id {number}" for number in range(2000))
    words = words_of({"title": f"Items with identity: [{items}] requires absolute adjustment before relative"})
    assert words is not None
    assert words.text.endswith("...] requires absolute adjustment before relative")
    assert len(words.text) <= 300


@pytest.mark.parametrize(
    ("path", "method", "advice"),
    [
        ("/v3/catalog/products", "GET", "'Products' (read-only)"),
        ("/v3/catalog/variants", "PUT", "'Products' (modify)"),
        ("/v3/inventory/items", "GET", "'Store Inventory' (read-only)"),
        ("/v3/inventory/adjustments/absolute", "PUT", "'Store Inventory' (modify)"),
        ("/v2/orders", "GET", "'Orders' (read-only)"),
        ("/v3/settings/inventory", "GET", "'Information & Settings' (read-only)"),
        ("/v3/hooks", "POST", "what the store's plan allows"),
    ],
)
def test_a_403_names_the_scope_that_is_missing(
    channel: BigCommerceChannel, path: str, method: str, advice: str
) -> None:
    response = answer(403, {"status": 403, "title": "You don't have a required scope"})
    response.request = requests.Request(method, f"https://api.example.com/stores/abc{path}").prepare()
    assert advice in channel.client.refusal("a call", response).advice


def test_a_real_403_names_the_scope_too(store: Store, channel: BigCommerceChannel) -> None:
    store.scopes = {"store_v2_orders"}
    with pytest.raises(Denied, match=r"needs the scope 'Products' \(read-only\)"):
        list(channel.read_all())


@pytest.mark.parametrize(
    ("headers", "quota"),
    [
        (
            {
                "X-Rate-Limit-Time-Window-Ms": "30000",
                "X-Rate-Limit-Time-Reset-Ms": "15500",
                "X-Rate-Limit-Requests-Quota": "150",
                "X-Rate-Limit-Requests-Left": "35",
            },
            Quota(left=35, limit=150, reset_s=15.5, window_s=30.0),
        ),
        ({"x-rate-limit-requests-left": "0"}, Quota(left=0)),
        ({"X-Rate-Limit-Remaining": "12", "X-Rate-Limit-Reset": "9"}, Quota(left=12, reset_s=9)),
        ({"X-Rate-Limit-Remaining": "12", "X-Rate-Limit-Reset": "1790000000"}, Quota(left=12)),
        ({"X-Rate-Limit-Requests-Left": "soon", "X-Rate-Limit-Time-Reset-Ms": "-1"}, Quota()),
        ({}, Quota()),
    ],
)
def test_the_quota_is_what_the_headers_say(channel: BigCommerceChannel, headers: dict[str, str], quota: Quota) -> None:
    assert channel.client.quota("read", answer(200, headers=headers)) == quota


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"X-Retry-After": "20", "X-Rate-Limit-Time-Reset-Ms": "15000"}, 20),
        ({"X-Retry-After": "5", "X-Rate-Limit-Time-Reset-Ms": "15500"}, 15.5),
        ({"Retry-After": "7"}, 7),
        ({"X-Rate-Limit-Reset": "3"}, 3),
        ({"X-Rate-Limit-Reset": "1790000000"}, 0),
        ({"X-Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ({}, 0),
    ],
)
def test_the_longest_wait_that_a_429_names_is_honoured(
    channel: BigCommerceChannel, headers: dict[str, str], pause_s: float
) -> None:
    assert channel.client.pause_s(answer(429, headers=headers)) == pause_s


class Notes(Unlimited):
    """A budget that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Quota, float | None]] = []

    def leave(
        self, operation: str, quota: Quota, *, throttled_s: float | None = None, status: int | None = None
    ) -> None:
        self.told.append((operation, quota, throttled_s))


def test_the_budget_hears_of_every_answer(store: Store, connect: Connect) -> None:
    notes = Notes()
    channel = connect(Services(budget=notes))
    store.quota.limit, store.quota.retry_after_s = 1, 40
    list(channel.read_all())
    with pytest.raises(Throttled) as caught:
        list(channel.read_all())
    (_, first, unthrottled), (_, second, throttled_s) = notes.told
    assert (first.left, first.limit, first.window_s, unthrottled) == (0, 1, 30.0, None)
    assert (second.left, throttled_s) == (0, 40)
    assert caught.value.retry_after_s == 40


def test_a_429_without_headers_names_no_pause(store: Store, connect: Connect) -> None:
    notes = Notes()
    channel = connect(Services(budget=notes))
    store.quota.limit, store.quota.headers = 0, False
    with pytest.raises(Throttled):
        list(channel.read_all())
    assert notes.told == [("read products", Quota(), 0.0)]


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"X-Retry-After": "7", "X-Rate-Limit-Time-Reset-Ms": "3000"}, 7),
        ({"X-Retry-After": "1795748190", "X-Rate-Limit-Time-Reset-Ms": "3000"}, 3),
        ({"X-Rate-Limit-Time-Reset-Ms": "1795748190000"}, 0),
        ({"X-Retry-After": "9" * 5000}, 0),
        ({"X-Retry-After": "-5"}, 0),
        ({"X-Retry-After": "soon", "X-Rate-Limit-Reset": "2"}, 2),
    ],
)
def test_a_429_that_names_a_moment_is_not_waited_for_until_then(
    channel: BigCommerceChannel, headers: dict[str, str], pause_s: float
) -> None:
    assert channel.client.pause_s(answer(429, headers=headers)) == pause_s


class Watch(HTTPAdapter):
    """Sends as ever, and notes with which timeout."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[Any] = []

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        self.timeouts.append(kwargs.get("timeout"))
        return super().send(request, *args, **kwargs)


@pytest.mark.parametrize("write", ["catalog", "inventory", "relative"])
def test_every_request_has_a_connect_and_a_read_timeout(store: Store, connect: Connect, write: str) -> None:
    store.add("MUG", 3)
    store.sell("MUG", 1)
    channel = connect(write=write, read_timeout_s=11)
    watch = Watch()
    channel.client.session.mount("http://", watch)
    (page,) = channel.read_all()
    channel.read([page.levels[0].ref])
    channel.write([Write(page.levels[0].ref, "MUG", 1, 2)])
    list(channel.sales(datetime(2020, 1, 1, tzinfo=UTC)))
    assert len(watch.timeouts) >= 5
    assert set(watch.timeouts) == {(5.0, 11.0)}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", status=401),
        Fault("answer", status=403),
        Fault("answer", status=429),
        Fault("answer", status=500),
        Fault("hang up"),
        Fault("garbage"),
    ],
)
def test_no_secret_is_in_an_error_a_repr_or_a_log(
    sandbox: BigCommerceSandbox, channel: BigCommerceChannel, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.faults.add(fault)
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ChannelError) as caught:
        list(channel.read_all())
    outcomes = []
    try:
        outcomes = channel.write([Write("p1", "A", 1, 2)])
    except ChannelError as error:
        outcomes = [error]
    shown = [repr(channel), repr(channel.settings), str(channel.settings), repr(caught.value), str(caught.value)]
    shown += [repr(caught.value.__cause__), repr(outcomes), caplog.text]
    for secret in (sandbox.store.token, sandbox.store.client_secret):
        assert all(secret not in text for text in shown)


def test_no_call_goes_where_a_redirect_points(sandbox: BigCommerceSandbox, channel: BigCommerceChannel) -> None:
    sandbox.faults.add(Fault("answer", status=302, headers={"Location": "http://127.0.0.1:9/"}))
    with pytest.raises(ChannelError):
        list(channel.read_all())
    assert len(sandbox.requests) == 1
