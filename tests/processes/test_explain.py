"""Why a number is what it is, as a merchant asks."""

from __future__ import annotations

import json
import re

from tests.processes.conftest import Shop


def test_a_rule_reaches_the_channel_and_is_told_of(shop: Shop) -> None:
    shop.store.store.add("MUG", 9)
    shop.amazon.account.put("AMZ-MUG", 3)
    (shop.folder / "aliases.csv").write_text("channel,channel_sku,sku\namazon,AMZ-MUG,MUG\n")
    (shop.folder / "rules.csv").write_text("sku,channel,buffer\nM*,amazon,2\n")
    extra = '[policy]\nrules_csv = "rules.csv"\n[mapping]\naliases = "aliases.csv"\n'
    shop.configure(shop.settings + extra)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    assert shop.amazon.account.shown("AMZ-MUG") == 7

    (row,) = json.loads(shop.run("explain", "amz-mug", "amazon", "--json").out)
    assert (row["sku"], row["target"], row["level"], row["words"]) == ("MUG", 7, 7, "it shows its target")
    assert row["steps"][-1]["source"] == "rules.csv:2"
    told = shop.run("explain", "MUG", "amazon").out
    assert "2 kept back" in told
    assert "it shows its target" in told
    assert re.search(r"target 7, shows 7 by a reading of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", told, re.MULTILINE)
    assert shop.run("explain", "NOBODY", "amazon").err == "Error: NOBODY is not known on any channel\n"
    (opened,) = json.loads(shop.run("history", "MUG", "--json").out)
    assert set(opened) >= {"id", "sku", "at", "units", "on_hand", "revision", "channel", "why", "cause", "level"}


def test_a_bad_row_of_rules_ends_every_command_with_its_line(shop: Shop) -> None:
    (shop.folder / "rules.csv").write_text("sku,cap\nMUG,many\n")
    shop.configure(shop.settings + '[policy]\nrules_csv = "rules.csv"\n')
    ran = shop.run("stock")
    assert ran.code == 1
    assert "rules.csv:2: cap: must be a number of units from 0 on" in ran.err
