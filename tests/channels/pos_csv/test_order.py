"""Snapshots are applied in the order of their counts, and one that says nothing new is not applied."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from .conftest import Shop

Table = Callable[..., str]


def test_the_oldest_count_is_taken_first(shop: Shop, table: Table) -> None:
    shop.drop("a.csv", table(A=1), age_s=10)
    shop.drop("b.csv", table(A=3), age_s=30)
    shop.drop("c.csv", table(A=2), age_s=20)
    assert [page.source for page in shop.read()] == ["b.csv", "c.csv", "a.csv"]


def test_a_time_in_the_name_counts_before_the_modification_time(shop: Shop, table: Table) -> None:
    shop.drop("stock-20260131T090500Z.csv", table(A=2), age_s=60)
    shop.drop("stock-20260131T090000Z.csv", table(A=3), age_s=10)
    pages = shop.read()
    assert [page.as_of for page in pages] == [
        datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
        datetime(2026, 1, 31, 9, 5, tzinfo=UTC),
    ]


def test_a_time_in_the_name_is_read_in_the_form_and_zone_of_the_settings(shop: Shop, table: Table) -> None:
    shop.drop("재고_2026-01-31 0900.csv", table(A=3))
    (page,) = shop.read(time_format="%Y-%m-%d %H%M", timezone="Asia/Seoul")
    assert page.as_of == datetime(2026, 1, 31, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", ["stock.csv", "stock-20261399-2561.csv"])
def test_a_name_without_the_promised_time_is_set_aside(shop: Shop, table: Table, name: str) -> None:
    shop.drop(name, table(A=3))
    ((where, reason),) = shop.problems(time_format="%Y%m%d-%H%M")
    assert where == name
    assert "time" in reason


def test_a_date_alone_is_not_taken_for_a_time(shop: Shop, table: Table) -> None:
    shop.drop("stock-20200101.csv", table(A=3))
    (page,) = shop.read()
    assert page.as_of == shop.clock()


def test_a_time_in_the_future_is_set_aside_before_it_makes_all_later_files_stale(shop: Shop, table: Table) -> None:
    shop.drop("stock-20990101T000000Z.csv", table(A=3))
    ((_, reason),) = shop.problems()
    assert "lies in the future" in reason
    shop.drop("stock.csv", table(A=2))
    assert shop.levels() == {"A": 2}


def test_a_late_file_is_stale(shop: Shop, table: Table) -> None:
    shop.drop("new.csv", table(A=2))
    assert shop.levels() == {"A": 2}
    shop.drop("late.csv", table(A=3), age_s=60)
    ((where, reason),) = shop.problems()
    assert where == "late.csv"
    assert "counted before new.csv" in reason
    assert len(shop.files("failed")) == 2


def test_a_late_file_is_stale_even_while_a_newer_one_is_only_half_applied(shop: Shop, table: Table) -> None:
    shop.drop("new.csv", table(A=2))
    pages = shop.channel().read_all()
    next(pages)
    pages.close()
    shop.drop("late.csv", table(A=3), age_s=60)
    assert [page.source for page in shop.read() if page.levels] == ["new.csv"]
    assert any(name.endswith("late.csv") for name in shop.files("failed"))


def test_two_files_of_the_same_moment_are_both_taken(shop: Shop, table: Table) -> None:
    shop.drop("1.csv", table(A=3))
    shop.drop("2.csv", table(A=2))
    assert [page.levels[0].units for page in shop.read()] == [3, 2]


def test_an_old_content_under_a_newer_modification_time_is_left_to_people(shop: Shop, table: Table) -> None:
    shop.drop("monday.csv", table(A=3), age_s=60)
    shop.drop("tuesday.csv", table(A=2))
    shop.levels()
    shop.clock.advance(60)
    shop.drop("monday.csv", table(A=3))
    ((_, reason),) = shop.problems()
    assert "same numbers as monday.csv" in reason
    assert 'repeats = "newer"' in reason


def test_stock_that_is_back_to_an_earlier_count_is_believed_when_the_file_says_its_time(shop: Shop) -> None:
    units = []
    for change in (0, -1, 1):
        shop.till.stock["A"] = shop.till.stock.get("A", 10) + change
        shop.clock.advance(60)
        shop.till.export()
        units.append(shop.levels()["A"])
    assert units == [10, 9, 10]


def test_stock_that_is_back_to_an_earlier_count_is_believed_when_modification_times_are_trusted(
    shop: Shop, table: Table
) -> None:
    units = []
    for count in (10, 9, 10):
        shop.clock.advance(60)
        shop.drop("stock.csv", table(A=count))
        units.append(shop.levels(repeats="newer")["A"])
    assert units == [10, 9, 10]


def test_a_copy_that_kept_its_time_is_a_repeat_even_if_newer_files_were_applied(shop: Shop, table: Table) -> None:
    first = table(A=3)
    shop.drop("1.csv", first, age_s=60)
    shop.drop("2.csv", table(A=2), age_s=30)
    shop.levels()
    shop.drop("1 (copy).csv", first, age_s=60)
    assert shop.read() == []


def test_an_unchanged_snapshot_with_a_newer_time_still_moves_the_mark(shop: Shop) -> None:
    shop.till.count("A", 3)
    shop.till.export()
    shop.levels()
    shop.clock.advance(60)
    shop.till.export()
    assert shop.levels() == {"A": 3}
    between = shop.clock() - timedelta(seconds=30)
    shop.till.drop(f"late-{between:%Y%m%dT%H%M%S}Z.csv", b"sku,quantity\nA,9\n")
    ((where, _),) = shop.problems()
    assert where.startswith("late")
