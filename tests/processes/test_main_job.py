"""The main job, as a merchant sees it: a worker in one process, commands in others."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from tests.processes.conftest import CELERY, Shop, environment
from tests.waiting import wait_until


def test_a_reconcile_called_by_hand_makes_the_levels_agree(shop: Shop) -> None:
    for number in range(1, 8):
        shop.store.store.add(f"SKU-{number}", number)
        shop.amazon.account.put(f"SKU-{number}", 20)
    with shop.worker():
        assert shop.run("call", "sync.reconcile").code == 0
        wait_until(lambda: shop.amazon.account.shown("SKU-7") == 7, 20, "Amazon shows the store's count")
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    stock = shop.stock()
    assert {sku: row["on_hand"] for sku, row in stock.items()} == {f"SKU-{number}": number for number in range(1, 8)}
    assert {row["channels"][name]["state"] for row in stock.values() for name in ("store", "amazon")} == {"settled"}
    assert {sku: shop.amazon.account.shown(sku) for sku in stock} == dict(shop.store.store.levels())


def test_a_sale_on_one_channel_reaches_the_other_and_is_explained(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 10)
    with shop.worker():
        shop.run("reconcile", "--watch", "--timeout", "30")
        shop.amazon.account.sell("MUG", 3)
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    assert shop.store.store.level("MUG") == 7
    movements = json.loads(shop.run("history", "mug", "--json").out)
    assert [(row["units"], row["on_hand"], row["channel"]) for row in movements] == [
        (10, 10, "store"),
        (-3, 7, "amazon"),
    ]


@pytest.mark.timeout(300)
def test_a_worker_killed_in_the_middle_of_its_work_loses_nothing(shop: Shop) -> None:
    for number in range(1, 121):
        shop.store.store.add(f"SKU-{number}", 5)
        shop.amazon.account.put(f"SKU-{number}", 9)
    with shop.worker() as worker:
        shop.run("call", "sync.reconcile")
        wait_until(lambda: shop.amazon.account.shown("SKU-1") == 5, 20, "the push has begun")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    shop.store.store.sell("SKU-1", 2)
    with shop.worker():
        # what the dead worker had claimed is looked at once its lease is over; until then it is not written
        wait_until(
            lambda: shop.run("reconcile", "--watch", "--timeout", "30").code == 0, 180, "all agree after the death"
        )
    stock = shop.stock()
    assert stock["SKU-1"]["on_hand"] == 3
    assert sum(row["on_hand"] for row in stock.values()) == 120 * 5 - 2
    assert {sku: shop.amazon.account.shown(sku) for sku in stock} == dict(shop.store.store.levels())


def test_an_orderly_stop_ends_the_worker_and_loses_no_work(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 2)
    with shop.worker() as worker:
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert shop.stock()["MUG"]["channels"]["amazon"] == {"level": 10, "target": 10, "state": "settled"}


def test_up_runs_everything_and_stops_when_told(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 2)
    with shop.process("up", "up", "--port", "0") as up:
        wait_until(lambda: shop.ready("up"), 60, "the worker is ready")
        assert shop.run("reconcile", "--watch", "--timeout", "40").code == 0
        up.send_signal(signal.SIGTERM)
        assert up.wait(60) == 0, (shop.folder / "up.log").read_text()
    assert shop.amazon.account.shown("MUG") == 10


def test_the_demo_ends_with_everything_equal() -> None:
    done = subprocess.run(
        [*CELERY, "demo", "--skus", "50"], env=environment(), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 50 SKUs agree on all three channels" in done.stdout
    assert done.stderr == ""
