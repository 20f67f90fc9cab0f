"""What `doctor` finds at a store: each bad setting, over HTTP, and nothing where all is well."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.diagnosis import PAGE, PAGES
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.diagnosis import EXAMPLES, Finding, Severity
from channels.errors import Throttled
from channels.sandbox import Fault, served
from channels.services import Quota, Services

Connect = Callable[..., BigCommerceChannel]


def found(channel: BigCommerceChannel, about: str) -> list[tuple[str, str]]:
    """What is not well about something: how bad, and in which words."""
    return [(row.severity, row.what) for row in findings(channel) if row.about == about and row.severity != "ok"]


def findings(channel: BigCommerceChannel) -> list[Finding]:
    return list(channel.diagnose())


def worst(channel: BigCommerceChannel) -> set[Severity]:
    return {row.severity for row in findings(channel)} & {Severity.WARNING, Severity.ERROR}


@pytest.mark.parametrize("write", ["catalog", "inventory", "relative"])
def test_a_store_that_is_well_gives_no_warning(store: Store, connect: Connect, write: str) -> None:
    store.add("A", 3)
    store.add_product("Shirt", tracking="variant", variants={"S": 1, "M": 2})
    assert worst(connect(write=write)) == set()


@pytest.mark.parametrize("write", ["catalog", "inventory", "relative"])
def test_a_diagnosis_only_reads(sandbox: BigCommerceSandbox, store: Store, connect: Connect, write: str) -> None:
    store.add("A", 3)
    findings(connect(write=write, webhook_url="https://sync.example.com"))
    assert {line.split(" ")[0] for line in sandbox.requests} == {"GET"}


def test_a_large_catalogue_costs_a_few_calls(sandbox: BigCommerceSandbox, store: Store, connect: Connect) -> None:
    for number in range(PAGE * PAGES + 10):
        store.add(f"SKU-{number}", 1)
    rows = findings(connect())
    assert len(sandbox.requests) <= PAGES + 6
    assert f"of the first {PAGE * PAGES} of {PAGE * PAGES + 10} products" in " ".join(row.what for row in rows)


def test_a_wrong_token_is_the_only_thing_that_is_said(sandbox: BigCommerceSandbox, connect: Connect) -> None:
    rows = findings(connect(access_token="of-another-store"))
    assert [row.severity for row in rows] == ["error", "note"]
    assert "401" in rows[0].what
    assert "access_token" in rows[0].advice
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("scope", "about", "write", "severity"),
    [
        ("store_v2_products", "products", "catalog", "error"),
        ("store_v2_orders", "orders", "catalog", "error"),
        ("store_v2_information", "stock settings", "catalog", "warning"),
        ("store_inventory", "inventory", "inventory", "error"),
        ("store_locations", "locations", "inventory", "warning"),
    ],
)
def test_a_missing_right_is_named(
    store: Store, connect: Connect, scope: str, about: str, write: str, severity: str
) -> None:
    store.scopes -= {scope, f"{scope}_read_only"}
    rows = [row for row in findings(connect(write=write)) if row.about == about]
    assert [row.severity for row in rows] == [severity]
    assert "403" in rows[0].what
    assert "scope" in rows[0].advice


def test_rights_that_a_way_of_writing_does_not_need_are_not_missed(store: Store, connect: Connect) -> None:
    store.scopes -= {"store_inventory", "store_inventory_read_only", "store_locations", "store_locations_read_only"}
    assert worst(connect(write="catalog")) == set()


def test_a_store_that_takes_stock_only_when_it_ships_is_an_error(store: Store, connect: Connect) -> None:
    store.switches.update_stock_behavior = "order_completed_or_shipped"
    ((severity, what),) = found(connect(), "stock settings")
    assert severity == "error"
    assert "until it is shipped" in what


@pytest.mark.parametrize("switch", ["edit_order_stock_adjustment", "refund_order_stock_adjustment"])
def test_orders_that_give_nothing_back_are_a_warning(store: Store, connect: Connect, switch: str) -> None:
    setattr(store.switches, switch, False)
    ((severity, what),) = found(connect(), "stock settings")
    assert severity == "warning"
    assert switch in what


def test_a_location_that_is_not_there_is_an_error(connect: Connect) -> None:
    (severity, what), _ = found(connect(write="inventory", location_id=7), "locations")
    assert severity == "error"
    assert "there is no location 7" in what


def test_a_disabled_location_is_an_error(store: Store, connect: Connect) -> None:
    place = store.add_location("Warehouse")
    store.disabled_locations.add(place)
    rows = found(connect(write="inventory", location_id=place), "locations")
    assert [severity for severity, _ in rows] == ["error", "note"]
    assert "is disabled" in rows[0][1]


def test_a_second_location_is_a_warning_for_the_catalogue_and_a_note_else(store: Store, connect: Connect) -> None:
    store.add_location("Warehouse")
    assert [severity for severity, _ in found(connect(), "locations")] == ["warning"]
    assert [severity for severity, _ in found(connect(write="inventory"), "locations")] == ["note"]


def test_a_location_that_the_catalogue_does_not_show_is_a_warning(connect: Connect) -> None:
    ((severity, what),) = found(connect(location_id=3), "locations")
    assert severity == "warning"
    assert "location_id is 3" in what


def test_safety_stock_is_told(store: Store, connect: Connect) -> None:
    store.add("A", 5)
    store.set_safety_stock("A", 2)
    assert [severity for severity, _ in found(connect(), "safety stock")] == ["warning"]
    ((severity, what),) = found(connect(write="inventory"), "safety stock")
    assert severity == "note"
    assert what.startswith("1 with one: A")


def test_products_whose_stock_is_not_counted_are_named_a_few_of_them(store: Store, connect: Connect) -> None:
    for number in range(EXAMPLES + 2):
        store.add(f"SKU-{number}", tracking="none", name=f"Poster {number}")
    ((severity, what),) = found(connect(), "tracking")
    assert severity == "note"
    assert "5 not tracked" in what
    assert "product 'Poster 0'" in what
    assert what.endswith("and 2 more")


def test_variants_that_are_counted_as_one_are_a_warning(store: Store, connect: Connect) -> None:
    store.add_product("Shirt", sku="SHIRT", tracking="product", variants={"S": 1, "M": 2})
    ((severity, what),) = found(connect(), "tracking")
    assert severity == "warning"
    assert "1 with variants, and tracked as one: product 'Shirt'" in what


def test_a_listing_without_a_sku_is_a_warning(store: Store, connect: Connect) -> None:
    store.add("", 3, name="Nameless")
    assert [severity for severity, _ in found(connect(), "listings")] == ["warning"]


def test_two_listings_of_one_sku_are_an_error(store: Store, connect: Connect) -> None:
    store.add("mug", 3)
    store.add_product("Shirt", tracking="variant", variants={"MUG ": 1})
    ((severity, what),) = found(connect(), "duplicate SKUs")
    assert severity == "error"
    assert what.startswith("1 with more than one listing: mug (p")


def test_webhooks_that_are_missing_or_switched_off_are_warnings(
    sandbox: BigCommerceSandbox, store: Store, connect: Connect
) -> None:
    with served(_receiver) as address:
        channel = connect(webhook_url=address)
        ((severity, what),) = found(channel, "webhooks")
        assert severity == "warning"
        assert "not registered" in what
        channel.ensure_hooks()
        assert found(channel, "webhooks") == []
        hook = next(iter(store.hooks.values()))
        hook.is_active = False
        ((severity, what),) = found(channel, "webhooks")
        assert severity == "warning"
        assert what == f"1 switched off, so that events were missed: {hook.scope}"


def test_webhooks_of_an_old_address_are_a_warning(connect: Connect) -> None:
    with served(_receiver) as address:
        connect(webhook_url="https://old.example.com").ensure_hooks()
        ((severity, what),) = found(connect(webhook_url=address), "webhooks")
    assert severity == "warning"
    assert "going to https://old.example.com/webhooks/store" in what


def test_without_a_public_address_it_is_said_that_changes_are_found_late(connect: Connect) -> None:
    ((severity, what),) = found(connect(), "webhooks")
    assert severity == "note"
    assert "webhook_url is not set" in what


def test_a_receiver_that_nobody_reaches_is_a_warning(connect: Connect) -> None:
    with served(_receiver) as address:
        channel = connect(webhook_url=address)
        assert found(channel, "receiver") == []
    ((severity, what),) = found(channel, "receiver")
    assert severity == "warning"
    assert "cannot be reached" in what


def test_another_server_at_the_receivers_address_is_a_warning(connect: Connect) -> None:
    def another(_environ, start_response):
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with served(another) as address:
        ((severity, what),) = found(connect(webhook_url=address), "receiver")
    assert severity == "warning"
    assert "answers 200 to a GET" in what


def test_a_clock_that_is_off_is_a_warning(store: Store, connect: Connect) -> None:
    store.switches.clock_ahead_s = 90
    ((severity, what),) = found(connect(), "clock")
    assert severity == "warning"
    assert "ahead of ours" in what


def test_a_quota_that_others_have_spent_is_a_warning(store: Store, connect: Connect) -> None:
    store.quota.limit = 100
    store.quota.spend(50)
    assert found(connect(), "quota") == []
    store.quota.spend(40 - 5)
    ((severity, what),) = found(connect(), "quota")
    assert severity == "warning"
    assert re.fullmatch(r"\d of 100 calls are left for \d+ s", what)


def test_no_leave_from_our_own_budget_says_nothing_about_the_store(connect: Connect) -> None:
    class Spent:
        def enter(self, operation: str) -> None:
            raise Throttled("store", operation, "no call is left", retry_after_s=12)

        def leave(self, operation: str, quota: Quota, *, throttled_s: float | None = None) -> None:
            raise AssertionError("no call was made")

    rows = findings(connect(Services(budget=Spent())))
    assert [row.severity for row in rows] == ["warning", "note"]
    assert rows[0].advice == "Look again in 12 s."


def test_one_part_that_cannot_be_understood_hides_no_other(sandbox: BigCommerceSandbox, connect: Connect) -> None:
    sandbox.faults.add(Fault("garbage", match="settings/inventory"))
    rows = findings(connect())
    assert [row.about for row in rows if row.severity is Severity.WARNING] == ["stock settings"]
    assert any(row.about == "webhooks" for row in rows)


def _receiver(_environ, start_response):
    """Our own, as far as a GET can tell."""
    start_response("405 METHOD NOT ALLOWED", [("Content-Length", "0")])
    return []
