"""`drift` as a merchant runs it."""

from __future__ import annotations

import json

from tests.processes.conftest import Shop


def test_nothing_is_said_of_what_was_never_read(shop: Shop) -> None:
    unread = "".join(
        f"{name}: no listing of it is known yet. Run: celery -A sync reconcile --watch\n"
        for name in ("store", "amazon")
    )
    assert shop.run("drift").out == unread
    assert shop.run("plan").out == unread


def test_drift_names_what_is_held_and_why_and_passes_when_it_is_mended(shop: Shop) -> None:
    shop.store.store.add("A", 5)
    shop.amazon.account.put("A", 9)
    shop.amazon.account.refuse("A", message="no title")
    with shop.worker():
        shop.run("reconcile", "--watch", "--timeout", "30")
        ran = shop.run("drift", "--json")
        assert ran.code == 1
        (row,) = json.loads(ran.out)
        assert (row["sku"], row["channel"], row["kind"]) == ("A", "amazon", "held")
        assert (row["level"], row["target"], row["units"]) == (9, 5, 4)
        assert "no title" in row["words"]
        shop.amazon.account.relent("A")
        shop.run("retry")
        assert shop.run("reconcile", "--watch").code == 0
    ran = shop.run("drift")
    assert ran.code == 0
    assert ran.out.strip() == "Every listing shows its target."
