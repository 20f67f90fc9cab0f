"""A bundle and a renamed listing, as a merchant has them: real workers, the sandbox store and the mock Amazon."""

from __future__ import annotations

import json

from tests.processes.conftest import Shop


def test_a_gift_box_that_is_sold_takes_its_mug_and_teas_everywhere(shop: Shop) -> None:
    for sku, level in (("MUG", 5), ("TEA", 9), ("GIFT-BOX", 0)):
        shop.store.store.add(sku, level)
        shop.amazon.account.put(sku, 1)
    shop.configure('[bundles]\n"GIFT-BOX" = { MUG = 1, TEA = 2 }\n' + shop.settings)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        assert shop.store.store.levels() == {"MUG": 5, "TEA": 9, "GIFT-BOX": 4}
        shop.amazon.account.sell("GIFT-BOX", 2)
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    assert shop.store.store.levels() == {"MUG": 3, "TEA": 5, "GIFT-BOX": 2}
    assert {sku: shop.amazon.account.shown(sku) for sku in ("MUG", "TEA", "GIFT-BOX")} == shop.store.store.levels()

    sale = json.loads(shop.run("history", "TEA", "--json").out)[-1]
    assert (sale["units"], sale["channel"]) == (-4, "amazon")
    assert sale["cause"].startswith("GIFT-BOX: ")
    told = shop.run("explain", "gift-box", "store").out
    assert "made of 2 TEA: 5 on hand, enough for 2" in told
    assert "it shows its target" in told


def test_a_listing_that_the_store_renames_stays_the_same_stock(shop: Shop) -> None:
    shop.configure('authority = "amazon"\n' + shop.settings)
    shop.store.store.add("MUG", 9)
    shop.store.store.add("TEA", 9)
    for sku in ("MUG", "TEA"):
        shop.amazon.account.put(sku, 9)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        shop.store.store.sell("MUG", 2)
        shop.store.store.rename("MUG", "CUP")
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    assert shop.amazon.account.shown("MUG") == 7
    assert {sku: row["on_hand"] for sku, row in shop.stock().items()} == {"MUG": 7, "TEA": 9}
    assert "MUG is called CUP there now; it stays MUG" in (shop.folder / "worker.log").read_text()
