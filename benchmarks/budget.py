"""How well a quota is spent by eight processes: ours, a plain loop that sleeps when refused, and Celery's rate_limit.

``python -m benchmarks.budget [--window 5] [--listings 5000] [--only workers,hands,amazon,rivals,wire]``

The sandbox allows 150 calls in a window, which is shortened from 30 s. *Workers* are eight ``celery -A sync worker``
that push changed products to it (ten to a call, after a look at fifty), with three writes to zero that come when
thousands wait before them. *Hands* are eight processes that send batches as fast as the budget lets them: more at
once than workers ever would, who take turns at writing to one store. Each goes alone, and beside another app that
takes a third of the quota at random. What is used of the quota is counted by the sandbox, over the windows in which
there was work from beginning to end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from benchmarks import rivals, sandboxes
from benchmarks.sandboxes import Use, sku
from channels import Level
from channels.bigcommerce import BigCommerceChannel
from channels.errors import Throttled
from sync.budget import Urgency, urgency
from sync.commands.sandbox import settings_table
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.settings import FILE_VARIABLE, load_settings
from sync.stock.ledger import Window
from sync.storage import embedded

PROCESSES = 8
QUOTA = 150

#: How many variants a product has, where listings are variants.
VARIANTS = 10

#: What another app takes of the quota.
A_THIRD = 1 / 3

#: What benchmarks do would be held until a person approves it.
UNGUARDED = """
authority = "till"
[guard]
auto_approve_first = true
plan_share = 1
changed_share = 1
zero_share = 1

"""

Row = dict[str, Any]


@contextmanager
def folder(name: str, table: Mapping[str, Any]) -> Iterator[Context]:
    """A merchant's folder with a till and one channel, on an embedded store of its own."""
    with tempfile.TemporaryDirectory(prefix="budget-") as path:
        home = Path(path)
        (home / "pos").mkdir()
        text = '[channels.till]\ntype = "pos_csv"\npath = "pos"\n\n'
        (home / "sync.toml").write_text(UNGUARDED + text + settings_table(name, table), "utf-8")
        os.environ[FILE_VARIABLE] = str(home / "sync.toml")
        context = Context(load_settings())
        try:
            yield context
        finally:
            context.store.close()
            embedded.stop(context.settings.data_dir)


@contextmanager
def workers(context: Context) -> Iterator[Celery]:
    """Eight workers and a scheduler; gives what rings for their tasks."""
    home = context.settings.file.parent
    celery = [sys.executable, "-m", "celery", "-A", "sync"]
    lines = [
        [*celery, "worker", "-l", "INFO", "-c", "2", "--without-gossip", "--without-mingle", "-n", f"w{number}@here"]
        for number in range(PROCESSES)
    ]
    children = []
    with (home / "workers.log").open("wb") as log:
        for line in [*lines, [*celery, "beat", "-l", "WARNING"]]:
            children.append(subprocess.Popen(line, stdout=log, stderr=log, cwd=home))
        bells = Celery(broker=embedded.broker_url(context.settings.data_dir), set_as_current=False)
        bells.conf.broker_transport_options = {"global_keyprefix": "is:celery:"}
        try:
            wait_for(lambda: (home / "workers.log").read_text().count(" ready.") == PROCESSES, "the workers", 60)
            yield bells
        finally:
            stop(children)


def stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.send_signal(signal.SIGTERM)
    for child in children:
        child.wait(60)


def wait_for(holds: Callable[[], object], what: str, within_s: float) -> None:
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(0.02)


def count(context: Context, levels: Sequence[Level]) -> None:
    """The till counts: the stock of record is opened, or changed."""
    now_ms = context.store.now_ms()
    till = context.channel("till")
    context.ledger.merge("till", levels, Window(now_ms, now_ms), till.capabilities, cause="a count", now_ms=now_ms)


def at_rest(context: Context, channel: str) -> bool:
    """Whether nothing waits to be written, and no write is under way."""
    waiting = context.worklist.waiting(channel, context.store.now_ms())
    return not waiting.dirty and not waiting.open


def run_workers(window_s: float, listings: int, share: float, variants: int = 0) -> Row:
    """Eight workers bring every listing to another level."""
    with ExitStack() as stack:
        world = sandboxes.store(listings + 3, quota=QUOTA, window_s=window_s, share=share, variants=variants)
        remote = stack.enter_context(world)
        context = stack.enter_context(folder("store", remote.settings))
        lasts = [sku(listings + number) for number in range(3)]
        count(context, [Level(sku(number), f"till-{number}", 100 + number % 7 + 1) for number in range(listings)])
        count(context, [Level(last, f"till-{last}", 100) for last in lasts])
        bells = stack.enter_context(workers(context))
        bells.send_task("sync.pull", kwargs={"channel": "store"}, queue="pull")
        waits = []
        for number, last in enumerate(lasts):
            wait_for(lambda n=number: len(remote.log()) > 60 + (40 if variants else 110) * n, "the push", 60)  # type: ignore[misc]
            count(context, [Level(last, f"till-{last}", 0)])
            sold_at = time.time()
            bells.send_task("sync.sweep", queue="maintenance")
            wait_for(lambda sold=last: remote.level(sold) == 0, "a write to zero", 10 * window_s)  # type: ignore[misc]
            waits.append(time.time() - sold_at)
        done = [sku(number) for number in range(0, listings, 97)]
        wait_for(lambda: at_rest(context, "store"), "the end", 60 * window_s)
        wrong = [name for name in done if remote.level(name) == 100]
        assert not wrong, wrong
        use = remote.use(limit=QUOTA, window_s=window_s)
        name = "eight workers" + (", variants (fifty to a call)" if variants else "")
        return row(name, share, use, listings) | {"zero_s": waits, "window_s": window_s}


