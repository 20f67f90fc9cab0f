"""Everything together, under load and faults, for as long as is asked: ``python -m benchmarks.soak [--minutes 10]``.

A till, a BigCommerce store with webhooks and an Amazon account sell from one pool, under BigCommerce's real quota and
two hundred times Amazon's: it gives orders out a hundred in three minutes, and here some are sold each second. Now and
then the channels refuse (429, 503), hang up, answer nothing though they did what was asked, or are slow. Three workers,
two schedulers and the receiver serve them; some of these are killed and started again all the time, and so is the
store. One worker, one scheduler and the receiver are spared: their memory is what is watched.

In the end the world is left in peace, and every unit is counted. Exit code 1 when one is missing, when anything is
left to do, when a process has ended by itself, or when memory has grown.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import redis

from benchmarks.__main__ import RESULTS
from channels.amazon.sandbox import AmazonSandbox
from channels.bigcommerce.sandbox import BigCommerceSandbox
from channels.pos_csv.sandbox import Till
from channels.sandbox import Fault
from sync.commands.sandbox import settings_table
from sync.context import Context
from sync.readings import Pulls
from sync.settings import load_settings
from sync.stock.records import State
from sync.storage import embedded
from sync.views.progress import progress
from sync.views.stock import listing_views
from tests.ports import free_port
from tests.processes.conftest import TRUSTING, Shop
from tests.processes.customers import Customers
from tests.processes.fleet import Fleet, Process

#: SKUs of the shop; few are sold often, many seldom.
SKUS = 300

#: Orders a second, on both online channels together; and seconds between two sales of the till, and its exports.
ORDERS_PER_S, TILL_SALE_S, EXPORT_S = 4.0, 1.0, 15.0

#: How many times as fast Amazon's buckets fill.
AMAZON_SCALE = 200.0

#: Seconds between two deaths, on average, and between two looks at memory.
DEATH_S, LOOK_S = 20.0, 5.0

#: How long it may take until all is known, once the world is left in peace, in seconds.
PEACE_S = 420.0

#: Growth of a spared process's memory that counts as flat, from its second quarter to its last.
FLAT = 1.10

SCHEDULE = """
[sweep]
task = "sync.sweep"
every = "2s"

[reconcile]
task = "sync.reconcile"
every = "60s"

[audit-orders]
task = "sync.audit_orders"
every = "15s"

[ensure-webhooks]
task = "sync.ensure_webhooks"
every = "60s"
"""

#: Of a hundred requests so many meet each kind of trouble.
FAULTS = (
    Fault("answer", status=429, chance=0.01, headers={"X-Rate-Limit-Time-Reset-Ms": "2000", "Retry-After": "2"}),
    Fault("answer", status=503, chance=0.01),
    Fault("hang up", chance=0.01),
    Fault("drop", chance=0.005),
    Fault("lost 500", chance=0.005),
    Fault("slow", chance=0.02, seconds=2.0),
)


@dataclass(slots=True)
class Memory:
    """What a process holds in memory over time, in MB."""

    sizes: list[float] = field(default_factory=list)
    #: Whether it should stay the same: the store keeps the history of every unit, so it does not.
    bounded: bool = True

    @property
    def early(self) -> float:
        """The median of the second quarter: by then it has met everything once."""
        quarter = max(1, len(self.sizes) // 4)
        return statistics.median(self.sizes[quarter : 2 * quarter] or self.sizes)

    @property
    def late(self) -> float:
        """The median of the last quarter."""
        return statistics.median(self.sizes[-max(1, len(self.sizes) // 4) :])

    @property
    def growth(self) -> float:
        """How many times the early size the late one is."""
        return self.late / self.early

    @property
    def flat(self) -> bool:
        """Whether it has stayed the same, as far as it should."""
        return not self.bounded or self.growth <= FLAT


def soak(minutes: float, seed: int) -> int:
    """Do it, print the table, keep the figures. Gives the exit code."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder = Path(name)
        store, amazon = BigCommerceSandbox(), AmazonSandbox(visible_after_s=1.0)
        amazon.buckets.scale = AMAZON_SCALE
        till = Till(folder / "pos")
        with store.serve() as store_url, amazon.serve() as amazon_url:
            port = free_port()
            shop = Shop(folder, store, amazon, _settings(store.settings(store_url), amazon.settings(amazon_url), port))
            (folder / "schedule").write_text(SCHEDULE)
            shop.configure(shop.settings)
            os.environ["SYNC_CONFIG"] = str(folder / "sync.toml")
            try:
                return Soak(shop, till, Context(load_settings()), rng, port).run(minutes)
            finally:
                embedded.stop(folder / "var")


