"""What orders took from the merchant's stock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channels.amazon.sandbox.account import FBA


@pytest.fixture
def since(clock):
    return datetime.fromtimestamp(clock(), UTC) - timedelta(hours=1)


def test_a_pending_order_takes_stock_and_a_cancelled_one_gives_it_back(sandbox, channel, since):
    sandbox.account.put("A", 10)
    order = sandbox.account.sell("A", 3)
    (sale,) = channel.sales(since)
    assert (sale.order, sale.sku, sale.ref, sale.units) == (order, "A", "A", 3)
    sandbox.account.advance(order, "CANCELLED")
    (again,) = channel.sales(since)
    assert (again.order, again.line, again.units) == (sale.order, sale.line, 0)
    assert sandbox.account.shown("A") == 10


def test_a_shipped_order_keeps_what_it_took(sandbox, channel, since):
    sandbox.account.put("A", 10)
    sandbox.account.advance(sandbox.account.sell("A", 3), "SHIPPED")
    (sale,) = channel.sales(since)
    assert sale.units == 3


def test_an_order_changed_since_is_told_with_the_moment_it_was_placed(sandbox, channel, clock, since):
    sandbox.account.put("A", 10)
    placed = clock()
    order = sandbox.account.sell("A", 3)
    clock.advance(7200)
    later = datetime.fromtimestamp(clock(), UTC) - timedelta(minutes=1)
    assert list(channel.sales(later)) == []
    sandbox.account.advance(order, "UNSHIPPED")
    (sale,) = channel.sales(later)
    assert abs(sale.at.timestamp() - placed) < 0.01


def test_what_amazon_ships_from_its_own_stock_is_not_a_sale_of_ours(sandbox, channel, since):
    sandbox.account.put("MINE", 10)
    sandbox.account.put("THEIRS", 10, network=FBA)
    sandbox.account.sell("MINE", 1)
    sandbox.account.sell("THEIRS", 2)
    assert [sale.sku for sale in channel.sales(since)] == ["MINE"]


def test_a_hundred_orders_cost_one_call(sandbox, channel, since):
    sandbox.account.put("A", 1000)
    for _ in range(201):
        sandbox.account.sell("A", 1)
    assert sum(sale.units for sale in channel.sales(since)) == 201
    assert [call.operation for call in sandbox.calls] == ["search orders"] * 3
