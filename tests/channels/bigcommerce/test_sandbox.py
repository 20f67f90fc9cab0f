"""The sandbox keeps BigCommerce's documented limits, so that what passes against it has met them."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from channels.bigcommerce.sandbox import BigCommerceSandbox, OutOfStock, Store
from tests.channels.bigcommerce.conftest import Clock


class Api:
    """The sandbox as a stranger's program sees it."""

    def __init__(self, url: str, store: Store) -> None:
        self.url, self.base = url, f"{url}/stores/{store.store_hash}"
        self.session = requests.Session()
        self.session.headers["X-Auth-Token"] = store.token

    def __call__(self, method: str, path: str, json: Any = None, **params: Any) -> requests.Response:
        return self.session.request(method, self.base + path, params=params, json=json, timeout=5)

    def control(self, method: str, path: str, json: Any = None) -> Any:
        return self.session.request(method, f"{self.url}/_sandbox/{path}", json=json, timeout=5)


@pytest.fixture
def api(url: str, store: Store) -> Any:
    api = Api(url, store)
    yield api
    api.session.close()


def test_a_wrong_token_gets_plain_text(api: Api) -> None:
    api.session.headers["X-Auth-Token"] = "wrong"
    answer = api("GET", "/v3/catalog/products")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (401, "text/plain")


def test_reading_needs_either_scope_and_writing_the_full_one(api: Api, store: Store) -> None:
    product = store.add("MUG", 1)
    store.scopes = {"store_v2_products_read_only"}
    assert api("GET", "/v3/catalog/products").status_code == 200
    assert api("PUT", f"/v3/catalog/products/{product.id}", {"inventory_level": 1}).status_code == 403
    assert api("GET", "/v2/orders").status_code == 403
    assert api("GET", "/v3/hooks").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "rows", "words"),
    [
        ("PUT", "/v3/catalog/products", 11, "maximum items allowed in the array is 10"),
        ("PUT", "/v3/catalog/variants", 51, "maximum items allowed in the array is 50"),
    ],
)
def test_a_batch_over_the_limit_is_413(api: Api, method: str, path: str, rows: int, words: str) -> None:
    answer = api(method, path, [{"id": 1, "inventory_level": 1}] * rows)
    assert (answer.status_code, words in answer.json()["title"]) == (413, True)


def test_an_adjustment_over_the_limit_is_413(api: Api) -> None:
    items = [{"location_id": 1, "product_id": 1, "quantity": 1}] * 2001
    assert api("PUT", "/v3/inventory/adjustments/absolute", {"items": items}).status_code == 413


@pytest.mark.parametrize(
    ("path", "limit"), [("/v3/catalog/products", 251), ("/v3/inventory/items", 1001), ("/v2/orders", 251)]
)
def test_a_page_over_the_limit_is_413(api: Api, path: str, limit: int) -> None:
    assert api("GET", path, limit=limit).status_code == 413


def test_pages_tell_where_they_stand(api: Api, store: Store) -> None:
    for number in range(120):
        store.add(f"SKU-{number}", number)
    body = api("GET", "/v3/catalog/products", page=3).json()
    assert len(body["data"]) == 20
    assert body["meta"]["pagination"] | {"links": 0} == {
        "total": 120,
        "count": 20,
        "per_page": 50,
        "current_page": 3,
        "total_pages": 3,
        "links": 0,
    }


@pytest.mark.parametrize("path", ["/v3/catalog/products", "/v3/inventory/items", "/v2/orders", "/v3/hooks"])
def test_a_parameter_it_does_not_understand_is_refused(api: Api, path: str) -> None:
    assert "favourite_colour" in api("GET", path, favourite_colour="red").text


