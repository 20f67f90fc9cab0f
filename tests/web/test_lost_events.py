"""Events that are lost, doubled, late and out of order, and a receiver that is away: the truth comes out in the end.

Two sandbox stores, real HTTP, and the domain as the tasks call it; the receiver is the real application.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from channels import Services
from channels.bigcommerce import BigCommerceChannel, BigCommerceSettings
from channels.bigcommerce.sandbox import BigCommerceSandbox
from channels.bigcommerce.sandbox import Store as World
from channels.bigcommerce.sandbox.store import OutOfStock
from channels.sandbox import served
from sync import webhooks
from sync.celery import SyncApp
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.readings import Pulls
from sync.refresh import refresh
from sync.storage import embedded
from sync.storage.store import Store
from sync.web import create_app
from tests.web.conftest import build_app, no_timer

NAMES = ("here", "there")
SKUS = [f"SKU-{number}" for number in range(12)]
OPENED = 100


@dataclass(slots=True)
class Trade:
    """Two stores that share their stock, and the worker between them."""

    celery: SyncApp
    worlds: dict[str, BigCommerceSandbox]

    @property
    def context(self) -> Context:
        return self.celery.context

    def sell(self, chance: random.Random) -> int:
        """One customer somewhere; gives the units sold."""
        world = self.worlds[chance.choice(NAMES)].store
        try:
            units = chance.randrange(1, 3)
            world.sell(chance.choice(SKUS), units)
        except OutOfStock:
            return 0
        return units

    def deliver(self) -> None:
        for world in self.worlds.values():
            world.deliveries.deliver()

    def work(self) -> None:
        """What the workers do when they are rung for."""
        for name in NAMES:
            if Pulls(self.context.store).state(name).wanted_ms:
                pull(self.context, name, Deadline(60))
            refresh(self.context, name, Deadline(60))
        for name in NAMES:
            push(self.context, name, Deadline(60))

    def reconcile(self) -> None:
        for _ in range(3):
            for name in NAMES:
                pull(self.context, name, Deadline(60))
            self.work()

    def on_hand(self) -> dict[str, int | None]:
        return {record.sku: record.on_hand for record in self.context.ledger.every_record()}

    def levels(self) -> list[dict[str, int]]:
        return [dict(self.worlds[name].store.levels()) for name in NAMES]


@pytest.fixture
def trade(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    no_timer(monkeypatch)
    store = Store(embedded.url(data_dir))
    store.client.flushall()
    worlds = {name: BigCommerceSandbox(World(quota=None, store_hash=name)) for name in NAMES}
    for world in worlds.values():
        for sku in SKUS:
            world.store.add(sku, OPENED)
    celery = build_app(store, embedded.broker_url(data_dir), authority="here")
    here, there = (worlds[name].serve(deliver=False) for name in NAMES)
    with here as here_url, there as there_url, served(create_app(celery)) as address:
        channels = {}
        for name, url in zip(NAMES, (here_url, there_url), strict=True):
            table = worlds[name].settings(url) | {"settle_s": "0", "webhook_url": address}
            channels[name] = BigCommerceChannel(name, BigCommerceSettings.model_validate(table), Services())
        celery.context.channels = channels
        for name in NAMES:
            assert webhooks.ensure(celery.context, name)
        trade = Trade(celery, worlds)
        trade.reconcile()
        yield trade
        for channel in channels.values():
            channel.close()
    store.close()


@pytest.mark.parametrize("seed", range(3))
def test_whatever_becomes_of_events_the_stock_of_record_is_right_after_the_next_reconcile(
    trade: Trade, seed: int
) -> None:
    chance, sold = random.Random(seed), 0
    for world in trade.worlds.values():
        switches = world.store.switches
        switches.drop, switches.duplicate, switches.late, switches.late_s = 0.2, 0.2, 1.0, 0.05
    for _ in range(15):
        for _ in range(4):
            sold += trade.sell(chance)
        trade.deliver()
        trade.work()
    trade.reconcile()
    assert_true(trade, sold)


def test_a_receiver_that_was_away_is_made_good_by_the_first_event_that_comes_late(trade: Trade) -> None:
    chance, sold = random.Random(9), 0
    hooks = [hook for world in trade.worlds.values() for hook in world.store.hooks.values()]
    right = {id(hook): hook.destination for hook in hooks}
    for hook in hooks:
        hook.destination = "http://127.0.0.1:9/webhooks/nobody"  # nothing listens there
    for _ in range(20):
        sold += trade.sell(chance)
    for world in trade.worlds.values():
        world.store.switches.drop = 1.0  # and these are lost for good
    for _ in range(20):
        sold += trade.sell(chance)
    trade.deliver()
    for hook in hooks:
        hook.destination = right[id(hook)]
    assert sum(trade.on_hand()[sku] or 0 for sku in SKUS) == OPENED * len(SKUS)
    later(trade, 61)
    trade.deliver()
    for _ in range(3):
        trade.work()
    assert_true(trade, sold)


def test_a_hook_that_was_switched_off_is_armed_again_and_everything_is_read(trade: Trade) -> None:
    for hook in trade.worlds["here"].store.hooks.values():
        hook.is_active = False
    trade.worlds["here"].store.sell(SKUS[0], 3)
    trade.deliver()
    trade.work()
    assert trade.on_hand()[SKUS[0]] == OPENED
    assert webhooks.ensure(trade.context, "here")
    trade.work()
    assert_true(trade, 3)


def test_hooks_that_are_right_ask_for_nothing(trade: Trade) -> None:
    assert not webhooks.ensure(trade.context, "here")
    assert not Pulls(trade.context.store).state("here").wanted_ms


def test_a_sale_is_on_the_other_store_with_one_reading_and_its_echo_moves_nothing(trade: Trade) -> None:
    here, there = (trade.worlds[name] for name in NAMES)
    trade.deliver()
    trade.work()
    for world in (here, there):
        world.requests.clear()
    here.store.sell(SKUS[0], 2)
    trade.deliver()
    trade.work()
    assert there.store.level(SKUS[0]) == OPENED - 2
    assert len(here.requests) == 1
    movements = trade.context.ledger.history(SKUS[0])
    trade.deliver()  # the echo of our own write
    for world in (here, there):
        world.requests.clear()
    clear_quiet(trade)
    trade.work()
    assert [line for line in (*here.requests, *there.requests) if not line.startswith("GET")] == []
    assert trade.context.ledger.history(SKUS[0]) == movements


def test_a_listing_that_appears_and_one_that_changes_its_sku_are_found(trade: Trade) -> None:
    here = trade.worlds["here"].store
    here.add("NEW", 4)
    here.rename(SKUS[1], "RENAMED")
    trade.deliver()
    trade.work()
    records = {record.sku: record for record in trade.context.ledger.every_record()}
    assert records["NEW"].listings["here"].level == 4
    assert "here" in records["RENAMED"].listings


def test_a_listing_that_goes_is_read_again_and_never_zeroed(trade: Trade) -> None:
    trade.worlds["here"].store.remove(SKUS[2])
    trade.deliver()
    trade.work()
    assert trade.on_hand()[SKUS[2]] == OPENED
    trade.reconcile()
    (record,) = trade.context.ledger.records([SKUS[2]])
    hold = record.listings["here"].hold
    assert hold is not None
    assert hold.kind == "missing"
    assert (record.on_hand, trade.worlds["there"].store.level(SKUS[2])) == (OPENED, OPENED)


def assert_true(trade: Trade, sold: int) -> None:
    on_hand = trade.on_hand()
    assert sum(on_hand[sku] or 0 for sku in SKUS) == OPENED * len(SKUS) - sold
    assert trade.levels() == [on_hand, on_hand]


def later(trade: Trade, seconds: float) -> None:
    """Let the stores' clocks, and the times at which their events happened, be so much earlier."""
    for world in trade.worlds.values():
        for delivery in world.deliveries._waiting:
            delivery.due -= seconds
            created = f'"created_at":{delivery.signed_at}'.encode()
            assert created in delivery.body
            delivery.body = delivery.body.replace(created, f'"created_at":{delivery.signed_at - int(seconds)}'.encode())


def clear_quiet(trade: Trade) -> None:
    """The settle time is over."""
    context = trade.context
    for name in NAMES:
        for key in context.store.client.scan_iter(f"is:*marks:{name}"):
            for ref in context.store.client.zrange(key, 0, -1):
                context.store.client.zadd(key, {ref: 1})
