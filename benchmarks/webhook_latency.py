"""How long a sale on one store takes to show on another, and what a burst of events costs in calls.

Two sandbox stores, both with webhooks, and everything that ``celery -A sync up`` runs: receiver, worker, scheduler and
the embedded store. First sales at a steady rate, each of another SKU; then a burst. Run it with
``python -m benchmarks.webhook_latency [--rate 20] [--seconds 20] [--burst 500] [--write catalog] [--quota 150]``.

The time is taken from the moment the first webhook about a sale reaches the receiver's socket to the moment the
other store shows the level. The limits are a median of 0.3 s and a 99th percentile of 1 s at 20 events a second, and
20 calls for a burst of 500 events. With ``--quota`` each store allows so many calls in 30 s. Processor time is that of
our own processes, without the two stores: while nobody sells, and for each sale.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.bigcommerce.sandbox.webhooks import Delivery
from sync.commands.sandbox import TRUST, settings_table
from sync.storage import embedded

#: How many variants one product has.
VARIANTS = 5

#: A sale makes several events: its stock, its product, its order. A hook of one scope makes it one.
ONE_SCOPE = "store/sku/inventory/order/updated"

#: Our processes, by what their command lines have.
ROLES = {"worker": " worker ", "scheduler": " beat ", "receiver": " serve ", "receivers": "gunicorn", "store": "valkey"}

CELERY = (sys.executable, "-m", "celery", "-A", "sync")


@dataclass(slots=True)
class Watch:
    """When what came about. Times are seconds of one clock."""

    arrived: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)

    def latencies(self, skus: list[str]) -> list[float]:
        """From the webhook to the other store, in seconds, sorted."""
        return sorted(self.shown[sku] - self.arrived[sku] for sku in skus)


class Here(BigCommerceSandbox):
    """The store that sells; it notes when the first webhook about a sale goes out."""

    def watch(self, watch: Watch) -> None:
        deliveries = self.deliveries
        attempt = deliveries._attempt

        def noted(session: requests.Session, delivery: Delivery) -> None:
            inventory = json.loads(delivery.body)["data"].get("inventory")
            if inventory and (variant := self.store.variants.get(inventory.get("variant_id"))):
                watch.arrived.setdefault(variant.sku, time.perf_counter())
            attempt(session, delivery)

        deliveries._attempt = noted  # type: ignore[method-assign]


def watch_there(sandbox: BigCommerceSandbox, watch: Watch) -> None:
    """Note when the other store shows another level than before."""

    def listener(scope: str, data: dict[str, object]) -> None:
        inventory = data.get("inventory")
        if scope == "store/sku/inventory/updated" and isinstance(inventory, dict):
            variant = sandbox.store.variants[inventory["variant_id"]]
            watch.shown.setdefault(variant.sku, time.perf_counter())

    sandbox.store.listeners.append(listener)


@contextmanager
def running(folder: Path, port: int) -> Iterator[None]:
    """Everything that ``up`` runs, while the block does."""
    command = [*CELERY, "up", "--port", str(port), "--host", "127.0.0.1"]
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        embedded.stop(folder / "var")


def reconcile(folder: Path) -> None:
    """The first reading of both stores."""
    subprocess.run(
        [*CELERY, "reconcile", "--watch"], cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL
    )


def environment() -> dict[str, str]:
    """Nobody's settings but ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SYNC_")}


