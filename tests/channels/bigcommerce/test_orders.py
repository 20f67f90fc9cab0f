"""What orders took: lines, statuses, and the store's own rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.orders import Order, StockRules, lines_of, took_stock_at
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.contract import Sale
from channels.errors import Denied, Incomprehensible
from tests.channels.bigcommerce.conftest import Clock

Connect = Callable[..., BigCommerceChannel]


def sales(channel: BigCommerceChannel, clock: Clock, *, hours: float = 1) -> list[Sale]:
    return list(channel.sales(datetime.fromtimestamp(clock(), UTC) - timedelta(hours=hours)))


def test_a_line_names_the_listing_that_holds_its_stock(store: Store, channel: BigCommerceChannel, clock: Clock) -> None:
    mug = store.add("MUG", 9)
    shirt = store.add_product("Shirt", tracking="variant", variants={"S": 9, "M": 9})
    store.add("BOOK", 9, tracking="none")
    order = store.order({"MUG": 2, "M": 1, "BOOK": 4})
    assert [(sale.order, sale.sku, sale.ref, sale.units) for sale in sales(channel, clock)] == [
        (str(order.id), "MUG", f"p{mug.id}", 2),
        (str(order.id), "M", f"v{shirt.id}/{shirt.variants[1].id}", 1),
    ]
    assert {abs((sale.at - datetime.fromtimestamp(clock(), UTC)).total_seconds()) < 1 for sale in sales(channel, clock)}


def test_a_product_that_is_gone_leaves_the_sku_of_the_order(
    store: Store, channel: BigCommerceChannel, clock: Clock
) -> None:
    store.add("MUG", 9)
    store.sell("MUG", 2)
    store.remove("MUG")
    (sale,) = sales(channel, clock)
    assert (sale.sku, sale.ref, sale.units) == ("MUG", "", 2)


def test_only_orders_changed_since_are_given(store: Store, channel: BigCommerceChannel, clock: Clock) -> None:
    store.add("MUG", 9)
    old = store.sell("MUG", 1)
    clock.advance(7200)
    new = store.sell("MUG", 1)
    assert [sale.order for sale in sales(channel, clock)] == [str(new.id)]
    store.set_status(old.id, 2)
    assert [sale.order for sale in sales(channel, clock)] == [str(old.id), str(new.id)]


def test_250_orders_with_their_lines_cost_one_call(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel, clock: Clock
) -> None:
    store.add("MUG", 1000)
    for _ in range(260):
        store.sell("MUG", 1)
    assert len(sales(channel, clock)) == 260
    assert [line.split("?")[0].rpartition("/v")[2] for line in sandbox.requests] == [
        "3/settings/inventory",
        "2/orders",
        "3/catalog/products",
        "2/orders",
        "3/catalog/products",
    ]


def test_an_order_of_more_than_fifty_lines_is_asked_for_its_products(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel, clock: Clock
) -> None:
    names = {f"SKU-{number}": 9 for number in range(300)}
    store.add_product("Wall", tracking="variant", variants=names)
    order = store.order(dict.fromkeys(names, 1))
    store.sell("SKU-0", 1)
    assert len(sales(channel, clock)) == 301
    assert len([line for line in sandbox.requests if f"/orders/{order.id}/products" in line]) == 2


def test_orders_that_come_again_and_again_are_no_answer(
    store: Store, channel: BigCommerceChannel, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("MUG", 3)
    store.sell("MUG", 1)
    order = {"id": 7, "status_id": 11, "items_total": 0, "consignments": {}}
    order["date_created"] = "Fri, 27 Nov 2026 00:00:00 +0000"
    bodies = {"read orders": [order], "read stock settings": {"data": {}}}
    monkeypatch.setattr(channel.client, "json", lambda operation, response: bodies.get(operation, []))
    monkeypatch.setattr("channels.bigcommerce.orders.PAGE", 1)
    with pytest.raises(Incomprehensible, match="8 on were asked for, and 7 was given"):
        list(channel.sales(datetime.fromtimestamp(clock.now - 60, UTC)))


def test_no_order_at_all_is_no_error(channel: BigCommerceChannel, clock: Clock) -> None:
    assert sales(channel, clock) == []


def order_of(status: int, *, shipped: str = "") -> Order:
    created = "Tue, 24 Nov 2026 02:47:13 +0000"
    return Order.model_validate({"id": 1, "status_id": status, "date_created": created, "date_shipped": shipped})


@pytest.mark.parametrize(
    ("behaviour", "returns", "holding"),
    [
        ("order_placed", True, {1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14}),
        ("order_placed", None, {1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14}),
        ("order_placed", False, {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14}),
        ("order_completed_or_shipped", True, {2, 10}),
        (None, None, {1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14}),
    ],
)
def test_the_status_and_the_stores_settings_tell_which_orders_hold_units(
    behaviour: str | None, returns: bool | None, holding: set[int]
) -> None:
    rules = StockRules.model_validate({"update_stock_behavior": behaviour, "refund_order_stock_adjustment": returns})
    assert {status for status in range(15) if took_stock_at(order_of(status), rules)} == holding


def test_an_order_that_takes_when_shipped_took_when_it_was_shipped() -> None:
    rules = StockRules(update_stock_behavior="order_completed_or_shipped")
    order = order_of(13, shipped="Wed, 25 Nov 2026 10:00:00 +0000")
    assert took_stock_at(order, rules) == datetime(2026, 11, 25, 10, tzinfo=UTC)


def test_a_cancelled_order_gives_back_as_the_store_is_set(
    store: Store, channel: BigCommerceChannel, clock: Clock
) -> None:
    store.add("MUG", 9)
    store.cancel(store.sell("MUG", 2).id)
    assert (store.level("MUG"), sales(channel, clock)) == (9, [])
    store.switches.refund_order_stock_adjustment = False
    clock.advance(7200)
    store.cancel(store.sell("MUG", 2).id)
    assert store.level("MUG") == 7
    assert [sale.units for sale in sales(channel, clock)] == [2]


def test_without_the_right_to_read_settings_orders_take_stock_when_placed(
    store: Store, channel: BigCommerceChannel, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store.add("MUG", 9)
    store.sell("MUG", 2)
    store.scopes -= {"store_v2_information", "store_v2_information_read_only"}
    assert [sale.units for sale in sales(channel, clock)] == [2]
    assert "'Information & Settings' (read-only)" in caplog.text


def test_a_wrong_token_is_not_taken_for_a_missing_scope(
    store: Store, channel: BigCommerceChannel, clock: Clock
) -> None:
    store.token = "another"
    with pytest.raises(Denied, match="access_token and store_hash"):
        sales(channel, clock)


@pytest.mark.parametrize(
    "consignments",
    [
        None,
        [],
        {
            "shipping": [
                {"line_items": [{"url": "https://x/v2/orders/1/products/2", "resource": "/orders/1/products/2"}]}
            ]
        },
        {"shipping": ["what is this"]},
    ],
)
def test_lines_that_did_not_come_along_are_not_taken_for_none(consignments: object) -> None:
    assert lines_of(consignments) is None


def test_lines_of_every_kind_of_consignment_count() -> None:
    def consignment(number: int) -> dict[str, object]:
        return {"line_items": [{"id": number, "product_id": 1, "variant_id": 2, "sku": "A", "quantity": 1}]}

    consignments = {"shipping": [consignment(1), consignment(2)], "pickups": [consignment(3)], "downloads": []}
    assert [line.id for line in lines_of(consignments) or []] == [1, 2, 3]
