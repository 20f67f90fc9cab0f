"""Sandboxes in processes of their own, with a log of every call and another app that spends at random."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

from channels.amazon.limits import Limit
from channels.amazon.sandbox import AmazonSandbox
from channels.amazon.sandbox.buckets import Buckets
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.bigcommerce.sandbox.quota import Quota
from channels.sandbox import Fault


class Entry(NamedTuple):
    """One call that a sandbox counted or refused."""

    at: float
    kind: Literal["ours", "others", "refused"]
    operation: str = ""


class LoggedQuota(Quota):
    """BigCommerce's window, written down."""

    log: list[Entry]

    def take(self) -> tuple[bool, Mapping[str, str]]:
        allowed, told = super().take()
        self.log.append(Entry(time.time(), "ours" if allowed else "refused"))
        return allowed, told

    def spend(self, calls: int) -> None:
        before = self.used
        super().spend(calls)
        self.log += [Entry(time.time(), "others")] * (self.used - before)


class LoggedBuckets(Buckets):
    """Amazon's buckets, written down."""

    log: list[Entry]

    def take(self, limit: Limit) -> bool:
        granted = super().take(limit)
        self.log.append(Entry(time.time(), "ours" if granted else "refused", limit.operation))
        return granted


@dataclass(frozen=True, slots=True)
class Use:
    """How a quota was used."""

    calls: int
    refused: int
    #: The part used of each window in which there was work from its beginning to its end.
    windows: list[float]
    took_s: float

    @property
    def used(self) -> float | None:
        return sum(self.windows) / len(self.windows) if self.windows else None


class Remote:
    """A sandbox in another process, by what can be asked of it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.settings: dict[str, str] = pipe.recv()

    def ask(self, *question: Any) -> Any:
        self._pipe.send(question)
        return self._pipe.recv()

    def level(self, sku: str) -> int:
        return int(self.ask("level", sku))

    def log(self) -> list[Entry]:
        return list(self.ask("log"))

    def use(self, *, limit: int, window_s: float) -> Use:
        """By windows, from our first call to our last."""
        log, began = self.log(), self.ask("began")
        ours = [entry.at for entry in log if entry.kind == "ours"]
        per_window = Counter(int((entry.at - began) // window_s) for entry in log if entry.kind != "refused")
        first, last = int((ours[0] - began) // window_s), int((ours[-1] - began) // window_s)
        whole = [per_window[number] / limit for number in range(first + 1, last)]
        refused = sum(entry.kind == "refused" for entry in log)
        return Use(len(ours), refused, whole, ours[-1] - ours[0])


@contextmanager
def store(
    listings: int, *, quota: int | None, window_s: float, share: float = 0.0, variants: int = 0
) -> Iterator[Remote]:
    """A BigCommerce store with the listings ``SKU-00000``..., each of 100 units; another app spends ``share``.

    They are products without variants, or ``variants`` to a product.
    """
    with _process(_serve_store, listings, variants, quota, window_s, share) as remote:
        yield remote


@contextmanager
def amazon(listings: int, *, rate_scale: float) -> Iterator[Remote]:
    """An Amazon account with as many listings, with buckets so much faster than documented."""
    with _process(_serve_amazon, listings, rate_scale) as remote:
        yield remote


@contextmanager
def _process(target: Any, *args: Any) -> Iterator[Remote]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(there, *args), daemon=True)
    process.start()
    try:
        yield Remote(here)
    finally:
        process.terminate()
        process.join()


def sku(number: int) -> str:
    return f"SKU-{number:05}"


def _serve_store(
    pipe: Connection, listings: int, variants: int, quota: int | None, window_s: float, share: float
) -> None:
    world = Store(quota=quota, window_s=window_s)
    counted = LoggedQuota(time.time, limit=quota, window_s=window_s)
    counted.log = []
    world.quota = counted
    for number in range(0, listings, variants or 1):
        if variants:
            skus = [sku(number + place) for place in range(min(variants, listings - number))]
            world.add_product(f"product {number}", tracking="variant", variants=dict.fromkeys(skus, 100))
        else:
            world.add(sku(number), 100)
    sandbox = BigCommerceSandbox(world)
    with sandbox.serve() as url:
        pipe.send(sandbox.settings(url))
        if share and quota:
            threading.Thread(target=_spend, args=(counted, quota * share / window_s), daemon=True).start()
        while True:
            match pipe.recv():
                case ("level", name):
                    pipe.send(world.level(name))
                case ("log",):
                    pipe.send(list(counted.log))
                case ("began",):
                    pipe.send(counted._began)
                case ("requests",):
                    pipe.send(list(sandbox.requests))
                case ("age", seconds):
                    for product in world.products.values():
                        product.modified_at -= seconds
                    pipe.send(None)
                case ("count", names, units):
                    for name in names:
                        world.set_level(name, units)
                    pipe.send(None)
                case ("sell", names):
                    for name in names:
                        world.sell(name)
                    pipe.send(None)
                case ("slow", seconds):
                    sandbox.faults.add(Fault("slow", seconds=seconds))
                    pipe.send(None)
                case ("forget",):
                    counted.log.clear()
                    sandbox.requests.clear()
                    pipe.send(None)


def _spend(quota: Quota, per_s: float) -> None:
    """Another app of the store: one to three calls at a time, whenever it likes."""
    rng = random.Random(5)
    while True:
        calls = rng.randint(1, 3)
        time.sleep(rng.expovariate(per_s / 2))
        quota.spend(calls)


def _serve_amazon(pipe: Connection, listings: int, rate_scale: float) -> None:
    sandbox = AmazonSandbox(rate_scale=rate_scale)
    buckets = LoggedBuckets(time.time, rate_scale)
    buckets.log = []
    sandbox.buckets = buckets
    for number in range(listings):
        sandbox.account.put(sku(number), 100)
    with sandbox.serve() as url:
        pipe.send(sandbox.settings(url))
        while True:
            match pipe.recv():
                case ("level", name):
                    pipe.send(sandbox.account.shown(name))
                case ("log",):
                    pipe.send(list(buckets.log))
                case ("began",):
                    pipe.send(0.0)
