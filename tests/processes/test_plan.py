"""A plan, a pause and what follows, as an operator types them."""

from __future__ import annotations

import json

from tests.processes.conftest import Shop
from tests.waiting import wait_until


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


def test_first_writes_wait_for_approval_and_a_plan_of_them_can_be_done_in_part(shop: Shop) -> None:
    shop.configure(shop.settings.replace("auto_approve_first = true", "auto_approve_first = false"))
    for number in range(1, 11):
        shop.store.store.add(f"SKU-{number}", number)
        shop.amazon.account.put(f"SKU-{number}", 40)
    with shop.worker():
        waits = shop.run("reconcile", "--watch", "--timeout", "30")
        assert waits.code == 1
        assert "10 writes wait for approval: celery -A sync plan --channel amazon" in waits.err
        (held,) = json.loads(shop.run("holds", "--json").out)
        assert (held["kind"], held["channel"], held["figures"]["fell"]) == ("first contact", "amazon", 10)

        file = shop.folder / "plan.jsonl"
        assert shop.run("plan", "--out", str(file)).code == 0
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[:4]), "utf-8")
        assert shop.run("apply", str(file)).out == "3 writes are let through, 0 refused.\n"
        levels = {row["sku"]: row["target"] for row in map(json.loads, lines[1:4])}
        wait_until(
            lambda: all(shop.amazon.account.shown(sku) == n for sku, n in levels.items()), 20, "three are written"
        )
        assert sum(shop.amazon.account.shown(f"SKU-{number}") == 40 for number in range(1, 11)) == 7
        again = shop.run("apply", str(file), "--json")
        assert again.code == 1
        assert all(row["refused"] for row in json.loads(again.out))

        assert shop.run("approve", held["id"]).code == 0
        assert shop.run("approve", held["id"]).code == 0
        assert shop.run("discard", held["id"]).code == 1
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    assert shop.run("holds", "--json").out == "[]\n"
    (decided,) = json.loads(shop.run("holds", "--all", "--json").out)
    assert decided["state"] == "approved"
    assert decided["decided_by"]
    assert shop.run("approve", "99").err.startswith("Error: there is no hold 99")


def test_a_catalogue_that_comes_back_empty_is_one_hold_and_no_write(shop: Shop) -> None:
    for number in range(1, 21):
        shop.store.store.add(f"SKU-{number}", number)
        shop.amazon.account.put(f"SKU-{number}", number)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        for sku in list(shop.store.store.levels()):
            shop.store.store.remove(sku)
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 1
        (held,) = json.loads(shop.run("holds", "--json").out)
        assert held["findings"] == ["it shows nothing, and 20 listings are known"]
        assert "it shows nothing" in shop.run("holds").out
    assert {sku: shop.amazon.account.shown(sku) for sku in ("SKU-1", "SKU-20")} == {"SKU-1": 1, "SKU-20": 20}
    assert (shop.folder / "worker.log").read_text().count("is held as") == 1
