"""The contract, in each of the three ways of writing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.sandbox import BigCommerceSandbox
from channels.sandbox import Fault as Trouble
from channels.testing import ChannelContract, Fault

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

    def __init__(self, sandbox: BigCommerceSandbox, channel: BigCommerceChannel) -> None:
        self.sandbox = sandbox
        self.channel = channel

    def put(self, sku: str, units: int) -> None:
        store = self.sandbox.store
        if sku in store.levels():
            store.set_level(sku, units)
        elif len(store.products) % 2:
            store.add(sku, units)
        else:
            store.add_product(f"A {sku}", variants={sku: units}, tracking="variant")

    def remove(self, sku: str) -> None:
        self.sandbox.store.remove(sku)

    def shown(self, sku: str) -> int:
        return self.sandbox.store.level(sku)

    def sell(self, sku: str, units: int) -> None:
        self.sandbox.store.sell(sku, units)

    def fault(self, kind: Fault) -> None:
        self.sandbox.faults.clear()
        # The worker reads just before it writes; what an absolute adjustment has to know is learnt there.
        self.channel.read([level.ref for page in self.channel.read_all() for level in page.levels])
        if kind != "nothing":
            self.sandbox.faults.add(TROUBLE[kind])

    def settle(self) -> None:
        self.sandbox.store.settle()


class _EachMode(ChannelContract):
    write: str

    @pytest.fixture
    def world(self, sandbox: BigCommerceSandbox, connect: Callable[..., BigCommerceChannel]) -> Shop:
        return Shop(sandbox, connect(write=self.write, full_every_s=3600))


class TestTheContractByCatalogue(_EachMode):
    write = "catalog"


class TestTheContractByAbsoluteAdjustments(_EachMode):
    write = "inventory"


class TestTheContractByRelativeAdjustments(_EachMode):
    write = "relative"
