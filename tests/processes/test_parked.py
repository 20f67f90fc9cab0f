"""A listing that the channel refuses: it is shown with the channel's words, and tried again when a person says so."""

from __future__ import annotations

import json

from tests.processes.conftest import Shop


def test_a_refused_listing_is_shown_and_tried_again_on_demand(shop: Shop) -> None:
    for sku in ("CUP", "MUG"):
        shop.store.store.add(sku, 10)
        shop.amazon.account.put(sku, 4)
    shop.amazon.account.refuse("MUG", message="'Item Name' is required but missing.")
    with shop.worker():
        ran = shop.run("reconcile", "--watch", "--timeout", "40")
        assert ran.code == 1
        assert "amazon: 1 listings are not written" in ran.err
        (row,) = json.loads(shop.run("parked", "--json").out)
        assert (row["sku"], row["channel"], row["state"]) == ("MUG", "amazon", "parked")
        assert (row["level"], row["target"]) == (4, 10)
        assert "Item Name" in row["words"]
        assert shop.stock()["MUG"]["channels"]["amazon"]["state"] == "parked"
        assert shop.amazon.account.shown("CUP") == 10  # a bad row stops only itself

        shop.amazon.account.relent("MUG")
        ran = shop.run("retry", "mugg")
        assert (ran.code, ran.err) == (1, "Error: mugg: not known on any channel\n")
        ran = shop.run("retry", "mug")
        assert "1 parked listings" in ran.out
        assert shop.run("reconcile", "--watch", "--timeout", "40").code == 0
    assert shop.amazon.account.shown("MUG") == 10
    assert json.loads(shop.run("parked", "--json").out) == []
    assert shop.run("retry").out == "Nothing is parked.\n"
