"""Customers of both sandboxes, who buy and now and then change their minds, and the account of what they did."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import redis

from channels.amazon.sandbox.account import SoldOut
from channels.bigcommerce.sandbox.store import OutOfStock
from sync.context import Context
from sync.turns import Turn
from tests.processes.conftest import Shop

#: For how long nobody touches a SKU before and after units of it come back, in seconds.
REST_S = 6.0


@dataclass
class Customers(threading.Thread):
    """Customers in a thread of their own.

    Parameters:
        shop: Where they buy.
        context: By which they see whether a moment is good for a cancellation.
        rng: Chooses who buys what, where and when.
        initial: How many units of each SKU there were.
        per_s: How many orders there are in a second, on average.
    """

    shop: Shop
    context: Context
    rng: random.Random
    initial: dict[str, int]
    per_s: float = 8.0
    #: Units sold and not given back, by SKU.
    sold: Counter[str] = field(default_factory=Counter)
    #: What happened: when, where, what.
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(name="customers")
        self._stop_asked = threading.Event()
        self._orders: list[tuple[str, str, int, str | int]] = []
        self._cancelled: dict[str, float] = {}
        self._bought: dict[str, float] = {}
        self.error: Exception | None = None
        self.counts: Counter[str] = Counter()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        skus = list(self.initial)
        try:
            while not self._stop_asked.wait(self.rng.expovariate(self.per_s)):
                if self.rng.random() < 0.15:
                    self._cancel()
                else:
                    # few SKUs are sold often, many seldom
                    self._buy(self.rng.choice(skus[: len(skus) // 3] if self.rng.random() < 0.75 else skus))
        except Exception as error:  # noqa: BLE001 - told by whoever waits for this thread
            self.error = error

    def stop(self) -> None:
        """Nobody buys any more."""
        self._stop_asked.set()
        self.join()
        if self.error:
            raise self.error

    def on_hand(self, sku: str) -> int:
        """What there truly is."""
        return self.initial[sku] - self.sold[sku]

    def _buy(self, sku: str) -> None:
        if time.monotonic() - self._cancelled.get(sku, 0) < REST_S:
            return
        channel, units = self.rng.choice(("store", "amazon")), self.rng.choice((1, 1, 1, 2, 3))
        try:
            if channel == "store":
                order: str | int = self.shop.store.store.sell(sku, units).id
            else:
                order = self.shop.amazon.account.sell(sku, units)
        except (OutOfStock, SoldOut):
            self.counts["sold out"] += 1
            return
        self.sold[sku] += units
        self._bought[sku] = time.monotonic()
        self.counts["sold"] += 1
        self._orders.append((channel, sku, units, order))
        self._tell(f"{channel}: {units} of {sku} sold, order {order}")

    def _cancel(self) -> None:
        """Give back an order of a SKU that is at rest.

        Units that come back in the very moment of an absolute write can be told from it by nobody; see
        ``docs/correctness.md``.
        """
        since = time.monotonic() - REST_S
        rested = [one for one in self._orders if max(self._bought[one[1]], self._cancelled.get(one[1], 0)) < since]
        for one in self.rng.sample(rested, min(len(rested), 5)):
            channel, sku, units, order = one
            try:
                turn = Turn(self.context.store, "sync.push", channel)
                if not self._at_rest(sku) or not turn.take():
                    continue
                if self._at_rest(sku):
                    if channel == "store":
                        self.shop.store.store.cancel(int(order))
                    else:
                        self.shop.amazon.account.advance(str(order), "CANCELLED")
                    self.sold[sku] -= units
                    self.counts["cancelled"] += 1
                    self._orders.remove(one)
                    self._cancelled[sku] = time.monotonic()
                    self._tell(f"{channel}: {units} of {sku} given back, order {order}")
                    turn.end(whatever=True)
                    return
                turn.end(whatever=True)
            except redis.RedisError:  # the store has just been killed
                return

    def _at_rest(self, sku: str) -> bool:
        context, folded = self.context, sku.casefold()
        (record,) = context.ledger.records([sku])
        if record.on_hand != self.on_hand(sku):
            return False
        later_ms = context.store.now_ms() + 10**9
        return not any(
            listing.write
            or listing.level != record.on_hand
            or folded in context.worklist.due_audits(name, later_ms, 999)
            for name, listing in record.listings.items()
        )

    def _tell(self, what: str) -> None:
        self.story.append(f"{time.time():.3f} {what}")
