"""The mock is as strict as the real one where it matters, and can be steered from outside."""

from __future__ import annotations

import pytest
import requests

ITEMS = "/listings/2021-08-01/items/A1SANDBOXSELLR"
PLACE = {"marketplaceIds": "ATVPDKIKX0DER"}


@pytest.fixture
def send(sandbox, url):
    """Send a bare request with a valid token."""
    with requests.Session() as session:

        def send(method, path, *, params=PLACE, **more):
            headers = {"x-amz-access-token": sandbox.gate.grant()}
            return session.request(method, url + path, params=params, headers=headers, timeout=5, **more)

        yield send


@pytest.fixture
def steer(url):
    """Call the control surface."""
    with requests.Session() as session:

        def steer(method, name, body=None):
            return session.request(method, f"{url}/_sandbox/{name}", json=body, timeout=5)

        yield steer


def patch(*patches, **more):
    return {"productType": "PRODUCT", "patches": list(patches)} | more


def quantity(units, op="merge", **more):
    value = [{"fulfillment_channel_code": "DEFAULT", "quantity": units} | more]
    return {"op": op, "path": "/attributes/fulfillment_availability", "value": value}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"marketplaceIds": "A1F83G8C2ARO7P"},
        PLACE | {"pageSize": 21},
        PLACE | {"pageToken": "made-up"},
        PLACE | {"includedData": "stock"},
        PLACE | {"identifiers": "A"},
        PLACE | {"identifiers": ",".join("ABCDEFGHIJKLMNOPQRSTU"), "identifiersType": "SKU"},
        PLACE | {"sortBy": "price"},
        PLACE | {"surprise": "1"},
    ],
)
def test_a_search_that_the_model_forbids_is_a_400(send, params):
    answer = send("GET", ITEMS, params=params)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "InvalidInput"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"productType": "PRODUCT"},
        patch(),
        patch({"op": "move", "path": "/attributes/fulfillment_availability", "value": []}),
        patch({"op": "merge", "path": "fulfillment_availability", "value": []}),
        patch({"op": "merge", "path": "/attributes/fulfillment_availability/0/quantity", "value": [{}]}),
        patch({"op": "merge", "path": "/attributes/fulfillment_availability", "value": 7}),
        patch({"op": "merge", "path": "/attributes/fulfillment_availability"}),
    ],
)
def test_a_patch_that_the_model_forbids_is_a_400(sandbox, send, body):
    sandbox.account.put("A", 10)
    assert send("PATCH", ITEMS + "/A", json=body).status_code == 400


@pytest.mark.parametrize(
    ("one", "code"),
    [
        ({"op": "merge", "path": "/attributes/fulfillmentAvailability", "value": [{}]}, "90000900"),
        ({"op": "merge", "path": "/attributes/fulfillment_availability", "value": [{"quantity": 1}]}, "90220"),
        (quantity(-1), "90224"),
        (quantity("7"), "90224"),
        (quantity(1, fulfillment_channel_code="AMAZON_NA"), "4000003"),
    ],
)
def test_what_only_the_listing_forbids_is_invalid_with_200(sandbox, send, one, code):
    sandbox.account.put("A", 10)
    answer = send("PATCH", ITEMS + "/A", json=patch(one))
    assert (answer.status_code, answer.json()["status"]) == (200, "INVALID")
    assert answer.json()["issues"][0]["code"] == code
    assert sandbox.account.shown("A") == 10


def test_replace_drops_what_stands_beside_the_quantity(sandbox, send):
    sandbox.account.put("A", 10)
    send("PATCH", ITEMS + "/A", json=patch(quantity(5, lead_time_to_ship_max_days=3)))
    send("PATCH", ITEMS + "/A", json=patch(quantity(6, op="replace")))
    assert sandbox.account.listing("A").attributes["fulfillment_availability"] == [
        {"fulfillment_channel_code": "DEFAULT", "quantity": 6}
    ]


def test_a_preview_changes_nothing(sandbox, send):
    sandbox.account.put("A", 10)
    params = PLACE | {"mode": "VALIDATION_PREVIEW"}
    assert send("PATCH", ITEMS + "/A", params=params, json=patch(quantity(5))).json()["status"] == "VALID"
    assert sandbox.account.shown("A") == 10


def test_a_quantity_for_stock_that_amazon_holds_opens_a_second_offer(sandbox, send):
    sandbox.account.put("A", 10, network="AMAZON_NA")
    send("PATCH", ITEMS + "/A", json=patch(quantity(5)))
    assert sandbox.account.listing("A").stock == {"AMAZON_NA": None, "DEFAULT": 5}