def test_filters_are_kept(api: Api, store: Store) -> None:
    first, second, third = (store.add(sku, 1) for sku in ("A", "B", "C"))

    def found(**params: Any) -> list[int]:
        return [product["id"] for product in api("GET", "/v3/catalog/products", **params).json()["data"]]

    assert found(**{"id:in": f"{third.id},{first.id}"}) == [first.id, third.id]
    assert found(**{"id:greater": first.id}) == [second.id, third.id]
    assert found(**{"sku:in": "a,C", "direction": "desc"}) == [third.id, first.id]
    assert found(sku="b") == [second.id]


def test_fields_can_be_chosen_and_the_id_always_comes(api: Api, store: Store) -> None:
    store.add("A", 1)
    (product,) = api("GET", "/v3/catalog/products", include_fields="sku").json()["data"]
    assert set(product) == {"id", "sku"}


def test_a_window_allows_its_quota_and_not_one_call_more(api: Api, store: Store, clock: Clock) -> None:
    store.quota.limit = 3
    answers = [api("GET", "/v3/catalog/products") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-Rate-Limit-Requests-Left"] for answer in answers] == ["2", "1", "0", "0"]
    clock.advance(29)
    refused = api("GET", "/v3/catalog/products")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["X-Rate-Limit-Time-Reset-Ms"]) <= 1000
    clock.advance(1)
    assert api("GET", "/v3/catalog/products").status_code == 200
    assert store.quota.refused == 2


def test_another_app_spends_from_the_same_quota(api: Api, store: Store) -> None:
    store.quota.limit = 10
    store.quota.spend(6)
    assert api("GET", "/v3/catalog/products").headers["X-Rate-Limit-Requests-Left"] == "3"


def test_a_level_is_saved_and_a_negative_one_is_not(api: Api, store: Store) -> None:
    product = store.add("A", 5)
    assert api("PUT", f"/v3/catalog/products/{product.id}", {"inventory_level": 3}).status_code == 200
    answer = api("PUT", f"/v3/catalog/products/{product.id}", {"inventory_level": -1})
    assert (answer.status_code, store.level("A")) == (207, 3)
    assert answer.json()["errors"]["errors"] == {"inventory_level": "Stock cannot be negative"}


def test_a_batch_with_an_unknown_variant_changes_nothing(api: Api, store: Store) -> None:
    product = store.add_product("Shirt", tracking="variant", variants={"S": 1})
    rows = [{"id": product.variants[0].id, "inventory_level": 9}, {"id": 999, "inventory_level": 9}]
    answer = api("PUT", "/v3/catalog/variants", rows)
    assert (answer.status_code, len(answer.json()["batch_errors"]), store.level("S")) == (422, 1, 1)


@pytest.mark.parametrize(("choice", "status"), [("ignore", 200), ("207", 207), ("422", 422)])
def test_a_products_own_level_has_no_effect_while_its_variants_count(
    api: Api, store: Store, choice: str, status: int
) -> None:
    product = store.add_product("Shirt", tracking="variant", variants={"S": 1})
    store.switches.level_on_variant_tracked = choice  # type: ignore[assignment]
    answer = api("PUT", f"/v3/catalog/products/{product.id}", {"inventory_level": 9})
    assert (answer.status_code, store.level("S")) == (status, 1)


def test_the_base_variant_carries_the_stock_of_a_simple_product(api: Api, store: Store) -> None:
    product = store.add("A", 5)
    (variant,) = api("GET", "/v3/catalog/variants", **{"product_id:in": product.id}).json()["data"]
    assert (variant["sku_id"], variant["inventory_level"], variant["id"]) == (None, 5, product.base_variant_id)


def test_the_inventory_api_says_what_is_tracked_the_other_way(api: Api, store: Store) -> None:
    simple = store.add("A", 5)
    item = {"location_id": 1, "variant_id": simple.variants[0].id, "quantity": 1}
    answer = api("PUT", "/v3/inventory/adjustments/absolute", {"items": [item]})
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "is tracked by product, please update stock by product id" in answer.json()["title"]


