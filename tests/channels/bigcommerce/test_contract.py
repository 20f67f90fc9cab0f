"""The contract, in each of the three ways of writing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.sandbox import Sandbox, Store, sandbox
from channels.sandbox import Fault as Trouble
from channels.testing import ChannelContract, Fault
from tests.channels.bigcommerce.conftest import settings_for

TROUBLE = {
    "throttle": Trouble("answer", status=429),
    "deny": Trouble("answer", status=401),
    "crash": Trouble("answer", status=500),
    "hang up": Trouble("hang up"),
    "garbage": Trouble("garbage"),
    "drop the answer of a write": Trouble("drop", match="^(PUT|POST) "),
}


class Shop:
    """A sandbox store as the contract's world."""

    def __init__(self, running: Sandbox, write: str) -> None:
        self.running = running
        self.channel = BigCommerceChannel("store", settings_for(running, write=write))

    def put(self, sku: str, units: int) -> None:
        store = self.running.store
        if sku in store.levels():
            store.set_level(sku, units)
        elif len(store.products) % 2:
            store.add(sku, units)
        else:
            store.add_product(f"A {sku}", variants={sku: units}, tracking="variant")

    def remove(self, sku: str) -> None:
        self.running.store.remove(sku)

    def shown(self, sku: str) -> int:
        return self.running.store.level(sku)

    def sell(self, sku: str, units: int) -> None:
        self.running.store.sell(sku, units)

    def fault(self, kind: Fault) -> None:
        self.running.faults.clear()
        # The worker reads just before it writes; what an absolute adjustment has to know is learnt there.
        self.channel.read([level.ref for page in self.channel.read_all() for level in page.levels])
        if kind != "nothing":
            self.running.faults.add(TROUBLE[kind])

    def settle(self) -> None:
        self.running.store.settle()


class _EachMode(ChannelContract):
    write: str

    @pytest.fixture
    def world(self) -> Iterator[Shop]:
        with sandbox(Store(quota=None)) as running:
            world = Shop(running, self.write)
            yield world
            world.channel.close()


class TestTheContractByCatalogue(_EachMode):
    write = "catalog"


class TestTheContractByAbsoluteAdjustments(_EachMode):
    write = "inventory"


class TestTheContractByRelativeAdjustments(_EachMode):
    write = "relative"
