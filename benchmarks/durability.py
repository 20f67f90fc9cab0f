"""What each ``appendfsync`` loses when the store is killed and when the power is cut, and what it costs.

``python -m benchmarks.durability [--cuts 10]``. Buyers buy as fast as the store takes it, each of a SKU of his own; at
a random moment the server is killed (SIGKILL). For a power cut what had not been synced is then cut off its append-only
file: a library loaded into the server (``power_cut.c``, needs a C compiler) writes down what has. The server is started
again, and sales that had been answered are looked for. What the disk's own cache holds back is not in it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from channels import Capabilities, Level
from sync.stock.ledger import Ledger, Roster, Window
from sync.storage import embedded
from sync.storage.store import Store

POLICIES = ("always", "everysec", "no")

#: What is sold at: a channel that is only read, so that a sale is one movement.
TILL = Capabilities(writes=False)

#: How many units each buyer finds.
PLENTY = 10_000_000

BUYERS = 8


@dataclass(slots=True)
class Buyer:
    """Buys one unit after the other, and notes when each was booked."""

    ledger: Ledger
    sku: str
    booked_at: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def open(self) -> None:
        self._show(PLENTY)

    def buy(self) -> None:
        while True:
            began = time.perf_counter()
            try:
                self._show(PLENTY - len(self.booked_at) - 1)
            except redis.RedisError:
                return
            self.booked_at.append(time.perf_counter())
            self.waits.append(self.booked_at[-1] - began)

    def _show(self, units: int) -> None:
        now_ms = self.ledger.store.now_ms()
        self.ledger.merge("till", [Level(self.sku, self.sku, units)], Window(now_ms, now_ms), TILL, cause="a sale")


@dataclass(frozen=True, slots=True)
class Cut:
    """What one interruption took."""

    booked: int
    lost: int
    #: From the first lost sale to the interruption.
    lost_s: float
    seconds: float
    wait_s: float


def cut(library: Path, policy: str, *, power: bool, after_s: float) -> Cut:
    """Let buyers buy for a while, interrupt them, and look what is left."""
    folder = Path(tempfile.mkdtemp(prefix="durability-"))
    try:
        with loaded(library):
            embedded.start(folder)
        store = Store(embedded.url(folder))
        store.client.config_set("appendfsync", policy)
        buyers = [Buyer(Ledger(store, Roster("till", ())), f"SKU-{number}") for number in range(BUYERS)]
        for buyer in buyers:
            buyer.open()
        threads = [threading.Thread(target=buyer.buy) for buyer in buyers]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        time.sleep(after_s)
        interrupted = time.perf_counter()
        os.kill(int((folder / "store.pid").read_text()), signal.SIGKILL)
        for thread in threads:
            thread.join()
        if power:
            forget_unsynced(folder)
        embedded.start(folder)
        lost_s, lost = 0.0, 0
        for buyer in buyers:
            (record,) = buyer.ledger.records([buyer.sku]) or [None]
            kept = PLENTY - record.on_hand if record and record.on_hand is not None else 0
            missing = buyer.booked_at[kept:]
            lost += len(missing)
            lost_s = max([lost_s, *(interrupted - at for at in missing[:1])])
        booked = sum(len(buyer.booked_at) for buyer in buyers)
        wait_s = statistics.median(wait for buyer in buyers for wait in buyer.waits)
        return Cut(booked, lost, lost_s, interrupted - began, wait_s)
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder)


def forget_unsynced(folder: Path) -> None:
    """Cut off each append-only file what no sync had certainly brought to the disk."""
    for file in (folder / "appendonlydir").glob("*.aof"):
        note = file.with_name(file.name + ".synced")
        size = int(note.read_text().split("\n")[0]) if note.exists() else 0
        if ".incr." in file.name:
            os.truncate(file, min(size, file.stat().st_size))


@contextmanager
def loaded(library: Path) -> Iterator[None]:
    """Have programs that are started meanwhile load a library first."""
    before = os.environ.get("LD_PRELOAD")
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LD_PRELOAD"]
        else:
            os.environ["LD_PRELOAD"] = before


def main() -> dict[str, Any] | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=10, help="how often each is tried")
    parser.add_argument("--seconds", type=float, default=4.0, help="the longest that buyers buy")
    options = parser.parse_args()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("a C compiler is needed to tell what has reached the disk")
        return None
    chance, figures = random.Random(1), {}
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "power_cut.so"
        source = Path(__file__).with_name("power_cut.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
        print(
            "| appendfsync | sales a second | median wait | lost when killed | in a power cut, at most | of the last |"
        )
        print("|---|--:|--:|--:|--:|--:|")
        for policy in POLICIES:
            tried = {
                power: [
                    cut(library, policy, power=power, after_s=options.seconds * chance.uniform(0.4, 1))
                    for _ in range(options.cuts)
                ]
                for power in (False, True)
            }
            both = tried[False] + tried[True]
            figures[policy] = row = {
                "per_second": sum(one.booked for one in both) / sum(one.seconds for one in both),
                "wait_ms": statistics.median(one.wait_s for one in both) * 1000,
                "killed": max(one.lost for one in tried[False]),
                "power_cut": max(one.lost for one in tried[True]),
                "power_cut_s": max(one.lost_s for one in tried[True]),
            }
            print(
                f"| `{policy}` | {row['per_second']:,.0f} | {row['wait_ms']:.1f} ms | {row['killed']} "
                f"| {row['power_cut']:,} | {row['power_cut_s']:.2f} s |"
            )
    return figures


if __name__ == "__main__":
    main()