def wait_for(holds: Callable[[], bool], what: str, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    pause = threading.Event()
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come about within {within_s:g} s")
        pause.wait(0.05)


def calls_of(sandbox: BigCommerceSandbox) -> Counter[str]:
    """Calls by kind, without ids."""
    paths = (line.split("?")[0] for line in sandbox.requests)
    return Counter(path.split("/stores/")[0] + re.sub(r"\d+", "ID", path.split("/v3")[-1]) for path in paths)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=20, help="sales a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--burst", type=int, default=500, help="sales at once")
    parser.add_argument("--write", default="catalog", choices=["catalog", "inventory", "relative"])
    parser.add_argument(
        "--quota", type=int, help="calls that each store allows in 30 s; any number where it is left out"
    )
    parser.add_argument("--rest", type=float, default=10, help="seconds in which nobody sells, to begin with")
    parser.add_argument("--all-scopes", action="store_true", help="every hook, so that one sale makes four events")
    parser.add_argument("--keep", action="store_true", help="leave the logs")
    options = parser.parse_args()
    count = int(options.rate * options.seconds) + options.burst
    here, there = Here(Store(store_hash="here")), BigCommerceSandbox(Store(store_hash="there"))
    for sandbox in (here, there):
        sandbox.store.quota.limit = options.quota
    skus = [f"SKU-{number:05}" for number in range(count + -count % VARIANTS)]
    for sandbox in (here, there):
        for start in range(0, len(skus), VARIANTS):
            mine = skus[start : start + VARIANTS]
            sandbox.store.add_product(mine[0], tracking="variant", variants=dict.fromkeys(mine, 100))
    watch = Watch()
    here.watch(watch)
    watch_there(there, watch)
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="webhook-latency-"))
    with here.serve(deliver=False) as here_url, there.serve() as there_url:
        tables = [f"{TRUST}plan_share = 1\nzero_share = 1\n"]
        tables += [
            settings_table(
                name, sandbox.settings(url) | {"webhook_url": f"http://127.0.0.1:{port}", "write": options.write}
            )
            for name, sandbox, url in (("here", here, here_url), ("there", there, there_url))
        ]
        (folder / "sync.toml").write_text("\n".join(tables), "utf-8")
        with running(folder, port):
            wait_for(lambda: bool(here.store.hooks) and bool(there.store.hooks), "the registration of hooks")
            reconcile(folder)
            if not options.all_scopes:
                for store in (here.store, there.store):
                    for hook in store.hooks.values():
                        hook.is_active = hook.scope in (ONE_SCOPE, "store/sku/inventory/updated")
            time.sleep(3)
            before = processor_s(folder)
            time.sleep(options.rest)
            report_processor("a second in which nobody sells", before, processor_s(folder), options.rest)
            before = processor_s(folder)
            steadily(options, here, there, watch, skus[: int(options.rate * options.seconds)])
            report_processor("a sale", before, processor_s(folder), options.rate * options.seconds)
            time.sleep(5)
            at_once(here, there, watch, skus[count - options.burst : count])
    wrong = [sku for sku in skus if here.store.level(sku) != there.store.level(sku)]
    print(f"\n{len(wrong)} of {len(skus)} SKUs differ in the end")
    if options.keep:
        print(folder)


def steadily(options: argparse.Namespace, here: Here, there: BigCommerceSandbox, watch: Watch, skus: list[str]) -> None:
    """Sales at a steady rate."""
    here.requests.clear()
    there.requests.clear()
    delivered = len(here.deliveries.attempts)
    with here.deliveries.running():
        began = time.perf_counter()
        for number, sku in zip(itertools.count(), skus, strict=False):
            time.sleep(max(0.0, began + number / options.rate - time.perf_counter()))
            here.store.sell(sku)
        wait_for(lambda: all(sku in watch.shown for sku in skus), "the last sale on the other store")
    events = len(here.deliveries.attempts) - delivered
    took = watch.latencies(skus)
    print(f"{len(skus)} sales at {options.rate:g} a second ({events} events), each of another SKU:")
    report(took)
    report_calls(here, there)


def at_once(here: Here, there: BigCommerceSandbox, watch: Watch, skus: list[str]) -> None:
    """A burst of sales."""
    here.requests.clear()
    there.requests.clear()
    delivered = len(here.deliveries.attempts)
    for sku in skus:
        here.store.sell(sku)
    began = time.perf_counter()
    with here.deliveries.running(8):
        wait_for(lambda: here.deliveries.waiting == 0, "the delivery of the burst")
        sent_s = time.perf_counter() - began
        wait_for(lambda: all(sku in watch.shown for sku in skus), "the last sale of the burst on the other store")
    took_s = max(watch.shown.values()) - began
    events = len(here.deliveries.attempts) - delivered
    print(f"\nA burst of {len(skus)} sales ({events} events within {sent_s:.2f} s), all shown after {took_s:.2f} s:")
    report(watch.latencies(skus))
    report_calls(here, there)
    time.sleep(8)
    print("and with the readings after the settle time:")
    report_calls(here, there)


def processor_s(folder: Path) -> dict[str, float]:
    """The processor seconds that each of the processes in a folder has used so far, by what it is (Linux)."""
    used: Counter[str] = Counter()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text("utf-8", "replace").replace("\0", " ")
            if not os.readlink(process / "cwd").startswith(str(folder)):
                continue
            ticks = (process / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        except OSError:
            continue  # it has ended meanwhile, or is another user's
        role = next((role for role, word in ROLES.items() if word in words), "others")
        used[role] += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return used


def report_processor(what: str, before: dict[str, float], after: dict[str, float], number: float) -> None:
    each = {role: (after[role] - before.get(role, 0.0)) * 1000 / number for role in sorted(after)}
    print(f"  processor time for {what}, ms: " + ", ".join(f"{role} {used:.1f}" for role, used in each.items()))


def report(took: list[float]) -> None:
    middle, late = statistics.median(took), took[int(len(took) * 0.99) - 1]
    print(f"  median {middle:.3f} s, 99th percentile {late:.3f} s, longest {took[-1]:.3f} s")


def report_calls(here: BigCommerceSandbox, there: BigCommerceSandbox) -> None:
    total = len(here.requests) + len(there.requests)
    print(f"  {total} calls: here {dict(calls_of(here))}, there {dict(calls_of(there))}")


if __name__ == "__main__":
    main()