def hand(number: int, listings: int) -> None:
    """One process that sends its part of the writes as fast as the budget lets it."""
    context = Context(load_settings())
    channel = context.channel("store")
    assert isinstance(channel, BigCommerceChannel)
    mine = range(rivals.FIRST_ID + number, rivals.FIRST_ID + listings, PROCESSES)
    for start in range(0, len(mine), 10):
        rows = [{"id": one, "inventory_level": 7} for one in mine[start : start + 10]]
        while True:
            try:
                with urgency(Urgency.WRITE_UP):
                    channel.client.call("write products", "PUT", "/v3/catalog/products", json=rows)
                break
            except Throttled as error:  # a task would be put off, and be rung for again then
                if error.status is not None:
                    raise
                time.sleep(error.retry_after_s)


def run_hands(window_s: float, listings: int, share: float) -> Row:
    """Eight processes, all at once."""
    with (
        sandboxes.store(listings, quota=QUOTA, window_s=window_s, share=share) as remote,
        folder("store", remote.settings) as context,
    ):
        assert context.store.now_ms()
        in_parallel(hand, [(number, listings) for number in range(PROCESSES)])
        return row("eight hands", share, remote.use(limit=QUOTA, window_s=window_s), listings)


def in_parallel(target: Callable[..., None], arguments: Sequence[tuple[Any, ...]]) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=target, args=args) for args in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def run_amazon(listings: int, rate_scale: float) -> Row:
    """Eight workers patch listings, within a bucket for each operation."""
    with ExitStack() as stack:
        remote = stack.enter_context(sandboxes.amazon(listings, rate_scale=rate_scale))
        context = stack.enter_context(folder("amazon", remote.settings | {"feed_from": 0, "settle_s": 1}))
        count(context, [Level(sku(number), f"till-{number}", 107) for number in range(listings)])
        bells = stack.enter_context(workers(context))
        bells.send_task("sync.pull", kwargs={"channel": "amazon"}, queue="pull")
        wait_for(lambda: all(remote.level(sku(n)) == 107 for n in range(0, listings, 7)), "the patches", 300)
        wait_for(lambda: at_rest(context, "amazon"), "the end", 60)
        log = remote.log()
    patches = [entry.at for entry in log if entry.operation == "patch listing" and entry.kind == "ours"]
    refused = sum(entry.kind == "refused" for entry in log)
    took_s = patches[-1] - patches[0]
    rate = 5 * rate_scale
    use = Use(len(log) - refused, refused, [(len(patches) - 1) / (took_s * rate)], took_s)
    return row(f"eight workers, Amazon's bucket of {rate:g}/s", 0, use, listings)


def run_loop(window_s: float, share: float) -> Row:
    """Eight loops of single PUTs, for three windows."""
    with sandboxes.store(5000, quota=QUOTA, window_s=window_s, share=share) as remote:
        os.environ["RIVALS_URL"] = remote.settings["api_url"]
        until = time.time() + 4 * window_s
        parts = [range(rivals.FIRST_ID + number * 600, rivals.FIRST_ID + (number + 1) * 600) for number in range(8)]
        in_parallel(rivals.loop, [(part, until) for part in parts])
        use = remote.use(limit=QUOTA, window_s=window_s)
    return row("plain loop, sleeps on 429", share, use, use.calls)


def run_rate_limit(window_s: float, share: float, *, divided: bool) -> Row:
    """Eight Celery workers with a ``rate_limit``: the whole quota for each, or an eighth of it."""
    per_minute = QUOTA / window_s * 60 / (PROCESSES if divided else 1)
    with (
        sandboxes.store(5000, quota=QUOTA, window_s=window_s, share=share) as remote,
        tempfile.TemporaryDirectory(prefix="rivals-") as path,
    ):
        data = Path(path)
        embedded.start(data)
        broker = embedded.broker_url(data)
        env = os.environ | {
            "RIVALS_BROKER": broker,
            "RIVALS_URL": remote.settings["api_url"],
            "RIVALS_RATE": f"{per_minute:g}/m",
        }
        line, quiet = [sys.executable, "-m", "benchmarks.rivals"], subprocess.DEVNULL
        children = [
            subprocess.Popen([*line, f"r{number}@here"], env=env, stdout=quiet, stderr=quiet)
            for number in range(PROCESSES)
        ]
        try:
            app = Celery(broker=broker, set_as_current=False)
            for number in range(3000):
                app.send_task("rivals.put_one", (rivals.FIRST_ID + number,), queue="celery")
            wait_for(lambda: len(remote.log()) > PROCESSES, "the rivals", 60)
            time.sleep(4 * window_s)
            use = remote.use(limit=QUOTA, window_s=window_s)
        finally:
            stop(children)
            embedded.stop(data)
    name = "rate_limit of an eighth each" if divided else "rate_limit of the quota each"
    return row(name, share, use, use.calls)


