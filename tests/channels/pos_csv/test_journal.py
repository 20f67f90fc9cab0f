"""A journal of movements: each line is counted once, whatever dies, comes late, or comes again."""

from __future__ import annotations

import itertools
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.contract import Page
from channels.errors import Denied, Unreachable
from channels.pos_csv import PosCsvChannel, PosCsvSettings, inspect
from channels.pos_csv.journal import Journal

from .conftest import Clock, Shop

#: How the journals here are written, mostly.
KIND: dict[str, object] = {"kind": "journal", "id_column": "id", "type_column": "type"}
DATED = KIND | {"time_column": "at"}

HEADER = "id,sku,quantity,type\n"


def sales(*lines: str) -> str:
    """``7 A 2`` is a sale of two A, with the id 7; a fourth word is the kind of movement."""
    rows = ["id,sku,quantity,type\n"]
    for line in lines:
        number, sku, quantity, *kind = line.split()
        rows.append(f"{number},{sku},{quantity},{kind[0] if kind else 'sale'}\n")
    return "".join(rows)


class Worker:
    """What the worker makes of pages: confirmed levels, and movements between them."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self.moved: list[tuple[str, int]] = []

    def merge(self, page: Page) -> None:
        assert page.as_of is None
        for sku, _, units in page.levels:
            change = units - self.levels.get(sku, units)
            self.levels[sku] = units
            if change:
                self.moved.append((sku, change))

    def read(self, shop: Shop, pages: int | None = None, **more: object) -> Worker:
        """Read; where a number of pages is given, the worker dies once it has merged so many."""
        reading = shop.channel(**(KIND | more)).read_all()
        for page in itertools.islice(reading, pages):
            self.merge(page)
        reading.close()  # type: ignore[attr-defined]
        return self


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_new_sku_is_opened_at_zero_and_then_moved_by_what_was_sold(shop: Shop, worker: Worker) -> None:
    shop.drop("monday.csv", sales("1 A 2", "2 B 1", "3 A 1", "4 A 1 return", "5 C 12 receipt"))
    worker.read(shop)
    assert worker.moved == [("A", -2), ("B", -1), ("C", 12)]
    assert len(shop.files("processed")) == 1


def test_further_files_add_to_what_came_before(shop: Shop, worker: Worker) -> None:
    shop.drop("monday.csv", sales("1 A 2"))
    worker.read(shop)
    shop.drop("tuesday.csv", sales("2 A 3"))
    worker.read(shop)
    assert worker.moved == [("A", -2), ("A", -3)]


def test_a_line_is_counted_once_in_however_many_files_it_stands(shop: Shop, worker: Worker) -> None:
    shop.drop("monday.csv", sales("1 A 2"))
    shop.drop("the week.csv", sales("1 A 2", "2 A 1"))
    worker.read(shop)
    shop.drop("monday again.csv", sales("1 a 2"))
    worker.read(shop)
    assert worker.levels == {"A": -3}
    assert sum(units for _, units in worker.moved) == -3


def test_files_may_come_in_any_order(shop: Shop, worker: Worker) -> None:
    shop.drop("tuesday.csv", sales("2 A 3"))
    worker.read(shop)
    shop.drop("monday.csv", sales("1 A 2"), age_s=86_400)
    worker.read(shop)
    assert worker.levels == {"A": -5}


def test_the_same_file_twice_is_archived_twice_and_counted_once(shop: Shop, worker: Worker) -> None:
    for name in ("a.csv", "b.csv"):
        shop.drop(name, sales("1 A 2"))
        worker.read(shop)
    assert worker.moved == [("A", -2)]
    assert len(shop.files("processed")) == 2


def test_an_id_that_comes_again_for_something_else_is_reported_and_not_counted(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2"))
    worker.read(shop)
    shop.drop("b.csv", sales("1 A 3", "2 A 1"))
    ((where, reason),) = shop.problems(**KIND)
    assert where == "b.csv:2"
    assert "-2 of 'a' already" in reason
    shop.drop("c.csv", sales("3 B 1"))
    assert worker.read(shop).levels == {"A": -3, "B": -1}


def test_a_till_that_uses_its_ids_again_every_day_is_found_out(shop: Shop, worker: Worker) -> None:
    day = [f"{number} A {number % 7 + 1}" for number in range(40)]
    shop.drop("monday.csv", sales(*day))
    before = dict(worker.read(shop).levels)
    shop.drop("tuesday.csv", sales(*reversed([line.replace(" A ", " B ") for line in day])))
    ((where, reason),) = shop.problems(**KIND)
    assert where == "tuesday.csv"
    assert "uses its ids again" in reason
    shop.drop("wednesday.csv", sales("x A 1"))
    assert worker.read(shop).levels == {"A": before["A"] - 1}


def test_two_lines_of_one_file_under_one_id_that_differ_are_both_left_out(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2", "1 A 3", "2 B 1", "1 A 2", "2 B 1"))
    pages = list(shop.channel(**KIND).read_all())
    for page in pages:
        worker.merge(page)
    assert worker.levels == {"B": -1}
    problems = {problem.where: problem.reason for page in pages for problem in page.problems}
    assert list(problems) == ["a.csv:2", "a.csv:3", "a.csv:5", "a.csv:6"]
    assert all("('1') and other content; none" in problems[f"a.csv:{line}"] for line in (2, 3, 5))
    assert problems["a.csv:6"] == "this line stands in line 4 already; it is counted once"


def test_an_id_may_be_made_of_several_columns(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", "receipt,line,sku,quantity\n1,11,A,1\n11,1,A,1\n1,11,A,1\n")
    worker.read(shop, id_column=["receipt", "line"], type_column=None, movement="sold")
    assert worker.levels == {"A": -2}


@pytest.mark.parametrize(
    ("means", "quantity", "level"),
    [("out", 2, -2), ("in", 2, 2), ("sold", 2, -2), ("sold", -2, 2), ("change", -2, -2), ("change", 2, 2)],
)
def test_what_a_quantity_means_is_set(shop: Shop, worker: Worker, means: str, quantity: int, level: int) -> None:
    shop.drop("a.csv", sales(f"1 A {quantity} X"))
    assert worker.read(shop, movements={"x": means}).levels == {"A": level}


@pytest.mark.parametrize("line", ["1 A -2", "1 A 2 theft", ", A 2", "1 A two", "1e5 A x"])
def test_a_line_that_is_not_clear_is_reported_and_stops_only_itself(shop: Shop, worker: Worker, line: str) -> None:
    shop.drop("a.csv", sales(line.replace(",", '""'), "2 B 1"))
    pages = list(shop.channel(**KIND).read_all())
    assert [problem.where for page in pages for problem in page.problems] == ["a.csv:2"]
    for page in pages:
        worker.merge(page)
    assert worker.levels == {"B": -1}


def test_a_line_that_is_mended_is_counted_when_its_file_comes_again(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2", "2 B x"))
    worker.read(shop)
    shop.drop("a.csv", sales("1 A 2", "2 B 4"))
    assert worker.read(shop).levels == {"A": -2, "B": -4}


def test_lines_that_move_no_stock_are_skipped(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2 quote", "2 A 1"))
    assert worker.read(shop, movements={"quote": "skip", "sale": "out"}).levels == {"A": -1}


def test_a_quiet_hour_is_no_fault(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", HEADER)
    worker.read(shop)
    assert shop.files("failed") == []
    assert len(shop.files("processed")) == 1


def test_a_file_with_nothing_but_bad_lines_is_set_aside(shop: Shop) -> None:
    shop.drop("a.csv", sales("1 A x"))
    ((_, reason),) = shop.problems(**KIND)
    assert "not one of its rows" in reason
    assert "a.csv" in shop.files("failed")[0]


def test_a_worker_may_die_after_any_page_and_nothing_is_counted_twice_or_shown_going_back(shop: Shop) -> None:
    lines = [f"{number} SKU{number} 1" for number in range(1_500)]
    for pages in range(8):
        worker, folder = Worker(), Shop(shop.path / str(pages), shop.clock)
        folder.drop("0.csv", sales("x SKU0 5"))
        worker.read(folder)
        folder.drop("1.csv", sales(*lines))
        worker.read(folder, pages)
        folder.drop("2.csv", sales("y SKU0 1"), age_s=60)  # before the one that was broken off
        worker.read(folder)
        assert worker.levels == {"SKU0": -7} | {f"SKU{number}": -1 for number in range(1, 1_500)}
        assert all(units < 0 for _, units in worker.moved), pages
        assert len(folder.files("processed")) == 3


def test_a_worker_that_dies_between_showing_and_archiving_shows_nothing_new(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2"))
    reading = shop.channel(**KIND).read_all()
    for page in itertools.islice(reading, 2):
        worker.merge(page)
    reading.close()  # type: ignore[attr-defined]
    assert worker.levels == {"A": -2}
    assert worker.read(shop).moved == [("A", -2)]
    assert len(shop.files("processed")) == 1


def test_a_lost_store_learns_all_levels_before_the_next_file_moves_them(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2", "2 B 1"))
    worker.read(shop)
    forgetful = Worker()
    shop.drop("b.csv", sales("3 A 3"))
    assert forgetful.read(shop).levels == {"A": -5, "B": -1}
    assert forgetful.moved == [("A", -3)]


def test_nothing_is_shown_while_no_file_comes(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2"))
    worker.read(shop)
    assert shop.read(**KIND) == []


def dated(clock: Clock, *lines: tuple[str, str, int, float]) -> str:
    rows = [
        f"{number},{sku},{units},sale,{(clock() - timedelta(days=days)).isoformat()}\n"
        for number, sku, units, days in lines
    ]
    return "id,sku,quantity,type,at\n" + "".join(rows)


def test_ids_are_forgotten_after_their_time_and_lines_that_old_are_not_counted_again(
    shop: Shop, worker: Worker
) -> None:
    more = DATED | {"remember_days": 30}
    shop.drop("a.csv", dated(shop.clock, ("1", "A", 2, 20), ("2", "A", 1, 1)))
    worker.read(shop, **more)
    text = dated(shop.clock, ("1", "A", 2, 20), ("2", "A", 1, 1), ("3", "B", 1, 0))
    shop.clock.advance(15 * 86_400)
    shop.drop("b.csv", dated(shop.clock, ("4", "B", 1, 0)))
    worker.read(shop, **more)
    with sqlite3.connect(shop.path / ".state" / "journal.db") as db:
        assert {row[0] for row in db.execute("SELECT id FROM line")} == {"2", "4"}
    db.close()
    shop.drop("c.csv", text)
    ((where, reason),) = shop.problems(**more)
    assert where == "c.csv:2"
    assert "1 lines, this one the first, are older than remember_days" in reason
    shop.drop("d.csv", dated(shop.clock, ("5", "A", 1, 0)))
    assert worker.read(shop, **more).levels == {"A": -4, "B": -2}


def test_lines_before_the_first_count_are_in_that_count_already(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", dated(shop.clock, ("1", "A", 2, 2), ("2", "A", 1, 1)))
    counted = shop.clock() - timedelta(days=1.5)
    assert worker.read(shop, **DATED, lines_from=counted).levels == {"A": -1}


def test_a_line_without_its_time_is_reported(shop: Shop) -> None:
    shop.drop("a.csv", "id,sku,quantity,type,at\n1,A,1,sale,\n2,A,1,sale,2026-01-31\n")
    assert [where for where, _ in shop.problems(**DATED)] == ["a.csv:2"]


def test_levels_beyond_what_a_channel_may_state_set_the_file_aside(shop: Shop, worker: Worker) -> None:
    shop.drop("a.csv", sales("1 A 2147483647"))
    worker.read(shop)
    shop.drop("b.csv", sales("2 A 1", "3 B 1"))
    ((where, reason),) = shop.problems(**KIND)
    assert (where, "surely wrong" in reason) == ("b.csv", True)
    shop.drop("c.csv", sales("4 C 1"))
    assert worker.read(shop).levels == {"A": -2147483647, "C": -1}


def test_a_folder_of_snapshots_is_not_read_as_a_journal_nor_the_reverse(shop: Shop, tmp_path: Path) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,10\n")
    shop.levels()
    with pytest.raises(Denied, match="a folder and a channel name of its own"):
        shop.read(**KIND)
    other = Shop(tmp_path / "other", shop.clock)
    other.drop("a.csv", sales("1 A 2"))
    other.read(**KIND)
    with pytest.raises(Denied, match="kind is snapshot"):
        other.read()


def test_a_kind_that_was_tried_by_mistake_and_counted_nothing_is_not_held_to(shop: Shop) -> None:
    shop.drop("a.csv", "sku,quantity\nA,10\n")
    assert shop.problems(**KIND)
    shop.drop("a.csv", "sku,quantity\nA,10\n")
    assert shop.levels() == {"A": 10}


def test_a_damaged_memory_stops_the_reading_with_its_place(shop: Shop) -> None:
    shop.drop("a.csv", sales("1 A 2"))
    shop.read(**KIND)
    (shop.path / ".state" / "journal.db").write_bytes(b"x" * 8192)
    shop.drop("b.csv", sales("2 A 2"))
    with pytest.raises(Unreachable, match=r"journal\.db"):
        shop.read(**KIND)
    assert (shop.path / "b.csv").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"id_column": ()},
        {"type_column": None},
        {"movement": "out"},
        {"writes": True},
        {"remember_days": 30},
        {"time_from": "column", "time_column": "at"},
        {"movements": {"sale": "away"}},
        {"kind": "snapshot"},
    ],
)
def test_settings_by_which_a_journal_could_go_wrong_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PosCsvSettings.model_validate({"type": "pos_csv", "path": tmp_path} | KIND | wrong)


def test_an_inspection_shows_what_the_lines_would_add(shop: Shop) -> None:
    file = shop.drop("a.csv", sales("1 A 2", "2 B 1 receipt", "3 C x"))
    told = inspect(file, shop.channel(**KIND).settings)
    assert (told.refused, told.levels, told.rows, told.taste) == ("", 2, 3, [("A", -2), ("B", 1)])
    assert [report.line for report in told.reports] == [4]
    assert not (shop.path / ".state").exists()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.lists(
        st.tuples(st.sets(st.integers(0, 11), min_size=1), st.one_of(st.none(), st.integers(0, 4))),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_files_come_and_whenever_the_worker_dies_every_line_counts_once(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[set[int], int | None]]
) -> None:
    shop, worker = Shop(tmp_path_factory.mktemp("shop") / "pos", Clock()), Worker()
    for number, (ids, dies_after) in enumerate(files):
        shop.drop(f"{number}.csv", sales(*(f"{line} SKU{line % 3} {line + 1}" for line in sorted(ids))))
        worker.read(shop, dies_after)
    worker.read(shop)
    sold = {line for ids, _ in files for line in ids}
    true = {f"SKU{sku}": -sum(line + 1 for line in sold if line % 3 == sku) for sku in range(3)}
    assert worker.levels == {sku: units for sku, units in true.items() if units}
    assert all(units < 0 for _, units in worker.moved)


def test_a_file_that_is_refused_after_its_lines_were_looked_up_leaves_the_journal_as_it_was(
    shop: Shop, worker: Worker
) -> None:
    shop.drop("a.csv", sales("1 A 2", "2 A 1"))
    worker.read(shop)
    before = (shop.path / ".state" / "journal.db").read_bytes()
    shop.drop("b.csv", sales("1 B 2", "2 B 1", "3 C 1"))
    assert "uses its ids again" in shop.problems(**KIND, bad_rows=0)[0][1]
    assert (shop.path / ".state" / "journal.db").read_bytes() == before


def test_the_memory_is_on_disk_and_pages_are_read_from_it_one_by_one(tmp_path: Path, shop: Shop) -> None:
    shop.drop("a.csv", sales(*(f"{number} SKU{number:04} 1" for number in range(2_500))))
    shop.read(**KIND)
    with Journal.opened(shop.path / ".state") as journal:
        assert [len(page) for page in journal.all()] == [1_000, 1_000, 500]
    assert isinstance(shop.channel(**KIND), PosCsvChannel)