def test_a_search_pages_through_a_thousand_listings_and_no_further(sandbox, send):
    for number in range(1030):
        sandbox.account.put(f"SKU-{number:04}", 1)
    seen, token = 0, None
    while True:
        answer = send("GET", ITEMS, params=PLACE | {"pageSize": 20} | ({"pageToken": token} if token else {})).json()
        seen += len(answer["items"])
        token = answer["pagination"].get("nextToken")
        if not token:
            break
    assert (seen, answer["numberOfResults"]) == (1000, 1030)


def test_a_write_swallows_the_sale_that_came_before_its_effect(sandbox, send, clock):
    sandbox.account.visible_after_s = 60
    sandbox.account.put("A", 10)
    send("PATCH", ITEMS + "/A", json=patch(quantity(8)))
    sandbox.account.sell("A", 3)
    assert sandbox.account.shown("A") == 7
    clock.advance(60)
    assert sandbox.account.shown("A") == 8


def test_a_full_bucket_gives_its_burst_and_then_its_rate(sandbox, send, clock):
    sandbox.buckets.scale = 1.0
    assert [send("GET", ITEMS).status_code for _ in range(6)] == [200] * 5 + [429]
    clock.advance(0.4)
    assert [send("GET", ITEMS).status_code for _ in range(3)] == [200, 200, 429]
    answer = send("GET", ITEMS)
    assert "Retry-After" not in answer.headers
    assert "x-amzn-RateLimit-Limit" not in answer.headers
    assert answer.json()["errors"][0]["code"] == "QuotaExceeded"


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"createdAfter": "2026-01-01T00:00:00Z", "lastUpdatedAfter": "2026-01-01T00:00:00Z"},
        {"createdAfter": "yesterday"},
        {"createdAfter": "2026-01-01T00:00:00Z", "createdBefore": "2999-01-01T00:00:00Z"},
        {"createdAfter": "2026-01-01T00:00:00Z", "maxResultsPerPage": "101"},
        {"createdAfter": "2026-01-01T00:00:00Z", "fulfillmentStatuses": "LOST"},
    ],
)
def test_an_order_search_that_the_model_forbids_is_a_400(send, params):
    assert send("GET", "/orders/2026-01-01/orders", params=params).status_code == 400


def test_it_can_be_steered_from_outside(sandbox, send, steer):
    steer("POST", "seed", {"listings": [{"sku": "A", "units": 5}, {"sku": "B", "units": 1, "network": "AMAZON_NA"}]})
    order = steer("POST", "sell", {"sku": "A", "units": 2}).json()["order"]
    assert steer("POST", "sell", {"sku": "A", "units": 9}).status_code == 409
    assert steer("POST", "sell", {"sku": "nope", "units": 9}).status_code == 404
    assert steer("POST", "restock", {"sku": "A", "units": 4}).json() == {"units": 7}
    assert steer("POST", "order", {"order": order, "status": "CANCELLED"}).status_code == 200
    assert steer("POST", "set", {"sku": "B", "units": 3}).json() == {"units": 3}
    picture = steer("GET", "inspect").json()
    assert [(row["sku"], row["units"], row["stock"]) for row in picture["listings"]] == [
        ("A", 9, {"DEFAULT": 9}),
        ("B", 3, {"AMAZON_NA": None}),
    ]
    assert [(row["sku"], row["units"], row["status"]) for row in picture["orders"]] == [("A", 2, "CANCELLED")]
    steer("POST", "refuse", {"sku": "A"})
    assert send("PATCH", ITEMS + "/A", json=patch(quantity(1))).json()["status"] == "INVALID"
    steer("POST", "relent", {"sku": "A"})
    steer("POST", "lose", {"sku": "A", "times": 1})
    assert send("PATCH", ITEMS + "/A", json=patch(quantity(1))).json()["status"] == "ACCEPTED"
    assert sandbox.account.shown("A") == 9
    steer("POST", "faults", {"kind": "answer", "status": 500, "times": 1})
    assert send("GET", ITEMS).status_code == 500
    assert steer("POST", "faults", {"surprise": 1}).status_code == 400
    steer("POST", "options", {"visible_after_s": 60, "rate_scale": 10, "token_lives_s": 5})
    assert (sandbox.account.visible_after_s, sandbox.buckets.scale, sandbox.gate.lives_s) == (60, 10, 5)
    assert len(steer("GET", "requests").json()["requests"]) == 3
    steer("POST", "reset")
    assert steer("GET", "inspect").json() == {"listings": [], "orders": []}
