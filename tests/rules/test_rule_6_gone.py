"""Rule 6: a written listing that its channel no longer shows cannot be audited; it must not hold up the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from channels import Sale
from sync.audit import audit
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from tests.conftest import CHANNELS, STORE, TimedStore, Town

NAMES = ("till", "store", "market")


@dataclass(slots=True)
class Shop:
    """A store that knows orders; what was asked for of them is noted."""

    town: Town
    orders: list[Sale] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.town.context.store.now_ms() / 1000, UTC)

    def sales(self, since: datetime) -> Iterator[Sale]:
        self.asked.append(since)
        return iter([sale for sale in self.orders if sale.at >= since])

    def sell(self, sku: str, units: int) -> None:
        self.town.store.shop.sell(sku, units)
        number = str(1001 + len(self.orders))
        self.orders.append(Sale(number, "1", sku, f"ref-{sku.lower()}", units, self.now))

    def later(self, seconds: float) -> None:
        self.town.context.store.clock.advance(seconds)  # type: ignore[attr-defined]

    def read(self) -> None:
        for name in NAMES:
            pull(self.town.context, name, Deadline(60))

    def audit(self) -> None:
        audit(self.town.context, "store", Deadline(60))

    def due(self) -> list[str]:
        return self.town.context.worklist.due_audits("store", 2**53, 100)

    def on_hand(self, sku: str) -> int | None:
        (record,) = self.town.context.ledger.records([sku])
        return record.on_hand


@pytest.fixture
def shop(store: TimedStore) -> Shop:
    """A was written, sold after that, and is gone before any reading has shown the sale."""
    town = Town.build(store, CHANNELS | {"store": replace(STORE, orders=True)})
    shop = Shop(town)
    town.store.sales = shop.sales  # type: ignore[method-assign]
    for sku in "AB":
        town.put(sku, 10)
    shop.read()
    shop.later(300)
    shop.read()
    town.till.shop.sell("A", 3)
    shop.read()
    push(town.context, "store", Deadline(60))
    assert town.store.shop.shown("A") == 7
    shop.later(30)
    shop.sell("A", 2)
    return shop


def test_a_listing_that_is_gone_has_no_orders_asked_for_again_and_again(shop: Shop) -> None:
    del shop.town.store.shop.units["ref-a"]
    for _ in range(3):
        shop.later(60)
        shop.read()
        shop.audit()

    assert shop.due() == []
    shop.asked.clear()
    shop.later(7 * 86_400)
    shop.town.till.shop.sell("B", 1)
    shop.read()
    push(shop.town.context, "store", Deadline(60))
    shop.later(60)
    shop.audit()
    assert shop.asked
    assert min(shop.asked) > shop.now - timedelta(hours=1)


def test_what_was_sold_of_it_is_booked_once_it_is_shown_again(shop: Shop) -> None:
    town = shop.town
    left = town.store.shop.units.pop("ref-a")
    for _ in range(3):
        shop.later(60)
        shop.read()
        shop.audit()
    town.store.shop.units["ref-a"] = left
    for _ in range(4):
        shop.later(60)
        shop.read()
        shop.audit()

    assert shop.on_hand("A") == 5
    assert shop.due() == []


def test_a_listing_that_comes_back_while_it_is_given_up_is_audited(shop: Shop) -> None:
    """The reading that shows it again ends between the audit's look and its last step."""
    town = shop.town
    left = town.store.shop.units.pop("ref-a")
    shop.later(60)
    shop.read()
    orders = list(shop.orders)

    def comes_back(since: datetime) -> Iterator[Sale]:
        town.store.shop.units["ref-a"] = left
        pull(town.context, "store", Deadline(60))
        town.store.sales = shop.sales  # type: ignore[method-assign]
        return iter(orders)

    shop.later(60)
    town.store.sales = comes_back  # type: ignore[method-assign]
    shop.audit()
    assert shop.due() == ["a"]
