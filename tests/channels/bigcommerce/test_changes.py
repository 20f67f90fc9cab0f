"""Reading what has changed: which products that are, what it costs, and what the store does not tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.contract import Write

Connect = Callable[..., BigCommerceChannel]

MODES = ["catalog", "inventory", "relative"]


def changed(channel: BigCommerceChannel, since: datetime) -> dict[str, int]:
    return {level.sku: level.units for page in channel.changed(since) for level in page.levels}


@pytest.fixture
def later(store: Store, clock) -> datetime:
    """A moment an hour after the store was filled: two shirts with sizes, and a mug."""
    for name in "AB":
        store.add_product(f"Shirt {name}", tracking="variant", variants={f"{name}-{size}": 5 for size in "SML"})
    store.add("MUG", 5)
    clock.advance(3600)
    return datetime.fromtimestamp(clock(), UTC)


@pytest.mark.parametrize("write", MODES)
def test_all_listings_of_a_changed_product_are_given_with_their_levels(
    store: Store, connect: Connect, later: datetime, write: str
) -> None:
    store.set_level("A-M", 3)
    assert changed(connect(write=write), later) == {"A-S": 5, "A-M": 3, "A-L": 5}


@pytest.mark.parametrize("write", MODES)
@pytest.mark.parametrize("touches", [False, True])
def test_a_sale_may_or_may_not_touch_the_date(
    store: Store, connect: Connect, later: datetime, write: str, touches: bool
) -> None:
    store.switches.stock_touches_date = touches
    store.sell("MUG", 2)
    assert changed(connect(write=write), later) == ({"MUG": 3} if touches else {})


@pytest.mark.parametrize(("write", "touches"), [("catalog", True), ("inventory", False), ("relative", False)])
def test_writes_by_the_catalogue_touch_the_date_and_adjustments_do_not(
    connect: Connect, later: datetime, write: str, touches: bool
) -> None:
    channel = connect(write=write)
    (mug,) = [level for page in channel.read_all() for level in page.levels if level.sku == "MUG"]
    channel.write([Write(mug.ref, "MUG", 4, 5)])
    assert changed(channel, later) == ({"MUG": 4} if touches else {})


@pytest.mark.parametrize(("write", "calls"), [("catalog", 3), ("inventory", 3 + 2 * 3 + 1), ("relative", 10)])
def test_it_costs_as_few_calls_for_a_product_as_a_full_reading(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect, later: datetime, write: str, calls: int
) -> None:
    """600 products of ten variants: three pages of products, and for 250 of them three pages of items."""
    for number in range(600):
        store.add_product(
            f"P{number}", tracking="variant", variants={f"P{number}-{variant}": 1 for variant in range(10)}
        )
    channel = connect(write=write)
    sandbox.requests.clear()
    assert len(changed(channel, later)) == 6000
    assert len(sandbox.requests) == calls


@pytest.mark.parametrize("write", MODES)
def test_the_moment_is_sent_with_its_time_and_zone(sandbox: BigCommerceSandbox, connect: Connect, write: str) -> None:
    channel = connect(write=write)
    changed(channel, datetime(2026, 1, 31, 21, 0, 5, tzinfo=UTC).astimezone())
    (request,) = sandbox.requests
    query = parse_qs(urlsplit(request.partition(" ")[2]).query)
    assert query["date_modified:min"] == ["2026-01-31T21:00:05+00:00"]


def test_a_date_without_a_time_means_the_time_of_day_that_it_is(
    store: Store, clock, channel: BigCommerceChannel
) -> None:
    """So a client that sent one would miss what changed since that morning, or yesterday."""
    store.add("MUG", 5)
    clock.advance(3600)
    today = datetime.fromtimestamp(clock(), UTC).date().isoformat()
    answer = channel.client.call("read", "GET", "/v3/catalog/products", params={"date_modified:min": today})
    assert answer.json()["data"] == []


@pytest.mark.parametrize("write", MODES)
def test_products_that_are_not_tracked_are_left_out_of_it_too(
    store: Store, connect: Connect, later: datetime, write: str
) -> None:
    store.add("POSTCARD", 9, tracking="none")
    assert changed(connect(write=write), later) == {}


def test_what_happened_in_the_very_second_is_given(store: Store, channel: BigCommerceChannel, clock) -> None:
    store.add("MUG", 5)
    assert changed(channel, datetime.fromtimestamp(int(clock()), UTC)) == {"MUG": 5}
    assert changed(channel, datetime.fromtimestamp(int(clock()), UTC) + timedelta(seconds=1)) == {}