def test_a_relative_adjustment_may_not_touch_the_safety_stock(api: Api, store: Store) -> None:
    product = store.add("A", 50)
    store.set_safety_stock("A", 10)
    path = "/v3/inventory/adjustments/relative"

    def adjust(quantity: int) -> int:
        item = {"location_id": 1, "product_id": product.id, "quantity": quantity}
        return api("POST", path, {"items": [item]}).status_code

    assert (adjust(-41), store.level("A")) == (422, 40)
    assert (adjust(-20), store.level("A")) == (200, 20)


def test_adjustments_take_effect_after_their_delay(api: Api, store: Store, clock: Clock) -> None:
    product = store.add("A", 5)
    store.switches.apply_delay_s = 3
    item = {"location_id": 1, "product_id": product.id, "quantity": 8}
    assert "transaction_id" in api("PUT", "/v3/inventory/adjustments/absolute", {"items": [item]}).json()
    assert store.level("A") == 5
    clock.advance(3)
    assert store.level("A") == 8


def test_empty_v2_collections_have_no_body(api: Api) -> None:
    answer = api("GET", "/v2/orders")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_v2_error_is_an_array(api: Api) -> None:
    answer = api("GET", "/v2/orders/999/products")
    assert (answer.status_code, answer.json()) == (
        404,
        [{"status": 404, "message": "The requested resource was not found."}],
    )


def test_a_hook_lives_through_create_change_and_delete(api: Api, store: Store) -> None:
    made = api("POST", "/v3/hooks", {"scope": "store/order/*", "destination": "https://a.example/x"}).json()["data"]
    assert made["is_active"] is True
    assert api("PUT", f"/v3/hooks/{made['id']}", {"is_active": False}).json()["data"]["is_active"] is False
    assert len(api("GET", "/v3/hooks", is_active="false").json()["data"]) == 1
    assert api("DELETE", f"/v3/hooks/{made['id']}").status_code == 200
    assert api("GET", f"/v3/hooks/{made['id']}").json()["title"] == f"Webhook with id [{made['id']}] not found"


def test_nobody_can_buy_what_is_not_there(store: Store) -> None:
    store.add("A", 1)
    with pytest.raises(OutOfStock):
        store.sell("A", 2)
    assert (store.level("A"), store.orders) == (1, {})


def test_the_control_surface_moves_the_world_and_is_not_in_the_log(
    api: Api, sandbox: BigCommerceSandbox, store: Store
) -> None:
    listings = [{"sku": "A", "units": 5}, {"name": "Shirt", "variants": {"S": 1, "M": 2}}]
    assert api.control("POST", "seed", {"listings": listings}).json() == {"listings": 3}
    order = api.control("POST", "sell", {"sku": "A", "units": 2}).json()["order"]
    assert api.control("POST", "restock", {"sku": "A", "units": 4}).json() == {"units": 7}
    assert api.control("POST", "set", {"sku": "S", "units": 9}).json() == {"units": 9}
    assert api.control("POST", "order", {"order": order, "status": 5}).status_code == 200
    picture = api.control("GET", "inspect").json()
    assert {row["sku"]: row["units"] for row in picture["listings"]} == {"A": 9, "S": 9, "M": 2}
    assert api.control("POST", "sell", {"sku": "A", "units": 99}).status_code == 409
    assert api.control("POST", "sell", {"sku": "NONE", "units": 1}).status_code == 422
    assert api.control("POST", "quota", {"limit": 0}).json()["limit"] == 0
    assert sandbox.requests == []
    assert api.control("POST", "options", {"apply_delay_s": 2}).json()["apply_delay_s"] == 2
    assert api.control("POST", "options", {"typo": 2}).status_code == 422
    assert api.control("POST", "reset", {}).status_code == 200
    assert store.levels() == {}


def test_trouble_can_be_ordered_over_http(api: Api) -> None:
    api.control("POST", "faults", {"kind": "answer", "status": 503, "times": 1})
    answers = [api("GET", "/v3/catalog/products").status_code for _ in range(2)]
    assert answers == [503, 200]
