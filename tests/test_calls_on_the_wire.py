"""What the main job costs in calls, counted at the sandbox store: DESIGN's limits, for the whole of pull and push."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from channels import Capabilities, Channel, Level
from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.sandbox import BigCommerceSandbox
from channels.bigcommerce.sandbox import Store as SandboxStore
from channels.bigcommerce.settings import BigCommerceSettings
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.settings import Settings
from sync.stock.ledger import Window
from tests.conftest import TRUSTING, TimedStore, counters

WriteMode = Literal["catalog", "inventory", "relative"]

#: Listings of the sandbox store: half of them products of their own, half variants of products with five each.
LISTINGS = 2000


class Wire:
    """A worker between an authority in memory and a sandbox store, and the calls it makes there."""

    def __init__(self, store: TimedStore, sandbox: BigCommerceSandbox, url: str, write: WriteMode) -> None:
        self.store, self.sandbox = store, sandbox
        settings = BigCommerceSettings.model_validate({**sandbox.settings(url), "write": write})
        self.channel: Channel = BigCommerceChannel("store", settings)
        self.context = Context(Settings.model_construct(authority="store", guard=TRUSTING))
        self.context.store = store
        self.context.counters = counters(store)
        self.context.channels = {"store": self.channel}

    def pull(self) -> list[str]:
        """The calls of a full reading."""
        return self._calls(lambda: pull(self.context, "store", Deadline(600)))

    def push(self) -> list[str]:
        """The calls of a push."""
        return self._calls(lambda: push(self.context, "store", Deadline(600)))

    def sell_elsewhere(self, skus: list[str]) -> None:
        """One unit of each is sold at a till that showed as many: the store's listings are wrong by one."""
        for units in (9, 8):
            self.store.clock.advance(1)
            now_ms = self.store.now_ms()
            levels = [Level(sku, sku, units) for sku in skus]
            self.context.ledger.merge(
                "till", levels, Window(now_ms, now_ms), Capabilities(writes=False), cause="a file"
            )

    def _calls(self, act: Callable[[], object]) -> list[str]:
        self.sandbox.requests.clear()
        act()
        return list(self.sandbox.requests)


@pytest.fixture
def sandbox() -> Iterator[tuple[BigCommerceSandbox, str]]:
    sandbox = BigCommerceSandbox(SandboxStore(quota=None))
    for number in range(LISTINGS // 2):
        sandbox.store.add(f"MUG-{number}", 9)
    for number in range(LISTINGS // 10):
        variants = {f"SHIRT-{number}-{size}": 9 for size in "ABCDE"}
        sandbox.store.add_product(f"Shirt {number}", tracking="variant", variants=variants)
    with sandbox.serve() as url:
        yield sandbox, url


@pytest.fixture
def wire(store: TimedStore, sandbox: tuple[BigCommerceSandbox, str], request: pytest.FixtureRequest) -> Wire:
    return Wire(store, *sandbox, getattr(request, "param", "catalog"))


def writes(calls: list[str]) -> list[str]:
    return [call for call in calls if not call.startswith("GET")]


@pytest.mark.parametrize(("wire", "page"), [("catalog", 250), ("inventory", 1000)], indirect=["wire"])
def test_a_full_pull_costs_a_call_for_each_page_and_no_more(wire: Wire, page: int) -> None:
    assert len(wire.pull()) <= math.ceil(LISTINGS / page * 1.05)
    assert len(list(wire.context.ledger.skus())) == LISTINGS


def test_a_pull_that_finds_nothing_changed_writes_nothing(wire: Wire) -> None:
    wire.pull()
    assert writes(wire.push()) == []
    wire.store.clock.advance(60)
    assert writes(wire.pull()) == []
    assert wire.push() == []


@pytest.mark.parametrize(
    ("wire", "batch"), [("catalog", 50), ("inventory", 2000), ("relative", 2000)], indirect=["wire"]
)
def test_a_push_costs_a_write_for_each_batch_beside_its_guard_reads(wire: Wire, batch: int) -> None:
    wire.pull()
    wire.push()
    wire.store.clock.advance(60)
    changed = [f"SHIRT-{number}-{size}" for number in range(100) for size in "ABCDE"]
    wire.sell_elsewhere(changed)
    calls = wire.push()
    wanted = math.ceil(len(changed) / batch)
    assert len(writes(calls)) <= math.ceil(wanted * 1.05)
    # one reading just before each batch, in as few calls as the channel reads it by
    reads = math.ceil(len(changed) / wire.channel.capabilities.read_batch)
    assert len(calls) - len(writes(calls)) <= max(wanted, reads)
    assert {wire.sandbox.store.level(sku) for sku in changed} == {8}
