"""What orders took from the merchant's stock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channels.amazon.sandbox.account import FBA
from channels.errors import Throttled
from channels.services import Services, Unlimited


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


class Purse(Unlimited):
    """Leave for so many calls, and a word of when the next one is free."""

    def __init__(self, calls):
        self.calls = calls

    def enter(self, operation):
        if self.calls == 0:
            raise Throttled("amazon", operation, "no call is left", retry_after_s=10.0)
        self.calls -= 1


@pytest.mark.parametrize(("scale", "interval_s"), [(None, 1 / 0.0056), (100.0, 1 / 0.56)], ids=["by plan", "by header"])
def test_orders_that_ran_out_of_leave_are_read_again_when_there_is_leave_for_all_their_pages(
    sandbox, connect, since, scale, interval_s
):
    sandbox.buckets.scale = scale
    sandbox.account.put("A", 1000)
    for _ in range(301):
        sandbox.account.sell("A", 1)
    channel = connect(Services(budget=Purse(2)))
    with pytest.raises(Throttled) as caught:
        list(channel.sales(since))
    # two pages again, and one more: with the first call to be free alone, it would be spent on the first page for ever
    assert caught.value.retry_after_s == pytest.approx(10 + 2 * interval_s, rel=0.02)


def test_orders_without_any_leave_are_read_as_soon_as_there_is_some(sandbox, connect, since):
    channel = connect(Services(budget=Purse(0)))
    with pytest.raises(Throttled) as caught:
        list(channel.sales(since))
    assert caught.value.retry_after_s == 10.0
