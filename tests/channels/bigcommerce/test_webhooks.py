"""Webhooks coming in: who is believed, and what an event asks to look at."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bigcommerce import BigCommerceSettings
from channels.bigcommerce.sandbox.webhooks import signature
from channels.bigcommerce.webhooks import (
    BODY_LIMIT,
    SECRET_HEADER,
    BadEvent,
    Event,
    Refusal,
    parse,
    receive,
    secret_header,
    verify,
)

NOW = 1_790_000_000
SECRET = "client-secret"
BODY = json.dumps(
    {
        "scope": "store/product/inventory/updated",
        "store_id": "1001",
        "data": {"type": "product", "id": 7, "inventory": {"product_id": 7, "method": "absolute", "value": 5}},
        "hash": "1f2e",
        "created_at": NOW,
        "producer": "stores/abc123",
    }
).encode()


def settings(**changes: object) -> BigCommerceSettings:
    known = {"type": "bigcommerce", "store_hash": "abc123", "access_token": "token", "client_secret": SECRET}
    return BigCommerceSettings.model_validate(known | changes)


def signed(body: bytes = BODY, *, secret: str = SECRET, at: int = NOW, message_id: str = "msg_1") -> dict[str, str]:
    return signature(secret, message_id, at, body)


# Standard Webhooks.


def test_a_signed_event_is_believed() -> None:
    assert verify(settings(), signed(), BODY, now=NOW) is None


def test_header_names_are_compared_without_their_case() -> None:
    headers = {name.title(): value for name, value in signed().items()}
    assert verify(settings(), headers, BODY, now=NOW) is None


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_without_one_of_the_three_headers_an_event_is_unsigned(name: str) -> None:
    headers = signed()
    del headers[name]
    assert verify(settings(), headers, BODY, now=NOW) is Refusal.UNSIGNED


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (signed(), BODY + b" "),
        (signed(secret="another"), BODY),
        (signed() | {"webhook-id": "msg_2"}, BODY),
        (signed() | {"webhook-timestamp": str(NOW + 1)}, BODY),
        (signed() | {"webhook-timestamp": "now"}, BODY),
        (signed() | {"webhook-signature": "v1"}, BODY),
        (signed() | {"webhook-signature": "v1,"}, BODY),
        (signed() | {"webhook-signature": "v1,not base64!"}, BODY),
        (signed() | {"webhook-signature": "v1,ÄÖÜ"}, BODY),
        (signed() | {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v1a,")}, BODY),
        (signed() | {"webhook-signature": signed()["webhook-signature"].removeprefix("v1,")}, BODY),
        (signed() | {"webhook-signature": "v1," + hmac.digest(SECRET.encode(), BODY, "sha256").hex()}, BODY),
    ],
)
def test_what_was_changed_on_its_way_is_forged(headers: dict[str, str], body: bytes) -> None:
    assert verify(settings(), headers, body, now=NOW) is Refusal.FORGED


@pytest.mark.parametrize(("age", "refusal"), [(0, None), (300, None), (-300, None), (301, "stale"), (-301, "stale")])
def test_five_minutes_are_tolerated_to_either_side(age: int, refusal: str | None) -> None:
    assert verify(settings(), signed(at=NOW - age), BODY, now=NOW) == refusal


def test_one_right_signature_among_several_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = "v1,AAAA v2,BBBB nonsense " + headers["webhook-signature"]
    assert verify(settings(), headers, BODY, now=NOW) is None


def test_the_secret_before_the_current_one_still_signs_while_it_is_named() -> None:
    rotated = settings(client_secret="new-secret", client_secret_previous=SECRET)
    assert verify(rotated, signed(), BODY, now=NOW) is None
    assert verify(rotated, signed(secret="new-secret"), BODY, now=NOW) is None
    assert verify(settings(client_secret="new-secret"), signed(), BODY, now=NOW) is Refusal.FORGED


def test_a_late_repetition_is_believed_when_it_carries_our_own_secret_too() -> None:
    late = signed(at=NOW - 86_400)
    known = settings()
    assert known.client_secret is not None
    late[SECRET_HEADER] = secret_header(known.client_secret, known.store_hash)
    assert verify(known, late, BODY, now=NOW) is None
    assert verify(known, late | {"webhook-signature": "v1,AAAA"}, BODY, now=NOW) is Refusal.FORGED


def test_without_a_client_secret_nobody_is_believed() -> None:
    for auth in ("standard", "header", "body"):
        assert verify(settings(client_secret=None, webhook_auth=auth), signed(secret=""), BODY, now=NOW) is not None


def test_what_their_library_signs_we_verify_and_the_reverse() -> None:
    library = pytest.importorskip("standardwebhooks", reason="the library that BigCommerce prescribes is not installed")
    theirs = library.Webhook(base64.b64encode(SECRET.encode()).decode())
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_9",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": theirs.sign("msg_9", now, BODY.decode()),
    }
    assert verify(settings(), headers, BODY, now=now.timestamp()) is None
    theirs.verify(BODY, signed(at=int(now.timestamp())))


# The other two ways.


def test_our_secret_header_is_believed_in_its_mode() -> None:
    known = settings(webhook_auth="header")
    assert known.client_secret is not None
    value = secret_header(known.client_secret, known.store_hash)
    assert verify(known, {SECRET_HEADER.upper(): value}, BODY, now=NOW) is None
    assert verify(known, {SECRET_HEADER: value[:-1]}, BODY, now=NOW) is Refusal.FORGED
    assert verify(known, {SECRET_HEADER: "ÄÖ"}, BODY, now=NOW) is Refusal.FORGED
    assert verify(known, signed(), BODY, now=NOW) is Refusal.UNSIGNED


def test_the_secret_header_gives_the_secret_away_to_nobody() -> None:
    known = settings()
    assert known.client_secret is not None
    value = secret_header(known.client_secret, known.store_hash)
    assert SECRET not in value
    assert value != secret_header(known.client_secret, "other")


def test_a_hex_hmac_of_the_body_is_believed_in_its_mode() -> None:
    known = settings(webhook_auth="body")
    value = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert verify(known, {"X-BC-Webhook-Signature": value}, BODY, now=NOW) is None
    assert verify(known, {"x-bc-webhook-signature": value.upper()}, BODY, now=NOW) is None
    assert verify(known, {"X-BC-Webhook-Signature": value}, BODY + b"x", now=NOW) is Refusal.FORGED
    assert verify(known, {}, BODY, now=NOW) is Refusal.UNSIGNED


# What an event asks to look at.


def event(scope: str, data: object, **changes: object) -> Event:
    write = changes.pop("write", "catalog")
    body = json.loads(BODY) | {"scope": scope, "data": data} | changes
    return parse(settings(write=write), json.dumps(body).encode())


PRODUCT = {"type": "product", "id": 7}
SKU = {"type": "sku", "id": 461, "sku": {"product_id": 206, "variant_id": 509}}
SKU_LEVEL = {
    "type": "sku",
    "id": 461,
    "inventory": {"product_id": 206, "variant_id": 509, "method": "absolute", "value": 5},
}
PRODUCT_LEVEL = {"type": "product", "id": 7, "inventory": {"product_id": 7, "method": "relative", "value": -2}}
PLACE = {"variant_id": 127, "product_id": 113, "location_id": 1}


@pytest.mark.parametrize(
    ("scope", "data", "refs"),
    [
        ("store/product/inventory/updated", PRODUCT_LEVEL, ("p7",)),
        ("store/product/inventory/order/updated", PRODUCT_LEVEL, ("p7",)),
        ("store/product/inventory/*", PRODUCT_LEVEL, ("p7",)),
        ("store/sku/inventory/updated", SKU_LEVEL, ("v206/509",)),
        ("store/sku/inventory/order/updated", SKU_LEVEL, ("v206/509",)),
        ("store/inventory/updated", SKU_LEVEL, ("v206/509",)),
        ("store/inventory/updated", PLACE, ("p113",)),
        ("store/channel/*/inventory/product/stock_changed", PLACE, ("p113",)),
        ("store/channel/1/inventory/product/stock_changed", PLACE, ("p113",)),
        ("store/channel/*/inventory/product/settings_changed", PLACE, ("p113",)),
        ("store/channel/*/inventory/product/out_of_stock_reached", PLACE, ("p113",)),
        ("store/product/created", PRODUCT, ("p7",)),
        ("store/product/updated", PRODUCT, ("p7",)),
        ("store/product/deleted", PRODUCT, ("p7",)),
        ("store/product/*", PRODUCT, ("p7",)),
        ("store/sku/created", SKU, ("v206/509",)),
        ("store/sku/updated", SKU, ("v206/509",)),
        ("store/sku/deleted", SKU, ("v206/509",)),
        ("store/sku/*", SKU, ("v206/509",)),
    ],
)
def test_an_event_about_stock_or_listings_asks_to_look_at_them(scope: str, data: object, refs: tuple[str, ...]) -> None:
    asked = event(scope, data)
    assert (asked.refs, asked.known, asked.whole, asked.orders) == (refs, True, False, ())


@pytest.mark.parametrize(
    "scope", ["store/order/created", "store/order/statusUpdated", "store/order/*", "store/channel/3/order/updated"]
)
def test_an_event_about_an_order_names_it(scope: str) -> None:
    asked = event(scope, {"type": "order", "id": 250, "status": {"previous_status_id": 0, "new_status_id": 11}})
    assert (asked.orders, asked.refs, asked.known) == (("250",), (), True)


@pytest.mark.parametrize("scope", ["store/app/uninstalled", "store/cart/created", "store/channel/1/settings", "x"])
def test_an_unknown_scope_asks_for_nothing_and_says_so(scope: str) -> None:
    assert event(scope, PRODUCT) == Event(scope, f"1f2e:{NOW}", NOW, known=False)


@pytest.mark.parametrize("data", [None, [], "x", {}, {"inventory": {"product_id": -1}}, {"type": "product", "id": "x"}])
def test_a_change_of_stock_that_names_nothing_asks_for_a_full_reading(data: object) -> None:
    assert event("store/product/inventory/updated", data).whole


def test_the_stock_of_another_location_concerns_only_the_catalogue() -> None:
    scope, elsewhere = "store/channel/*/inventory/product/stock_changed", PLACE | {"location_id": 2}
    assert event(scope, elsewhere, write="inventory") == Event(scope, f"1f2e:{NOW}", NOW)
    assert event(scope, elsewhere, write="catalog").refs == ("p113",)


def test_only_an_absolute_value_is_claimed() -> None:
    assert event("store/sku/inventory/updated", SKU_LEVEL).claimed == 5
    assert event("store/product/inventory/order/updated", PRODUCT_LEVEL).claimed is None


def test_repetitions_have_one_key_and_other_events_another() -> None:
    first = event("store/product/updated", PRODUCT)
    assert first.key == event("store/product/updated", PRODUCT).key
    assert first.key != event("store/product/updated", PRODUCT, created_at=NOW + 1).key
    assert event("store/product/updated", PRODUCT, hash=None).key != event("store/order/updated", PRODUCT, hash="").key


@pytest.mark.parametrize("producer", ["stores/other", "stores/abc1234", "abc123", ""])
def test_another_stores_event_is_foreign(producer: str) -> None:
    with pytest.raises(BadEvent, match="foreign"):
        event("store/product/updated", PRODUCT, producer=producer)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"scope": 1}', b"[" * 100_000, b"1" * 5000, b'{"scope":"x"}']
)
def test_what_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(BadEvent, match="malformed"):
        parse(settings(), body)


def test_an_oversized_body_is_not_even_looked_at() -> None:
    body = b" " * (BODY_LIMIT + 1)
    with pytest.raises(BadEvent, match="oversized"):
        receive(settings(), signed(body), body, now=NOW)


def test_a_good_request_becomes_an_event() -> None:
    assert receive(settings(), signed(), BODY, now=NOW).refs == ("p7",)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "product", "sku", "stores/abc123"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "inventory", "sku", "product_id", "variant_id", "value", "location_id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
SCOPES = st.sampled_from(["store/product/inventory/updated", "store/sku/updated", "store/order/created", "x"])


@given(SCOPES, JSON, JSON, JSON)
def test_whatever_a_verified_event_holds_it_is_understood_or_let_pass(
    scope: str, data: Any, digest: Any, created_at: Any
) -> None:
    assert event(scope, data, hash=digest, created_at=created_at).scope == scope


HEADERS = st.dictionaries(
    st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", SECRET_HEADER, "X-BC-Webhook-Signature"]),
    st.sampled_from(["", "v1", "v1,", ",", "v1,AAAA", str(NOW), "-1", "9" * 40, "ÿ", "\x00", "١"]),
)


@given(st.sampled_from(["standard", "header", "body"]), HEADERS, st.binary(max_size=30))
def test_whoever_does_not_know_the_secret_is_refused(auth: str, headers: dict[str, str], body: bytes) -> None:
    assert verify(settings(webhook_auth=auth), headers, body, now=NOW) in (Refusal.UNSIGNED, Refusal.FORGED)
