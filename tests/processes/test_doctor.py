"""`doctor` as a merchant runs it: real processes, real channels, exit codes that scripts can use."""

from __future__ import annotations

import json
from typing import Any

from tests.processes.conftest import Ran, Shop


def rows(ran: Ran, severity: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(ran.out)
    return [row for row in found if severity in ("", row["severity"])]


def test_without_processes_it_says_what_to_start(shop: Shop) -> None:
    ran = shop.run("doctor", "--json")
    assert ran.code == 2, ran.err
    assert [(row["area"], row["about"]) for row in rows(ran, "error")] == [
        ("processes", "workers"),
        ("processes", "scheduler"),
    ]
    assert all(row["advice"] for row in rows(ran, "error"))


def test_with_everything_running_nothing_is_wrong(shop: Shop) -> None:
    shop.store.store.add("A", 3)
    shop.amazon.account.put("A", 3)
    with shop.worker("-B", "-s", str(shop.folder / "beat-state")):
        assert shop.run("reconcile", "--watch").code == 0
        ran = shop.run("doctor", "--json")
    assert [row for row in rows(ran) if row["severity"] in ("warning", "error") and row["about"] != "scheduler"] == []
    assert {row["channel"] for row in rows(ran)} == {None, "store", "amazon"}


def test_each_channel_is_asked_over_http(shop: Shop) -> None:
    shop.store.store.switches.update_stock_behavior = "order_completed_or_shipped"
    shop.amazon.account.is_participating = False
    ran = shop.run("doctor", "--json")
    assert {(row["channel"], row["about"]) for row in rows(ran, "error")} >= {
        ("store", "stock settings"),
        ("amazon", "marketplace"),
    }


def test_one_channel_alone_costs_no_look_at_anything_else(shop: Shop) -> None:
    ran = shop.run("doctor", "--channel", "store", "--json")
    assert ran.code == 0, ran.err
    assert {row["channel"] for row in rows(ran)} == {"store"}
    assert shop.amazon.calls == []


def test_a_warning_alone_is_exit_code_1(shop: Shop) -> None:
    shop.store.store.switches.edit_order_stock_adjustment = False
    assert shop.run("doctor", "--channel", "store").code == 1


def test_settings_that_are_wrong_are_a_finding_and_exit_code_2(shop: Shop) -> None:
    shop.configure(shop.settings.replace("store_hash", "store_hsah"))
    ran = shop.run("doctor", "--json")
    assert ran.code == 2
    assert [row["about"] for row in rows(ran)] == ["file"] * len(rows(ran))
    assert "did you mean 'store_hash'?" in ran.out


def test_a_channel_that_is_not_there_is_said_so(shop: Shop) -> None:
    ran = shop.run("doctor", "--channel", "stroe")
    assert ran.code == 2
    assert "there is no channel 'stroe'" in ran.out


def test_people_see_a_mark_a_subject_and_advice_and_no_colour_in_a_pipe(shop: Shop) -> None:
    ran = shop.run("doctor")
    assert "✗ workers" in ran.out
    assert "→ Start one: celery -A sync worker" in ran.out
    assert "channel store" in ran.out
    assert "\x1b" not in ran.out
    assert ran.out.rstrip().splitlines()[-1].startswith("2 errors, ")
