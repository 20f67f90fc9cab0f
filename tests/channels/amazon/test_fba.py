"""What Amazon holds in its warehouses: read where asked for, and never written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from channels.amazon.sandbox.account import FBA
from channels.contract import Level
from channels.errors import Rejected


@pytest.fixture
def channel(connect):
    return connect(stock="amazon")


@pytest.fixture
def held(sandbox):
    """120 SKUs in Amazon's warehouses, and one of the merchant's own."""
    for number in range(120):
        sandbox.account.put(f"FBA-{number:03}", number, network=FBA)
    sandbox.account.put("MINE", 4)
    return sandbox.account


def test_the_units_that_can_be_sold_are_read_fifty_by_each_call(sandbox, held, channel):
    pages = list(channel.read_all())
    rows = [row for page in pages for row in page.levels]
    assert rows == [Level(f"FBA-{n:03}", f"FBA-{n:03}", n) for n in range(120)]
    assert [call.operation for call in sandbox.calls] == ["get FBA inventory"] * 3


def test_units_on_their_way_cannot_be_sold(held, channel):
    held.listing("FBA-007").inbound = 500
    assert channel.read(["FBA-007"]).levels == [Level("FBA-007", "FBA-007", 7)]


def test_single_skus_are_read_by_one_call_but_for_those_with_a_comma(sandbox, held, channel):
    held.put("a,b", 3, network=FBA)
    page = channel.read(["FBA-001", "FBA-002", "a,b", "gone"])
    assert [row.units for row in page.levels] == [1, 2, 3]
    assert len(sandbox.calls) == 2


def test_a_reading_that_pauses_for_too_long_is_an_error_and_no_short_reading(held, channel, clock):
    pages = channel.read_all()
    first = next(pages)
    assert first.cursor is None
    clock.advance(31)
    with pytest.raises(Rejected, match="nextToken"):
        next(pages)


def test_it_is_never_written(sandbox, held, channel, write):
    assert channel.capabilities.writes is False
    assert write(channel, {"FBA-001": 5}) == ["refused"]
    assert sandbox.requests == []


def test_its_sales_are_what_amazon_ships(held, channel, clock):
    held.sell("FBA-009", 2)
    held.sell("MINE", 1)
    since = datetime.fromtimestamp(clock(), UTC) - timedelta(hours=1)
    assert [(sale.sku, sale.units) for sale in channel.sales(since)] == [("FBA-009", 2)]