def run_wire(listings: int) -> list[Row]:
    """Calls for so many changed listings, and nothing else, by the way they are written."""
    rows = []
    for way, variants in (("catalog", VARIANTS), ("catalog", 0), ("inventory", VARIANTS)):
        with (
            sandboxes.store(listings, quota=None, window_s=30, variants=variants) as remote,
            folder("store", remote.settings | {"write": way}) as context,
        ):
            count(context, [Level(sku(number), f"till-{number}", 107) for number in range(listings)])
            assert pull(context, "store", Deadline(600))
            read = len(remote.ask("requests"))
            remote.ask("forget")
            assert push(context, "store", Deadline(600)).finished
            writes = remote.ask("requests")
            sent = sum(not line.startswith("GET") for line in writes)
            rows.append(
                {
                    "way": way + (", products without variants" if not variants else ""),
                    "pull": read,
                    "looks": len(writes) - sent,
                    "writes": sent,
                }
            )
    with sandboxes.store(200, quota=None, window_s=30) as remote:
        os.environ["RIVALS_URL"] = remote.settings["api_url"]
        rivals.loop(range(rivals.FIRST_ID, rivals.FIRST_ID + 200), time.time() + 600)
        single = len(remote.ask("requests")) * listings // 200
    rows.append({"way": "plain loop (200 made, the rest reckoned)", "pull": 0, "looks": 0, "writes": single})
    return rows


def row(name: str, share: float, use: Use, listings: int) -> Row:
    return {
        "name": name + (", another app takes a third" if share else ""),
        "calls": use.calls,
        "listings": listings,
        "429": use.refused,
        "used": use.used,
        "windows": use.windows,
        "took_s": use.took_s,
    }


def show(found: Row) -> None:
    used = "" if found["used"] is None else f"{found['used']:8.1%}"
    line = (
        f"{found['name']:64}{found['calls']:7}{found['listings']:10}{found['429']:6}{used:>9}{found['took_s']:8.1f} s"
    )
    print(line, flush=True)
    if "zero_s" in found:
        waits = ", ".join(f"{wait:.2f}" for wait in found["zero_s"])
        print(f"    writes to zero, queued last, went out after {waits} s of a window of {found['window_s']:g} s")


def main() -> dict[str, Any]:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--window", type=float, default=5.0, help="seconds of a window of 150 calls")
    parser.add_argument("--listings", type=int, default=5000)
    parser.add_argument("--only", default="workers,hands,amazon,rivals,wire")
    options = parser.parse_args()
    wanted, window_s, listings = options.only.split(","), options.window, options.listings
    runs: list[tuple[str, Callable[[], Row]]] = [
        ("workers", lambda: run_workers(2 * window_s, listings, 0.0, variants=VARIANTS)),
        ("workers", lambda: run_workers(window_s, listings, 0.0)),
        ("workers", lambda: run_workers(window_s, listings, A_THIRD)),
        ("hands", lambda: run_hands(window_s, listings, 0.0)),
        ("hands", lambda: run_hands(window_s, listings, A_THIRD)),
        ("amazon", lambda: run_amazon(400, 4.0)),
        ("rivals", lambda: run_loop(window_s, 0.0)),
        ("rivals", lambda: run_loop(window_s, A_THIRD)),
        ("rivals", lambda: run_rate_limit(window_s, 0.0, divided=False)),
        ("rivals", lambda: run_rate_limit(window_s, A_THIRD, divided=True)),
    ]
    print(f"{'':64}{'calls':>7}{'listings':>10}{'429':>6}{'used':>9}{'took':>10}")
    found = []
    for kind, run in runs:
        if kind in wanted:
            found.append(run())
            show(found[-1])
    wire = run_wire(10_000) if "wire" in wanted else []
    if wire:
        print("\n10,000 variants, all changed: calls for\n" + f"{'':48}{'pull':>8}{'looks':>8}{'writes':>8}{'all':>8}")
    for one in wire:
        total = one["pull"] + one["looks"] + one["writes"]
        print(f"{one['way']:48}{one['pull']:8}{one['looks']:8}{one['writes']:8}{total:8}")
    return {"quota": found, "wire": wire}


if __name__ == "__main__":
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "budget.json").write_text(json.dumps(main(), indent=2) + "\n", "utf-8")
