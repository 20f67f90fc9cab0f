"""Which files are taken, by whom, and where they go."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from itertools import islice

import pytest

from channels.errors import Unreachable
from channels.pos_csv.client import Folder

from .conftest import Shop

Table = Callable[..., str]


def test_a_file_is_archived_by_date_once_the_worker_asks_for_what_follows_its_last_page(
    shop: Shop, table: Table
) -> None:
    shop.drop("stock.csv", table(A=3))
    pages = shop.channel().read_all()
    page = next(pages)
    assert [(row.sku, row.units) for row in page.levels] == [("A", 3)]
    assert (page.source, page.as_of) == ("stock.csv", shop.clock())
    assert shop.files("processed") == []
    assert list(pages) == []
    (archived,) = shop.files("processed")
    assert archived.endswith("_stock.csv")
    assert (shop.path / "processed" / f"{shop.clock():%Y/%m/%d}" / archived).exists()
    assert not (shop.path / "stock.csv").exists()


def test_a_long_file_comes_in_pages_and_nothing_is_lost_between_them(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(**{f"SKU{n}": n for n in range(2_500)}))
    pages = shop.read()
    assert [len(page.levels) for page in pages] == [1000, 1000, 500]
    assert {row.sku: row.units for page in pages for row in page.levels} == {f"SKU{n}": n for n in range(2_500)}


def test_the_same_file_dropped_twice_is_applied_once(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3))
    assert shop.levels() == {"A": 3}
    shop.clock.advance(60)
    shop.drop("stock.csv", table(A=3))
    assert shop.read() == []
    assert len(shop.files("processed")) == 2


def test_a_renamed_copy_is_known_by_its_content(shop: Shop, table: Table) -> None:
    shop.drop("monday.csv", table(A=3))
    assert shop.levels() == {"A": 3}
    shop.clock.advance(60)
    shop.drop("copy of monday.csv", table(A=3))
    assert shop.read() == []


def test_a_reading_that_is_broken_off_leaves_the_file_to_the_next_one(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(**{f"SKU{n}": n for n in range(1_500)}))
    pages = shop.channel().read_all()
    next(pages)
    pages.close()
    assert shop.files("processed") == []
    assert len(shop.levels()) == 1_500
    assert len(shop.files("processed")) == 1


def test_a_file_dropped_under_the_name_of_a_broken_off_one_replaces_nothing(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3), age_s=60)
    pages = shop.channel().read_all()
    next(pages)
    pages.close()
    shop.drop("stock.csv", table(A=2))
    assert [page.levels[0].units for page in shop.read()] == [3, 2]


def test_a_claim_left_behind_by_a_killed_worker_of_this_machine_is_taken_over_at_once(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3))
    folder = Folder(shop.channel().settings, shop.clock, shop.pauses.append)
    assert folder.claim(folder.ready()[0]) is not None
    assert shop.files("processing") == ["stock.csv"]
    assert shop.levels() == {"A": 3}
    assert shop.files("processing") == []


def test_a_worker_killed_between_remembering_and_archiving_applies_nothing_twice(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3))
    shop.levels()
    (archived,) = shop.path.glob("processed/*/*/*/*_stock.csv")
    claim = shop.path / "processing" / "free~0"
    claim.mkdir()
    archived.rename(claim / "stock.csv")
    assert shop.read() == []
    assert len(shop.files("processed")) == 1


def test_a_claim_of_another_machine_is_taken_over_after_its_lease(shop: Shop, table: Table) -> None:
    claim = shop.path / "processing" / "elsewhere~1"
    claim.mkdir(parents=True)
    (claim / "stock.csv").write_text(table(A=3))
    shop.drop("newer.csv", table(A=2))
    os.utime(claim, (shop.clock().timestamp(),) * 2)
    assert shop.read(lease_s=120) == []
    shop.clock.advance(121)
    os.utime(claim / "stock.csv", ((shop.clock() - timedelta(hours=1)).timestamp(),) * 2)
    assert [page.source for page in shop.read(lease_s=120)] == ["stock.csv", "newer.csv"]


def test_two_readers_never_take_one_file(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3))
    first = shop.channel().read_all()
    next(first)
    assert shop.read() == []
    assert list(first) == []
    assert shop.read() == []


def test_a_second_reader_does_not_overtake_the_first_with_a_newer_file(shop: Shop, table: Table) -> None:
    shop.drop("old.csv", table(A=3), age_s=60)
    shop.drop("new.csv", table(A=2))
    first = shop.channel().read_all()
    assert next(first).source == "old.csv"
    assert shop.read() == []
    assert [page.source for page in first] == ["new.csv"]


def test_a_file_that_a_person_takes_away_while_it_is_read_ends_the_reading(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(**{f"SKU{n}": n for n in range(1_500)}))
    pages = shop.channel().read_all()
    next(pages)
    shutil.rmtree(shop.path / "processing")
    assert list(pages) == []


@pytest.mark.parametrize("name", [".stock.csv", "~stock.csv", "stock.csv.tmp", "stock.csv.part", "stock.csv~", "a.txt"])
def test_hidden_and_unfinished_names_are_left_alone(shop: Shop, table: Table, name: str) -> None:
    shop.drop(name, table(A=3))
    assert shop.read() == []
    assert (shop.path / name).exists()


def test_only_unfinished_names_are_left_alone_where_every_name_is_wanted(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv.filepart", table(A=3))
    shop.drop("STOCK", table(B=4))
    assert shop.levels(pattern="*") == {"B": 4}


def test_upper_case_endings_are_taken(shop: Shop, table: Table) -> None:
    shop.drop("STOCK.CSV", table(A=3))
    assert shop.levels() == {"A": 3}


def test_a_link_or_a_folder_is_no_file(shop: Shop, table: Table) -> None:
    (shop.path / "folder.csv").mkdir()
    (shop.path / "link.csv").symlink_to(shop.path / "elsewhere")
    assert shop.read() == []


def test_a_file_that_is_held_open_by_its_writer_is_left_alone(shop: Shop, table: Table) -> None:
    file = shop.path / "stock.csv"
    with file.open("w") as writer:
        writer.write("sku,quantity\nA,3\n")
        writer.flush()
        assert shop.read(quiet_s=5) == []
        writer.write("B,4\n")
    shop.clock.advance(6)
    assert shop.levels(quiet_s=5) == {"A": 3, "B": 4}


def test_a_file_that_was_renamed_into_place_is_taken_at_once(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3), age_s=1)
    assert shop.levels(quiet_s=5) == {"A": 3}
    assert shop.pauses == []


def test_a_file_that_was_just_written_in_place_is_waited_for(shop: Shop, table: Table) -> None:
    file = shop.path / "stock.csv"
    while True:  # until one tick of the file system's clock covers its making and its last writing
        file.write_text(table(A=3))
        status = file.stat()
        if status.st_ctime_ns == status.st_mtime_ns:
            break
    shop.clock.now = shop.clock.now.fromtimestamp(status.st_mtime + 1, shop.clock.now.tzinfo)
    assert shop.levels(quiet_s=5) == {"A": 3}
    assert shop.pauses == [pytest.approx(4, abs=0.01)]


def test_a_file_that_grows_during_the_wait_is_left_alone(shop: Shop, table: Table) -> None:
    file = shop.path / "stock.csv"
    file.write_text(table(A=3))
    os.utime(file, (shop.clock().timestamp(),) * 2)
    channel = shop.channel(quiet_s=5)
    status = file.stat()
    if status.st_ctime_ns > status.st_mtime_ns:  # os.utime looks like a rename; make it the last change
        os.utime(file, ns=(status.st_ctime_ns + 10**9,) * 2)

    def grow(seconds: float) -> None:
        with file.open("a") as writer:
            writer.write("B,4\n")

    channel.pause = grow
    assert list(channel.read_all()) == []
    assert file.exists()


def test_a_name_that_is_not_text_is_shown_and_archived_all_the_same(shop: Shop, table: Table) -> None:
    name = os.fsdecode("재고.csv".encode("cp949"))
    shop.drop(name, table(A=3))
    (page,) = shop.read()
    page.source.encode()
    assert len(list(shop.path.glob("processed/*/*/*/*"))) == 1


def test_a_name_at_the_limit_of_the_file_system_can_be_archived(shop: Shop, table: Table) -> None:
    name = "x" * 240 + ".csv"
    (shop.path / name).write_text(table(A=3))
    assert shop.levels() == {"A": 3}
    (archived,) = shop.files("processed")
    assert archived.endswith("x.csv")


def test_a_missing_folder_is_said_and_not_made(shop: Shop) -> None:
    shop.path.rmdir()
    with pytest.raises(Unreachable, match="Create it, or correct path"):
        shop.read()
    assert not shop.path.exists()


def test_a_damaged_memory_stops_the_reading_with_its_place(shop: Shop, table: Table) -> None:
    shop.drop("stock.csv", table(A=3))
    shop.levels()
    (shop.path / ".state" / "applied.json").write_text("{")
    shop.drop("stock.csv", table(A=2))
    with pytest.raises(Unreachable, match=r"applied\.json"):
        shop.read()
    assert (shop.path / "stock.csv").exists()


def test_a_file_set_aside_has_its_reason_beside_it(shop: Shop) -> None:
    shop.drop("stock.csv", "")
    (page,) = shop.read()
    assert page.levels == ()
    assert page.problems[0].where == "stock.csv"
    file, reason = shop.files("failed")
    assert reason == f"{file}.reason.json"
    told = json.loads((shop.path / "failed" / reason).read_text())
    assert (told["file"], told["reason"]) == ("stock.csv", page.problems[0].reason)


def test_a_file_is_set_aside_only_once_its_problem_was_told(shop: Shop) -> None:
    shop.drop("stock.csv", "")
    for page in islice(shop.channel().read_all(), 1):
        assert page.problems
    assert shop.files("failed") == []
    assert shop.problems()
    assert shop.files("failed") != []
