"""A plan, a pause and what follows, as an operator types them."""

from __future__ import annotations

import json

from tests.processes.conftest import Shop


def test_a_plan_equals_what_the_run_after_it_writes(shop: Shop) -> None:
    for number in range(1, 21):
        shop.store.store.add(f"SKU-{number}", number % 7)
        shop.amazon.account.put(f"SKU-{number}", 3)
    with shop.worker():
        assert shop.run("pause", "amazon").code == 0
        waits = shop.run("reconcile", "--watch", "--timeout", "30")
        assert waits.code == 1
        assert "celery -A sync resume amazon" in waits.err
        before = {sku: shop.amazon.account.shown(sku) for sku in shop.store.store.levels()}
        planned = json.loads(shop.run("plan", "--channel", "amazon", "--json").out)
        assert {row["sku"]: row["level"] for row in planned}.items() <= before.items()
        assert {row["channels"]["amazon"]["state"] for row in shop.stock().values()} == {"settled", "paused"}
        assert shop.run("resume", "amazon").code == 0
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    after = {sku: shop.amazon.account.shown(sku) for sku in before}
    changed = {sku: level for sku, level in after.items() if level != before[sku]}
    assert {row["sku"]: row["target"] for row in planned} == changed
    assert shop.run("plan", "--json").out == "[]\n"


def test_a_channel_that_is_not_there_is_told_in_one_line(shop: Shop) -> None:
    ran = shop.run("pause", "amazn")
    assert ran.code == 1
    assert ran.err.startswith("Error: there is no channel 'amazn'")
    assert shop.run("resume", "store").out == "store was not paused.\n"
