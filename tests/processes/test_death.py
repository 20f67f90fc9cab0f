"""Rule 13 with real processes: workers, scheduler and store die at random while customers buy; no unit is lost.

``DEATH_SEED`` chooses another story, ``DEATH_S`` a longer one. Who dies and who buys follows the seed; how the
processes run does not, so that no two runs are the same.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

import pytest
import redis

from sync.context import Context
from sync.readings import Pulls
from sync.settings import load_settings
from sync.stock.records import Record, State
from sync.storage import embedded
from sync.views.progress import progress
from sync.views.stock import listing_views
from tests.processes.conftest import CELERY, Shop, environment
from tests.processes.customers import Customers
from tests.processes.fleet import POOLS, Fleet
from tests.waiting import wait_until

SEED = int(os.environ.get("DEATH_SEED", "3"))

#: For how long processes are killed, in seconds.
DEATHS_S = float(os.environ.get("DEATH_S", "25"))

SCHEDULE = """
[sweep]
task = "sync.sweep"
every = "1s"

[reconcile]
task = "sync.reconcile"
every = "3s"

[audit-orders]
task = "sync.audit_orders"
every = "2s"
"""

#: How the store is written; each seed takes another one with each pool.
MODES = ("catalog", "inventory", "relative")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pool", POOLS)
def test_whoever_dies_no_unit_is_lost_or_invented(shop: Shop, pool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write = MODES[(SEED + 2 * list(POOLS).index(pool)) % len(MODES)]
    initial = {f"SKU-{number:02}": 4 if number % 8 == 0 else 60 + number for number in range(1, 25)}
    for sku, units in initial.items():
        shop.store.store.add(sku, units)
        shop.amazon.account.put(sku, units + 5)
    shop.amazon.account.visible_after_s = 0.4
    shop.store.store.switches.apply_delay_s = 0.1
    shop.amazon.buckets.scale = 1000.0  # orders are audited every other second
    (shop.folder / "schedule").write_text(SCHEDULE)
    shop.configure(settings(shop, write))
    monkeypatch.setenv("SYNC_CONFIG", str(shop.folder / "sync.toml"))
    context = Context(load_settings())
    rng = random.Random(f"{SEED} {pool}")
    fleet = Fleet(shop.folder, POOLS[pool], rng)
    customers = Customers(shop, context, random.Random(f"{SEED} customers"), initial)

    with fleet.running(workers=2):
        read_and_agree(context, 60)
        customers.start()
        try:
            end = time.monotonic() + DEATHS_S
            while time.monotonic() < end:
                threading.Event().wait(rng.uniform(0.2, 3.0))
                fleet.one_death(context)
        finally:
            customers.stop()
        found = []
        try:
            read_and_agree(context, 60)
            read_and_agree(context, 30)
        except AssertionError as error:
            found.append(str(error))
        found += faults(shop, context, customers)
        found += [f"{name} ended by itself" for name in fleet.ended_by_themselves()]
        sys.stdout.write(f"seed {SEED}, {pool}, {write}: {dict(customers.counts)}, died: {', '.join(fleet.deaths)}\n")
        assert not found, report(found, shop, context, customers, fleet)


def test_up_starts_its_store_again_and_goes_on(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 10)
    data_dir = shop.folder / "var"
    with (shop.folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [*CELERY, "up", "--port", "0"], cwd=shop.folder, env=environment(), stdout=log, stderr=log
        )
        try:
            wait_until(lambda: shop.ready("up"), 90, "the worker is ready")
            assert shop.run("reconcile", "--watch", "--timeout", "40").code == 0
            pid = embedded._pid(data_dir)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: embedded._pid(data_dir) not in (None, pid), 20, "the store is there again")
            shop.amazon.account.sell("MUG", 3)
            assert shop.run("reconcile", "--watch", "--timeout", "60").code == 0
            assert up.poll() is None
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)
    assert shop.store.store.level("MUG") == 7


def settings(shop: Shop, write: str) -> str:
    """The settings file."""
    return 'schedule = "schedule"\n' + shop.brisk.replace(
        'type = "bigcommerce"', f'type = "bigcommerce"\nwrite = "{write}"'
    )


def read_and_agree(context: Context, timeout_s: float) -> None:
    """Wait until everything has been read from now on, and nothing is left to do on any channel."""
    asked_ms = context.store.now_ms()
    for name in context.channels:
        Pulls(context.store).want(name, asked_ms)
    left: dict[str, object] = {}

    def done() -> bool:
        try:
            for one in progress(context, context.channels, asked_ms):
                waiting = context.worklist.waiting(one.name, context.store.now_ms())
                left[one.name] = (one, waiting)
                if not one.done or any(waiting):
                    return False
        except redis.RedisError:
            return False
        return True

    try:
        wait_until(done, timeout_s, "everything is read and nothing is left to do")
    except AssertionError as error:
        raise AssertionError(f"{error}: {left}") from None


def faults(shop: Shop, context: Context, customers: Customers) -> list[str]:
    """Everything that is wrong; empty when no unit was lost or invented and every channel shows its target."""
    found, now_ms = [], context.store.now_ms()
    shown = {"store": shop.store.store.level, "amazon": shop.amazon.account.shown}
    for record in context.ledger.records(list(customers.initial)):
        sku, true = record.sku, customers.on_hand(record.sku)
        if record.on_hand != true:
            found.append(f"{sku}: on hand is {record.on_hand}, should be {true}")
        booked = sum(movement.units for movement in context.ledger.history(sku))
        if booked != record.on_hand:
            found.append(f"{sku}: on hand is {record.on_hand}, its movements make {booked}")
        for name, view in listing_views(context, record, now_ms, ()).items():
            actual = shown[name](sku)
            if view.state is not State.SETTLED or view.target != actual or view.level != actual:
                found.append(f"{sku}: {name} shows {actual}; {view}")
    known = len(list(context.ledger.skus()))
    if known != len(customers.initial):
        found.append(f"{known} SKUs are known, there are {len(customers.initial)}")
    return found


def report(found: Sequence[str], shop: Shop, context: Context, customers: Customers, fleet: Fleet) -> str:
    """All that is needed to understand what went wrong."""
    lines = [f"seed {SEED}", *found, "", "deaths: " + ", ".join(fleet.deaths)]
    wrong = sorted({fault.split(":")[0] for fault in found} & set(customers.initial))
    for record in context.ledger.records(wrong[:5]):
        lines += ["", *_whole(record, context, customers)]
    for process in fleet.past:
        text = process.log.read_text("utf-8", "replace").splitlines()
        telling = [line for line in text if any(sku.lower() in line for sku in wrong) or "ERROR" in line]
        lines += ["", f"--- {process.log.name}, what matters", *telling[-20:], "--- its end", *text[-15:]]
    return "\n".join(lines)


def _whole(record: Record, context: Context, customers: Customers) -> list[str]:
    return [
        f"--- {record}",
        *(
            f"{move.at.timestamp():.3f} {move.channel} {move.units:+d} = {move.on_hand}, level {move.level},"
            f" {move.why}, {move.cause}"
            for move in context.ledger.history(record.sku)
        ),
        "--- what happened",
        *(line for line in customers.story if f" {record.sku} " in line),
    ]
