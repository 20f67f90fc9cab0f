"""``inspect-csv``: what would become of a file, told before a till is set up."""

from __future__ import annotations

import json
from pathlib import Path

from tests.processes.conftest import Shop

SAMPLES = Path(__file__).parent.parent / "channels" / "pos_csv" / "samples"


def test_a_file_is_read_by_the_profile_that_fits_it_best(shop: Shop) -> None:
    ran = shop.run("inspect-csv", str(SAMPLES / "korean.csv"), "--json")
    assert ran.code == 0
    (found,) = json.loads(ran.out)
    assert (found["profiles"][0], found["encoding"], found["levels"]) == ("korean", "cp949", 4)


def test_a_file_that_would_be_refused_says_why_and_changes_nothing(shop: Shop) -> None:
    file = shop.folder / "stock.csv"
    file.write_text('sku,quantity\n"MUG,3\n', "utf-8")
    ran = shop.run("inspect-csv", str(file))
    assert ran.code == 1
    assert "set aside" in ran.out
    assert "line 2" in ran.out
    assert "rofiles" not in ran.out
    assert file.read_text("utf-8") == 'sku,quantity\n"MUG,3\n'


def test_levels_that_are_not_shown_are_counted(shop: Shop) -> None:
    file = shop.folder / "stock.csv"
    file.write_text("sku,quantity\n" + "".join(f"MUG-{number:02},3\n" for number in range(13)), "utf-8")
    told = shop.run("inspect-csv", str(file)).out
    assert "MUG-09" in told
    assert "MUG-10" not in told
    assert "\nand 3 more\n" in told


def test_a_channel_of_the_settings_reads_by_its_own_columns(shop: Shop) -> None:
    till = '\n[channels.till]\ntype = "pos_csv"\npath = "pos"\nsku_column = "code"\nquantity_column = "left"\n'
    shop.configure(shop.settings + till)
    file = shop.folder / "stock.csv"
    file.write_text("code,left\nMUG,3\n", "utf-8")
    (found,) = json.loads(shop.run("inspect-csv", str(file), "--channel", "till", "--json").out)
    assert found["taste"] == [["MUG", 3]]
    assert shop.run("inspect-csv", str(file), "--channel", "store").code == 1


def test_the_lines_of_a_journal_are_not_called_levels(shop: Shop) -> None:
    till = '\n[channels.till]\ntype = "pos_csv"\npath = "pos"\nkind = "journal"\nid_column = "id"\nmovement = "sold"\n'
    shop.configure(shop.settings + till)
    file = shop.folder / "sales.csv"
    file.write_text("id,sku,quantity\n1,MUG,3\n2,MUG,x\n", "utf-8")
    told = shop.run("inspect-csv", str(file), "--channel", "till").out
    assert "1 lines to be counted in 2 rows" in told
    assert "-3" in told
    assert "counted 20" not in told