class Soak:
    """One run."""

    def __init__(self, shop: Shop, till: Till, context: Context, rng: random.Random, port: int) -> None:
        self.shop, self.till, self.context, self.rng = shop, till, context, rng
        pool = ["-P", "threads", "-c", "8"]
        self.spared = Fleet(shop.folder, pool, rng, "spared-", port)
        self.mortal = Fleet(shop.folder, pool, rng, "mortal-")
        self.initial = {f"SKU-{number:03}": 2000 + number for number in range(1, SKUS + 1)}
        self.customers = Customers(shop, context, random.Random(rng.random()), self.initial, per_s=ORDERS_PER_S)
        self.over_the_counter: Counter[str] = Counter()
        self.memory: dict[str, Memory] = {}

    def run(self, minutes: float) -> int:
        """The storm, the peace after it, and the judgement; gives the exit code."""
        for sku, units in self.initial.items():
            self.till.count(sku, units)
            self.shop.store.store.add(sku, units + 3)
            self.shop.amazon.account.put(sku, units - 3)
        self.till.export()
        with self.spared.running(1), self.mortal.running(2):
            self.spared.start("serve")
            if words := self._peace():
                raise SystemExit(f"it does not even begin: {words}")
            print(f"{minutes:g} minutes of load and faults begin", flush=True)
            began = time.monotonic()
            self._storm(began + 60 * minutes)
            ended = time.monotonic()
            self.till.export()
            wrong = self._peace() or self._peace()  # what an audit of the first has found is written by the second
            wrong += self._miscounted()
            settled = time.monotonic()
            names = [*self.spared.ended_by_themselves(), *self.mortal.ended_by_themselves()]
            wrong += [f"{name} has ended by itself" for name in names]
            wrong += [
                f"the {role} has grown by {one.growth - 1:.0%}" for role, one in self.memory.items() if not one.flat
            ]
            figures = self._figures(ended - began, settled - ended, wrong)
        _print(figures)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "soak.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
        return 1 if wrong else 0

    def _storm(self, until: float) -> None:
        sandboxes = (self.shop.store, self.shop.amazon)
        for sandbox in sandboxes:
            for fault in FAULTS:
                sandbox.faults.add(replace(fault))
        deeds = {self._sale: 0.0, self._export: 0.0, self._look: 0.0, self._death: time.monotonic() + DEATH_S}
        self.customers.start()
        try:
            while (now := time.monotonic()) < until:
                for deed, due in deeds.items():
                    if due <= now:
                        deeds[deed] = now + deed()
                threading.Event().wait(0.1)
        finally:
            self.customers.stop()
            for sandbox in sandboxes:
                sandbox.faults.clear()

    def _sale(self) -> float:
        sku = self.rng.choice(list(self.initial))
        self.till.sell(sku)
        self.over_the_counter[sku] += 1
        return self.rng.expovariate(1 / TILL_SALE_S)

    def _export(self) -> float:
        self.till.export()
        return EXPORT_S

    def _death(self) -> float:
        self.mortal.one_death(self.context)
        return self.rng.expovariate(1 / DEATH_S)

    def _look(self) -> float:
        for process in self.spared.processes:
            self.memory.setdefault(process.role, Memory()).sizes.append(_size_mb(process))
        with suppress(redis.RedisError):  # it has just been killed
            used = int(self.context.store.client.info("memory")["used_memory"])
            self.memory.setdefault("store", Memory(bounded=False)).sizes.append(used / 1e6)
        return LOOK_S

    def _peace(self) -> list[str]:
        """Wait until all has been read from now on and nothing is left to do; gives what is left after all that."""
        context, asked_ms, left = self.context, 0, ["nothing was asked"]
        end = time.monotonic() + PEACE_S
        while left and time.monotonic() < end:
            try:
                if not asked_ms:
                    now_ms = context.store.now_ms()
                    for name in context.channels:
                        Pulls(context.store).want(name, now_ms)
                    asked_ms = now_ms
                left = [str(one) for one in progress(context, context.channels, asked_ms) if not one.done]
                for name in context.channels:
                    waiting = context.worklist.waiting(name, context.store.now_ms())
                    left += [f"{name}: {waiting}"] if any(waiting) else []
            except redis.RedisError as error:
                left = [f"the store: {error}"]
            threading.Event().wait(0.5)
        return left

    def _miscounted(self) -> list[str]:
        """Every unit that is not where it should be."""
        found, now_ms = [], self.context.store.now_ms()
        shown = {
            "store": self.shop.store.store.level,
            "amazon": self.shop.amazon.account.shown,
            "till": self.till.stock.__getitem__,
        }
        for record in self.context.ledger.records(list(self.initial)):
            true = self.customers.on_hand(record.sku) - self.over_the_counter[record.sku]
            booked = sum(movement.units for movement in self.context.ledger.history(record.sku))
            if not record.on_hand == true == booked:
                found.append(f"{record.sku}: on hand {record.on_hand}, movements make {booked}, should be {true}")
            for name, view in listing_views(self.context, record, now_ms, ()).items():
                actual = shown[name](record.sku)
                right = actual if name == "till" else true  # the till is only read
                if not view.level == actual == right or view.state is not State.SETTLED:
                    found.append(f"{record.sku}: {name} shows {actual}, should show {right}; {view}")
        return found

    def _figures(self, load_s: float, peace_s: float, wrong: list[str]) -> dict[str, Any]:
        store, amazon = self.shop.store, self.shop.amazon
        died = Counter(name.split("-")[1] if "-" in name else name for name in self.mortal.deaths)
        lines = Counter(line.split(" ")[0] for line in (*store.requests, *amazon.requests))
        return {
            "load and faults, s": round(load_s),
            "until all was settled afterwards, s": round(peace_s),
            "orders online": self.customers.counts["sold"],
            "orders cancelled": self.customers.counts["cancelled"],
            "sales over the counter": self.over_the_counter.total(),
            "requests": lines.total(),
            "requests that write": lines["PUT"] + lines["PATCH"],
            "refused by the store's own quota": store.store.quota.refused if store.store.quota else 0,
            "killed": dict(died),
            "movements": sum(len(self.context.ledger.history(sku)) for sku in self.initial),
            "memory, MB": {
                role: {"second quarter": round(one.early, 1), "last quarter": round(one.late, 1)}
                for role, one in self.memory.items()
            },
            "wrong": wrong,
        }


