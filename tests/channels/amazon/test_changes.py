"""Reading what has changed: by search, as far as one can be paged through, and what Amazon does not tell."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from channels.errors import Rejected
from channels.sandbox import Fault


def changed(channel, since):
    return {row.sku: row.units for page in channel.changed(since) for row in page.levels}


@pytest.fixture
def later(sandbox, clock):
    """A moment an hour after the account was filled."""
    for number in range(60):
        sandbox.account.put(f"SKU-{number:03}", 9)
    clock.advance(3600)
    return datetime.fromtimestamp(clock(), UTC)


def test_changed_listings_are_given_twenty_by_each_call(sandbox, channel, later):
    for number in range(30):
        sandbox.account.put(f"SKU-{number:03}", 1)
    sandbox.forget_calls()
    assert changed(channel, later) == {f"SKU-{number:03}": 1 for number in range(30)}
    assert [call.operation for call in sandbox.calls] == ["search listings"] * 2


@pytest.mark.parametrize("touches", [False, True])
def test_a_sale_may_or_may_not_touch_the_date(sandbox, channel, later, touches):
    sandbox.account.stock_touches_date = touches
    sandbox.account.sell("SKU-007", 2)
    assert changed(channel, later) == ({"SKU-007": 7} if touches else {})


def test_our_own_writes_are_changes(sandbox, channel, later, write):
    write(channel, {"SKU-007": 4})
    assert changed(channel, later) == {"SKU-007": 4}


def test_more_than_a_search_shows_is_refused_before_anything_is_given(sandbox, channel, later):
    for number in range(1001):
        sandbox.account.put(f"SKU-{number:04}", 1)
    with pytest.raises(Rejected, match="1001 listings have changed, and a search shows 1000"):
        next(channel.changed(later))


def test_a_change_in_the_middle_of_it_hides_no_listing(sandbox, channel, later, clock):
    for number in range(60):
        sandbox.account.put(f"SKU-{number:03}", 1)
    seen = set()
    for page in channel.changed(later):
        seen |= {row.sku for row in page.levels}
        clock.advance(1)
        sandbox.account.count(f"SKU-{len(seen) - 1:03}", 7)
    assert len(seen) == 60


def test_a_search_that_finds_none_may_say_so_by_a_404(sandbox, channel, later):
    sandbox.faults.add(Fault("answer", match="lastUpdatedAfter", status=404))
    assert changed(channel, later) == {}


def test_stock_that_amazon_counts_is_always_read_whole(connect):
    with pytest.raises(ValidationError, match="always read whole"):
        connect(stock="amazon", full_every_s=3600)
    with pytest.raises(NotImplementedError):
        connect(stock="amazon").changed(datetime.now(UTC))
