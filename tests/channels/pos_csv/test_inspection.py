"""What would be read is said beforehand, and nothing is touched."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from channels.pos_csv.inspection import inspect
from channels.pos_csv.profiles import PROFILES

from .conftest import Shop

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_profile_that_fits_comes_first(shop: Shop, profile: str) -> None:
    told = inspect(SAMPLES / f"{profile}.csv", shop.channel(profile=profile).settings)
    assert (told.refused, told.profiles[0]) == ("", profile)


def test_an_inspection_tells_what_the_channel_would_read(shop: Shop) -> None:
    file = shop.drop("stock-20260131T090000Z.csv", "Corner shop\nsku;quantity\nA;3\nB;?\n")
    told = inspect(file, shop.channel().settings)
    assert told.taste == [("A", 3)]
    assert (told.levels, told.rows, told.header_line, told.delimiter) == (1, 2, 2, ";")
    assert (told.counted_at, told.time_is_stated) == (datetime(2026, 1, 31, 9, 0, tzinfo=UTC), True)
    assert [report.line for report in told.reports] == [4]
    assert json.loads(json.dumps(told.as_json()))["reports"][0]["line"] == 4


def test_a_refused_file_comes_with_its_reason_and_the_profiles_that_would_read_it(shop: Shop) -> None:
    told = inspect(SAMPLES / "loyverse.csv", shop.channel().settings)
    assert "lacks a column 'quantity'" in told.refused
    assert told.profiles == ["loyverse"]


def test_a_file_in_an_unknown_encoding_is_shown_in_those_that_are_possible(shop: Shop) -> None:
    told = inspect(SAMPLES / "korean.csv", shop.channel().settings)
    assert "set encoding" in told.refused
    assert told.readings["cp949"].startswith("재고현황표")
    assert told.readings["cp1252"] != told.readings["cp949"]


def test_an_inspection_moves_nothing(shop: Shop) -> None:
    for name in ("good.csv", "bad.csv"):
        inspect(shop.drop(name, "sku,quantity\nA,3\n" if name == "good.csv" else ""), shop.channel().settings)
    assert sorted(file.name for file in shop.path.iterdir()) == ["bad.csv", "good.csv"]