def _print(figures: dict[str, Any]) -> None:
    for name, value in figures.items():
        if name == "wrong":
            print(f"{'wrong':40} {len(value) or 'nothing'}", *value[:20], sep="\n  ")
        elif isinstance(value, dict):
            print(f"{name:40} " + "; ".join(f"{key}: {_words(one)}" for key, one in value.items()))
        else:
            print(f"{name:40} {value}")


def _words(value: object) -> str:
    return " -> ".join(str(one) for one in value.values()) if isinstance(value, dict) else str(value)


def _size_mb(process: Process) -> float:
    """What a process and its children hold in memory."""
    pids, page = [process.popen.pid, *process.children()], os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        with suppress(OSError):  # it has just ended
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
    return total / 1e6


def _settings(store: dict[str, str], amazon: dict[str, str], port: int) -> str:
    quick = "settle_s = 0.5\nread_timeout_s = 4\n"
    return (
        'authority = "till"\nschedule = "schedule"\nwrite_lease_s = 10\n\n'
        + TRUSTING
        + settings_table("store", store)
        + f'{quick}webhook_url = "http://127.0.0.1:{port}"\n\n'
        + settings_table("amazon", amazon)
        + f"{quick}visible_within_s = 5\nfeed_from = 0\n\n"
        + '[channels.till]\ntype = "pos_csv"\npath = "pos"\n'
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Everything together, under load and faults.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    sys.exit(soak(asked.minutes, asked.seed))
