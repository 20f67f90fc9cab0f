"""Stopping under load: the worker goes soon, what it had begun is ended or handed over, and nobody is left behind."""

from __future__ import annotations

import os
import signal

import pytest

from channels.sandbox import Fault
from sync.commands.up import ROLES
from tests.processes.conftest import Shop
from tests.processes.fleet import POOLS, children, living
from tests.waiting import wait_until

#: What ``sync/celeryconfig.py`` gives a worker to stop, in seconds.
SOFT_SHUTDOWN_S = 30

#: More listings than can be written in that time: ten by each request, and so many seconds for its answer.
LISTINGS, ANSWER_S = 600, 1.0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_told_to_stop_in_the_middle_of_a_push_goes_soon_and_loses_nothing(shop: Shop, pool: str) -> None:
    for number in range(1, LISTINGS + 1):
        shop.store.store.add(f"SKU-{number}", 9)
        shop.amazon.account.put(f"SKU-{number}", 5)
    shop.configure('authority = "amazon"\n' + shop.settings)
    shop.store.faults.add(Fault("slow", match="^PUT ", seconds=ANSWER_S))
    with shop.worker(*POOLS[pool]) as worker:
        shop.run("call", "sync.pull", "--kwargs", '{"channel": "amazon"}')
        wait_until(lambda: len(shop.stock()) == LISTINGS, 60, "the authority has counted all before any is written")
        shop.run("call", "sync.reconcile")
        wait_until(lambda: writes(shop) >= 2, 60, "the push is under way")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SOFT_SHUTDOWN_S) == 0
    written = set(shop.store.store.levels().values())
    assert written == {5, 9}, "it stopped in the middle"
    states = {row["channels"]["store"]["state"] for row in shop.stock().values()}
    assert states == {"settled", "pending"}, "no claim is left to lapse"

    shop.amazon.account.sell("SKU-1", 2)
    shop.store.faults.clear()
    sent = writes(shop)
    with shop.worker(*POOLS[pool]):  # it finds the other's ring, or the sweeper rings
        assert shop.run("reconcile", "--watch", "--timeout", "50").code == 0
    stock = shop.stock()
    assert stock["SKU-1"]["on_hand"] == 3
    assert sum(row["on_hand"] for row in stock.values()) == LISTINGS * 5 - 2
    assert {sku: shop.amazon.account.shown(sku) for sku in stock} == dict(shop.store.store.levels())
    assert sent < writes(shop) <= LISTINGS / 10 + 2, "nothing is written twice"


def test_what_up_has_started_does_not_outlive_it_even_if_it_is_killed(shop: Shop) -> None:
    with shop.process("up", "up", "--port", "0") as up:
        log = shop.folder / "up.log"
        wait_until(lambda: shop.ready("up") and b"Receiving on" in log.read_bytes(), 60, "all are there")
        started = children(up.pid)
        assert len(started) >= len(ROLES)
        up.kill()
        up.wait()
        try:
            wait_until(lambda: not living(started), SOFT_SHUTDOWN_S, "all have ended")
        finally:
            for pid in living(started):
                os.kill(pid, signal.SIGKILL)


def writes(shop: Shop) -> int:
    """How many requests have asked the store to change levels."""
    return sum(line.startswith("PUT ") for line in shop.store.requests)
