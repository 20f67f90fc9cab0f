"""What a till's owner can set about the shape of a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.pos_csv import PosCsvSettings

from .conftest import Shop


@pytest.mark.parametrize(
    ("settings", "text", "units"),
    [
        ({"thousands": ","}, "1,234", 1234),
        ({"thousands": ","}, "12,345,678", 12_345_678),
        ({"thousands": "."}, "1.234", None),
        ({"decimal": ",", "thousands": "."}, "1.234,000", 1234),
        ({"decimal": ",", "thousands": "."}, "-1.234", -1234),
        ({"decimal": ","}, "12,0", 12),
        ({"thousands": ","}, "12,34", None),
        ({"thousands": ","}, ",123", None),
        ({"thousands": " "}, "1 234", 1234),
        ({"fractions": "floor"}, "2.7", 2),
        ({"fractions": "floor"}, "-0.5", -1),
        ({"fractions": "floor"}, ".9", 0),
        ({"max_quantity": 999}, "1000", None),
        ({"max_quantity": 999}, "-1000", None),
        ({"max_quantity": 999, "oversized": "cap"}, "1000", 999),
        ({"max_quantity": 999, "oversized": "cap"}, "-1000", None),
    ],
)
def test_how_numbers_are_written_is_a_setting(
    shop: Shop, settings: dict[str, object], text: str, units: int | None
) -> None:
    if settings == {"thousands": "."}:
        with pytest.raises(ValidationError, match="different signs"):
            shop.channel(**settings)
        return
    shop.drop("stock.csv", f'sku,quantity\nA,"{text}"\nB,1\n')
    assert shop.levels(**settings) == {"B": 1} | ({} if units is None else {"A": units})


def test_a_number_in_the_wrong_notation_is_refused_and_not_a_thousandfold(shop: Shop) -> None:
    shop.drop("stock.csv", 'sku,quantity\nA,"1.234"\nB,"1,234"\nC,1\n')
    assert shop.levels() == {"C": 1}


def test_words_that_state_no_stock_are_not_zero_and_no_mistake(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,Not Stocked\nB,1\n")
    (page,) = shop.read(no_stock_words="not stocked", blank="skip")
    assert ([row.sku for row in page.levels], page.problems) == (["B"], ())


def test_total_rows_are_skipped_but_a_sku_that_begins_like_one_is_not(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nTotal-Wipes,1\nT O T A L :,5\nSubtotal\n")
    assert shop.levels(total_words=["total", "subtotal"]) == {"Total-Wipes": 1}


def test_a_sum_over_locations_is_not_taken_when_one_of_them_is_unreadable(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity,place\nA,1,x\nA,?,y\nB,1,x\nC,1,x\nC,,y\n")
    assert shop.levels(location_column="place") == {"B": 1}


def test_one_location_twice_for_a_sku_is_a_contradiction(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity,place\nA,1,x\nA,2,X \nB,1,x\nB,3,y\n")
    assert shop.levels(location_column="place") == {"B": 4}


def test_a_sum_that_is_not_believed_is_refused(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity,place\nA,6,x\nA,6,y\nB,1,x\n")
    assert shop.levels(location_column="place", max_quantity=10) == {"B": 1}


def test_a_file_without_a_header_line_has_its_columns_named(shop: Shop) -> None:
    shop.drop("stock.csv", "A;x;3\nB;y;4\n")
    assert shop.levels(columns=["sku", "name", "quantity"]) == {"A": 3, "B": 4}


FRAMED = {"header_record": "H", "trailer_record": "T", "trailer_count": 2}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("H,x\nsku,quantity\nA,3\nB,4\n", "does not end with a T record"),
        ("H,x\nsku,quantity\nA,3\nT,2\n", "counts '2' rows and it has 1"),
        ("H,x\nsku,quantity\nA,3\nT\n", "counts '' rows"),
        ("H,x\nsku,quantity\nA,3\nT,1\nB,4\n", "stands below the T record"),
    ],
)
def test_a_file_that_its_trailer_contradicts_is_set_aside(shop: Shop, text: str, reason: str) -> None:
    shop.drop("stock.csv", text)
    ((where, told),) = shop.problems(**FRAMED)
    assert (where, reason in told) == ("stock.csv", True)


def test_a_file_that_its_trailer_confirms_is_taken(shop: Shop) -> None:
    shop.drop("stock.csv", "H,x\nsku,quantity\nA,3\nB,?\nT,2")
    assert shop.levels(**FRAMED) == {"A": 3}


def test_the_oldest_time_of_a_column_is_the_time_of_the_count(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity,at\nA,3,2026-01-31 10:00\nB,4,2026-01-31 09:00\nC,1,\nD,1,noon\n")
    (page,) = shop.read(time_from="column", time_column="at", timezone="Europe/Berlin")
    assert page.as_of == datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
    assert [row.sku for row in page.levels] == ["A", "B", "C"]


def test_files_that_state_their_time_inside_are_taken_in_that_order(shop: Shop) -> None:
    shop.drop("a.csv", "sku,quantity,at\nA,2,2026-01-31 10:00\n", age_s=60)
    shop.drop("b.csv", "sku,quantity,at\nA,3,2026-01-31 09:00\n")
    pages = shop.read(time_from="column", time_column="at")
    assert [page.source for page in pages] == ["b.csv", "a.csv"]


@pytest.mark.parametrize(
    "given",
    [
        {"time_from": "name"},
        {"time_from": "column"},
        {"time_from": "header", "header_record": "H"},
        {"trailer_count": 2},
        {"locations": ["x"]},
        {"sku_column": "Quantity"},
        {"encoding": "klingon"},
        {"encoding": "base64"},
        {"timezone": "Mars/Olympus"},
        {"sku_column": []},
        {"quiet_s": -1},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PosCsvSettings.model_validate({"type": "pos_csv", "path": Path("pos")} | given)
