"""Metrics over processes: what a worker and a scheduler do, a receiver tells."""

from __future__ import annotations

import pytest
import requests

from sync.web.catalogue import PREFIX
from tests.processes.conftest import Shop
from tests.processes.test_webhooks import running
from tests.telemetry.exposition import value
from tests.waiting import wait_until

#: What each step of the story brings about: a metric, its labels, and its least value.
TOLD: tuple[tuple[str, dict[str, str], float], ...] = (
    ("store_up", {}, 1),
    ("listings", {"channel": "amazon", "state": "settled"}, 3),
    ("listings", {"channel": "store", "state": "settled"}, 3),
    ("skus", {"counted": "yes"}, 3),
    ("on_hand_units", {}, 30),
    ("movements_total", {"channel": "store"}, 3),
    ("writes_total", {"channel": "amazon", "result": "accepted"}, 3),
    ("last_pull_listings", {"channel": "amazon"}, 3),
    ("ticks_total", {"entry": "sweep", "result": "taken"}, 1),
    ("task_failures_total", {"task": "sync.pull"}, 1),
)


@pytest.mark.timeout(180)
def test_a_receiver_tells_what_other_processes_did(shop: Shop) -> None:
    for number in range(3):
        shop.store.store.add(f"SKU-{number}", 10)
        shop.amazon.account.put(f"SKU-{number}", 4)
    with shop.worker(), shop.process("beat", "beat"), running(shop, "serve", "--port", "0") as (_, address):
        assert shop.run("reconcile", "--watch", "--timeout", "40").code == 0
        assert shop.run("call", "sync.census").code == 0
        assert shop.run("call", "sync.pull", "--kwargs", '{"channel": "nowhere"}').code == 0

        def missing() -> list[tuple[str, dict[str, str]]]:
            text = requests.get(f"{address}/metrics", timeout=10).text
            return [
                (name, labels) for name, labels, least in TOLD if (value(text, PREFIX + name, **labels) or 0) < least
            ]

        wait_until(lambda: missing() == [], 40, "the receiver knows it all")
        text = requests.get(f"{address}/metrics", timeout=10).text
    calls = [line for line in text.splitlines() if line.startswith(f'{PREFIX}calls_total{{channel="store"')]
    assert any('status="200"' in line for line in calls)
    assert value(text, PREFIX + "drift_units", channel="amazon") == 0
    assert value(text, PREFIX + "oversold_skus") == 0
