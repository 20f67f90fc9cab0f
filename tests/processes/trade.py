"""A shop whose two channels sell, and the account of what there truly is."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from channels.amazon.sandbox.account import SoldOut
from channels.bigcommerce.sandbox.store import OutOfStock
from tests.processes.conftest import Shop

#: SKUs of the shop, and units of each to begin with.
SKUS, UNITS = 60, 100

#: Everything often, for those who wait.
SCHEDULE = """
[sweep]
task = "sync.sweep"
every = "1s"

[reconcile]
task = "sync.reconcile"
every = "2s"

[audit-orders]
task = "sync.audit_orders"
every = "2s"
"""


@dataclass
class Trade:
    """Sales on both channels, in a thread of their own."""

    shop: Shop
    sold: Counter[str] = field(default_factory=Counter)
    sales: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(7))

    @classmethod
    def begin(cls, shop: Shop) -> Trade:
        """Stock both channels, which disagree to begin with."""
        for number in range(1, SKUS + 1):
            shop.store.store.add(f"SKU-{number}", UNITS)
            shop.amazon.account.put(f"SKU-{number}", UNITS - 10)
        shop.amazon.buckets.scale = 1000.0  # orders are audited every other second
        return cls(shop)

    @property
    def true(self) -> dict[str, int]:
        """What there truly is."""
        return {f"SKU-{number}": UNITS - self.sold[f"SKU-{number}"] for number in range(1, SKUS + 1)}

    @contextmanager
    def going_on(self) -> Iterator[None]:
        over = threading.Event()
        thread = threading.Thread(target=self._sell, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _sell(self, over: threading.Event) -> None:
        while not over.wait(0.15):
            self.sell()

    def sell(self) -> None:
        """One sale of one unit, on one of the channels."""
        sku = f"SKU-{self.rng.randint(1, SKUS)}"
        try:
            if self.rng.random() < 0.5:
                self.shop.store.store.sell(sku, 1)
            else:
                self.shop.amazon.account.sell(sku, 1)
        except (OutOfStock, SoldOut):
            return
        self.sold[sku] += 1
        self.sales += 1

    def is_accounted_for(self) -> bool:
        """Whether the stock of record and both channels show what there truly is."""
        true = self.true
        if dict(self.shop.store.store.levels()) != true:
            return False
        if {sku: self.shop.amazon.account.shown(sku) for sku in true} != true:
            return False
        ran = self.shop.run("stock", "--json")  # a process of its own, so only when the rest is true
        return ran.code == 0 and {row["sku"]: row["on_hand"] for row in json.loads(ran.out)} == true
