"""What a full reconcile of one BigCommerce store costs in calls, processor time and memory, by how much has changed.

``python -m benchmarks.reconcile [VARIANTS]``; without a number 100,000 variants, ten to a product, with no quota. The
till counts a share of them anew, then the store is read whole and whatever is wrong is written. *Least* are the calls
that the limits of a batch leave: pages of 250 products, looks at 250 listings just before they are written, writes of
fifty. Processor time is the worker's and that of the store of record, not the sandbox's.

Then some of the products are changed at the store, one variant of each, and it is read: whole, and by ``full_every_s``
only what has changed. *Found* are the listings of which the reading learnt that they were changed.

Beside it, in the same run, what else a person would do for the changed SKUs, one PUT each: a plain loop, the official
``bigcommerce`` client (its models speak V2; what is below them PUTs anything), and a Celery task for each SKU. Their
figures are of 500 PUTs, their start left out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from celery import Celery

from benchmarks import rivals, sandboxes
from benchmarks.budget import count, folder, wait_for
from benchmarks.merge import Row, peak_mb, store_s
from benchmarks.sandboxes import Remote, sku
from channels import Level
from sync import changes, lanes
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.storage import embedded

VARIANTS_A_PRODUCT = 10

#: Which part of the SKUs the till counts anew.
SHARES = (0.0, 0.01, 1.0)

#: How many times nothing has changed, to see memory over time.
ROUNDS = 5

#: How many SKUs the others are given.
PUTS = 500

#: Which part of the products is changed at the store, and what is read then.
CHANGED = (0.0, 0.01, 0.1)
EVERY_S = 6 * 3600

#: How many pages are read of a slow store, and how long it takes for each, in seconds.
SLOW_PAGES, SLOW_S = 124, 0.5

#: What the official client is installed from, into a folder of its own: it brings a package called ``tests`` along.
OFFICIAL = "bigcommerce==0.23.4"


Reading = Callable[[Context, str, Deadline], bool]


def reconcile(variants: int) -> list[Row]:
    """All shares, one after the other on one store."""
    with ExitStack() as stack:
        remote = stack.enter_context(sandboxes.store(variants, quota=None, window_s=30, variants=VARIANTS_A_PRODUCT))
        context = stack.enter_context(folder("store", remote.settings))
        _count(context, range(variants), 100)
        rows = [_reconciled(context, remote, "first", variants, 0)]
        for round_, share in enumerate(SHARES):
            step = round(1 / share) if share else 0
            changed = range(0, variants, step) if step else range(0)
            _count(context, changed, 101 + round_)
            rows.append(_reconciled(context, remote, f"{share:.0%} changed", variants, len(changed)))
            _check(remote, changed, 101 + round_)
        rows += [_reconciled(context, remote, "0% changed, again", variants, 0) for _ in range(ROUNDS)]
        return rows


def _count(context: Context, numbers: Sequence[int], units: int) -> None:
    for start in range(0, len(numbers), 1000):
        count(context, [Level(sku(number), f"till-{number}", units) for number in numbers[start : start + 1000]])


def _check(remote: Remote, changed: Sequence[int], units: int) -> None:
    wrong = [number for number in changed[:: max(1, len(changed) // 50)] if remote.level(sku(number)) != units]
    assert not wrong, f"not written: {wrong}"


def _reconciled(context: Context, remote: Remote, what: str, variants: int, changed: int) -> Row:
    remote.ask("forget")
    cpu_s, of_store_s, began = time.process_time(), store_s(context.store), time.perf_counter()
    assert pull(context, "store", Deadline(3600))
    while not push(context, "store", Deadline(3600)).finished:
        pass
    took_s = time.perf_counter() - began
    cpu_s, of_store_s = time.process_time() - cpu_s, store_s(context.store) - of_store_s
    calls = remote.ask("requests")
    writes = sum(not line.startswith("GET") for line in calls)
    least = -(-variants // (250 * VARIANTS_A_PRODUCT)) + -(-changed // 250) + -(-changed // 50)
    return {
        "what": what,
        "variants": variants,
        "changed": changed,
        "calls": len(calls),
        "writes": writes,
        "least": least,
        "over": len(calls) / least - 1,
        "worker_s": round(cpu_s, 2),
        "store_s": round(of_store_s, 2),
        "took_s": round(took_s, 2),
        "us_a_changed_sku": round(1e6 * (cpu_s + of_store_s) / changed) if changed else None,
        "peak_mb": round(peak_mb()),
    }


def of_changes(variants: int) -> list[Row]:
    """A reading of everything, and one of what has changed, each after as many changes; then one after sales alone."""
    with ExitStack() as stack:
        remote = stack.enter_context(sandboxes.store(variants, quota=None, window_s=30, variants=VARIANTS_A_PRODUCT))
        context = stack.enter_context(folder("store", {**remote.settings, "full_every_s": EVERY_S}))
        assert pull(context, "store", Deadline(3600))
        rows, units = [], 100
        for share in CHANGED:
            step = round(VARIANTS_A_PRODUCT / share) if share else variants + 1
            skus = [sku(number) for number in range(step - 1, variants, step)]
            for what, read in (("everything", pull), ("what has changed", changes.pull)):
                units -= 1  # a level that rises just after one was read is looked at twice
                remote.ask("age", EVERY_S)
                remote.ask("count", skus, units)
                rows.append(_read(context, remote, f"{share:.0%} changed, {what}", read, skus, units))
        remote.ask("age", EVERY_S)
        sold = [sku(number) for number in range(0, variants, variants // 100)]
        remote.ask("sell", sold)
        for what, read in (("what has changed", changes.pull), ("everything", pull)):
            rows.append(_read(context, remote, f"{len(sold)} sold, {what}", read, sold, 99))
        return rows


def _read(context: Context, remote: Remote, what: str, read: Reading, skus: Sequence[str], units: int) -> Row:
    remote.ask("forget")
    cpu_s, of_store_s = time.process_time(), store_s(context.store)
    assert read(context, "store", Deadline(3600))
    cpu_s, of_store_s = time.process_time() - cpu_s, store_s(context.store) - of_store_s
    known = (record.listings["store"].level for record in context.ledger.records(skus))
    return {
        "what": what,
        "calls": len(remote.ask("requests")),
        "worker_s": round(cpu_s, 2),
        "store_s": round(of_store_s, 2),
        "changed": len(skus),
        "found": sum(level == units for level in known),
    }


def in_lanes() -> list[Row]:
    """A full reading of a store that takes its time for each answer: page after page, and as it is done."""
    rows = []
    for what, far in (("page after page", SLOW_PAGES + 1), ("in lanes", lanes.FAR)):
        with (
            sandboxes.store(250 * SLOW_PAGES, quota=None, window_s=30) as remote,
            folder("store", remote.settings) as context,
            patch.object(lanes, "FAR", far),
        ):
            remote.ask("slow", SLOW_S)
            began = time.perf_counter()
            assert pull(context, "store", Deadline(3600))
            took_s = time.perf_counter() - began
            assert context.ledger.listings("store") == 250 * SLOW_PAGES
            rows.append({"what": what, "calls": len(remote.ask("requests")), "took_s": round(took_s, 1)})
    return rows


def others() -> list[Row]:
    """What else a person would do, one PUT for each SKU."""
    with tempfile.TemporaryDirectory(prefix="rivals-") as name:
        home = Path(name)
        env = os.environ | {"PYTHONPATH": str(home / "packages")}
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home / "packages"), OFFICIAL]
        subprocess.run(install, check=True)
        rows = []
        for what, way in (("a loop of PUTs", "loop"), ("the official client", "official")):
            with sandboxes.store(PUTS, quota=None, window_s=30) as remote:
                line = [sys.executable, "-m", "benchmarks.rivals", "put", way, str(PUTS)]
                made = subprocess.run(
                    line, env=env | {"RIVALS_URL": remote.settings["api_url"]}, check=True, capture_output=True
                )
                rows.append(_rival(what, remote, **json.loads(made.stdout)))
        with sandboxes.store(PUTS, quota=None, window_s=30) as remote:
            rows.append(_rival("a Celery task a SKU", remote, **_by_tasks(home / "store", remote)))
        return rows


def _rival(what: str, remote: Remote, cpu_s: float, took_s: float) -> Row:
    return {
        "what": what,
        "changed": PUTS,
        "calls": len(remote.ask("requests")),
        "took_s": round(took_s, 2),
        "us_a_changed_sku": round(1e6 * cpu_s / PUTS),
    }


def _by_tasks(data: Path, remote: Remote) -> dict[str, float]:
    """Send a task for each SKU to one worker. Its start is measured by a second one, without tasks."""
    embedded.start(data)
    broker = embedded.broker_url(data)
    env = os.environ | {"RIVALS_BROKER": broker, "RIVALS_URL": remote.settings["api_url"]}
    try:
        cpu_s, took_s = 0.0, 0.0
        for tasks in (0, PUTS):
            sender, before = Celery(broker=broker, set_as_current=False), time.process_time()
            child = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.rivals", "r@here"],
                env=env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_for(sender.control.inspect(timeout=1).ping, "the rival", 60)
            began = time.perf_counter()
            for number in range(tasks):
                sender.send_task("rivals.put_one", (rivals.FIRST_ID + number,), queue="celery")
            wait_for(lambda tasks=tasks: len(remote.ask("requests")) >= tasks, "its tasks", 300)  # type: ignore[misc]
            took_s = time.perf_counter() - began
            child.send_signal(signal.SIGTERM)
            _, _, used = os.wait4(child.pid, 0)
            child.returncode = 0
            cpu_s = used.ru_utime + used.ru_stime + time.process_time() - before - cpu_s
        return {"cpu_s": cpu_s, "took_s": took_s}
    finally:
        embedded.stop(data)


def main() -> list[Row]:
    """Measure, and print the table."""
    variants = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    columns = f"{'least':>8}{'over':>8}{'worker s':>10}{'store s':>9}{'us/changed':>12}{'peak MB':>9}{'s':>8}"
    print(f"{'':24}{'calls':>8}{columns}")
    found = reconcile(variants)
    for row in found:
        each = row["us_a_changed_sku"] or ""
        print(
            f"{row['what']:24}{row['calls']:8}{row['least']:8}{row['over']:8.1%}{row['worker_s']:10}{row['store_s']:9}"
            f"{each:>12}{row['peak_mb']:9}{row['took_s']:8}",
            flush=True,
        )
    print(f"\n{'':34}{'calls':>6}{'worker s':>10}{'store s':>9}{'changed':>9}{'found':>8}")
    for row in of_changes(variants):
        figures = f"{row['calls']:6}{row['worker_s']:10}{row['store_s']:9}{row['changed']:9}{row['found']:8}"
        print(f"{row['what']:34}{figures}", flush=True)
        found.append(row)
    for row in in_lanes():
        print(f"{SLOW_PAGES} pages of {SLOW_S} s, {row['what']}: {row['calls']} calls, {row['took_s']} s", flush=True)
        found.append(row)
    for row in others():
        print(f"{row['what']:24}{row['calls']:8}{'':43}{row['us_a_changed_sku']:12}{'':9}{row['took_s']:8}", flush=True)
        found.append(row)
    return found


if __name__ == "__main__":
    main()
