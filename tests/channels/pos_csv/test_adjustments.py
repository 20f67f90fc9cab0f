"""A till that is told of sales elsewhere counts each of them once, and what it sold itself stays sold."""

from __future__ import annotations

import csv
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from channels.contract import Result, Write
from channels.pos_csv import PosCsvChannel, PosCsvSettings
from channels.pos_csv.outbox import Outbox
from channels.pos_csv.sandbox import Till

from .conftest import Shop

#: A till that removes what it has booked, so that the moment of booking is the moment at which we look.
TOLD = {"writes": True, "acknowledge": "removed", "slack_s": 0}


def write(shop: Shop, units: int, base: int, sku: str = "A") -> Result:
    (outcome,) = shop.channel(**TOLD).write([Write(sku.casefold(), sku, units, base)])
    return outcome.result


def exported(shop: Shop, **settings: object) -> dict[str, int]:
    """The levels of a snapshot that the till makes now, a second after whatever came before."""
    shop.clock.advance(1)
    shop.till.export()
    return shop.levels(**(TOLD | settings))


@pytest.fixture(autouse=True)
def _removes(shop: Shop) -> None:
    shop.till.keeps = False
    shop.till.count("A", 10)
    shop.till.count("B", 5)


def test_an_adjustment_is_the_difference_and_swallows_no_sale(shop: Shop) -> None:
    assert exported(shop) == {"A": 10, "B": 5}
    assert write(shop, 8, 10) is Result.ACCEPTED
    shop.till.sell("A", 3)
    assert shop.till.take_adjustments() == {"A": -2}
    assert shop.till.stock["A"] == 5


def test_a_file_of_adjustments_appears_whole_under_its_name(shop: Shop) -> None:
    channel = shop.channel(**TOLD, adjustment_columns=("Code", "Change"), delimiter=";")
    channel.write([Write("a", "A", 8, 10), Write("b", "B", 6, 5)])
    (file,) = shop.till.waiting()
    with file.open(newline="") as text:
        assert list(csv.reader(text, delimiter=";")) == [["Code", "Change"], ["A", "-2"], ["B", "1"]]
    assert shop.files("out") == [file.name]


def test_a_snapshot_says_nothing_about_a_sku_whose_adjustment_the_till_has_yet_to_book(shop: Shop) -> None:
    exported(shop)
    write(shop, 8, 10)
    assert exported(shop) == {"B": 5}
    shop.till.take_adjustments()
    assert exported(shop) == {"B": 5}  # seen to be booked only now, so this count may be older
    assert exported(shop) == {"A": 8, "B": 5}


def test_a_snapshot_counted_before_the_booking_stays_silent_however_late_it_is_read(shop: Shop) -> None:
    exported(shop)
    write(shop, 8, 10)
    shop.clock.advance(1)
    shop.till.export()
    shop.till.take_adjustments()
    shop.clock.advance(600)
    assert shop.levels(**TOLD) == {"B": 5}
    assert exported(shop) == {"A": 8, "B": 5}


def test_a_snapshot_within_the_slack_of_the_booking_is_silent(shop: Shop) -> None:
    exported(shop)
    write(shop, 8, 10)
    shop.till.take_adjustments()
    shop.clock.advance(1)
    shop.read(**TOLD)
    assert exported(shop, slack_s=3) == {"B": 5}
    shop.clock.advance(2)
    assert exported(shop, slack_s=3) == {"A": 8, "B": 5}


def test_a_snapshot_that_does_not_state_its_time_needs_the_longer_slack(shop: Shop) -> None:
    settings = PosCsvSettings(type="pos_csv", path=shop.path)
    assert settings.slack(stated=False) > settings.slack(stated=True) > 0


def test_what_the_till_sold_while_an_adjustment_waited_is_read_afterwards(shop: Shop) -> None:
    exported(shop)
    write(shop, 8, 10)
    shop.till.sell("A", 3)
    shop.till.take_adjustments()
    exported(shop)
    assert exported(shop)["A"] == 5


def test_a_web_order_that_is_cancelled_brings_the_till_back_to_an_earlier_content(shop: Shop) -> None:
    exported(shop)
    for units, base in ((9, 10), (10, 9)):
        assert write(shop, units, base) is Result.ACCEPTED
        shop.till.take_adjustments()
        exported(shop)
        assert exported(shop)["A"] == units


def test_a_second_write_waits_until_a_snapshot_shows_the_first(shop: Shop) -> None:
    exported(shop)
    assert write(shop, 8, 10) is Result.ACCEPTED
    assert write(shop, 8, 10) is Result.DEFERRED
    shop.till.take_adjustments()
    assert write(shop, 7, 8) is Result.DEFERRED
    exported(shop)
    exported(shop)
    assert write(shop, 7, 8) is Result.ACCEPTED
    assert len(shop.till.waiting()) == 1


def test_other_skus_are_written_while_one_waits(shop: Shop) -> None:
    exported(shop)
    write(shop, 8, 10)
    assert write(shop, 4, 5, "B") is Result.ACCEPTED


def test_a_sku_twice_in_one_call_is_sent_once(shop: Shop) -> None:
    outcomes = shop.channel(**TOLD).write([Write("a", "A", 8, 10), Write("a", "A", 8, 10)])
    assert [outcome.result for outcome in outcomes] == [Result.ACCEPTED, Result.DEFERRED]
    assert shop.till.take_adjustments() == {"A": -2}


def test_a_write_that_changes_nothing_sends_nothing(shop: Shop) -> None:
    assert write(shop, 10, 10) is Result.ACCEPTED
    assert shop.till.waiting() == []


def test_no_adjustment_is_sent_while_a_snapshot_is_being_applied(shop: Shop) -> None:
    shop.till.export()
    pages = shop.channel(**TOLD).read_all()
    next(pages)
    assert write(shop, 8, 10) is Result.DEFERRED
    assert list(pages) == []
    assert write(shop, 8, 10) is Result.ACCEPTED


def test_a_snapshot_claimed_before_a_crash_is_silent_about_adjustments_sent_after_it(shop: Shop) -> None:
    shop.till.export()
    pages = shop.channel(**TOLD).read_all()
    next(pages)
    pages.close()
    write(shop, 8, 10)
    assert shop.levels(**TOLD) == {"B": 5}


def test_nothing_is_sent_once_the_time_for_the_write_is_over(shop: Shop) -> None:
    (outcome,) = shop.channel(**TOLD).write([Write("a", "A", 8, 10)], until=time.monotonic())
    assert outcome.result is Result.DEFERRED
    assert shop.till.waiting() == []


def test_a_writer_that_dies_before_it_publishes_has_sent_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    exported(shop)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        with pytest.raises(KeyboardInterrupt):
            write(shop, 8, 10)
    assert shop.till.take_adjustments() == {}
    assert exported(shop) == {"B": 5}  # it may yet live, and publish
    shop.clock.advance(600)
    assert exported(shop) == {"A": 10, "B": 5}
    assert write(shop, 8, 10) is Result.ACCEPTED
    assert shop.till.take_adjustments() == {"A": -2}


def test_a_disk_that_refuses_puts_the_write_off(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert write(shop, 8, 10) is Result.DEFERRED
    assert shop.till.waiting() == []


def test_the_till_is_told_in_its_own_spelling(shop: Shop) -> None:
    shop.till.count("Abc-1", 3)
    exported(shop)
    assert write(shop, 2, 3, "ABC-1") is Result.ACCEPTED
    assert shop.till.take_adjustments() == {"Abc-1": -1}


def test_a_sku_that_the_tills_encoding_cannot_write_is_refused(shop: Shop) -> None:
    channel = shop.channel(**TOLD, encoding="cp932")
    outcomes = channel.write([Write("상", "상", 1, 2), Write("商", "商", 1, 2)])
    assert [outcome.result for outcome in outcomes] == [Result.REFUSED, Result.ACCEPTED]
    (file,) = shop.till.waiting()
    assert "商" in file.read_text(encoding="cp932")


def test_a_till_that_is_only_read_refuses_writes(shop: Shop) -> None:
    channel = shop.channel()
    assert not channel.capabilities.writes
    (outcome,) = channel.write([Write("a", "A", 1, 2)])
    assert outcome.result is Result.REFUSED
    assert shop.till.waiting() == []


def test_a_missing_folder_puts_writes_off(shop: Shop) -> None:
    shop.path.rmdir()
    assert write(shop, 8, 10) is Result.DEFERRED


def test_a_file_that_is_neither_waiting_nor_booked_is_reported_and_its_skus_stay_silent(shop: Shop) -> None:
    moved = TOLD | {"acknowledge": "moved"}
    shop.levels(**moved)
    shop.channel(**moved).write([Write("a", "A", 8, 10)])
    (file,) = shop.till.waiting()
    file.unlink()
    shop.clock.advance(60)
    shop.till.export()
    (page,) = shop.read(**moved)
    assert [row.sku for row in page.levels] == ["B"]
    assert page.problems[0].where == f"out/{file.name}"
    (shop.path / "out" / "done" / file.name).touch()
    shop.clock.advance(60)
    shop.read(**moved)
    shop.clock.advance(60)
    shop.till.export()
    assert shop.levels(**moved) == {"A": 10, "B": 5}


def test_a_till_that_books_and_exports_at_once_is_understood_at_once(tmp_path: Path) -> None:
    till = Till(tmp_path / "pos")
    settings = PosCsvSettings(type="pos_csv", path=till.path, quiet_s=0, writes=True, slack_s=0)
    channel = PosCsvChannel("till", settings)
    till.count("A", 10)
    till.export()
    assert [row.units for page in channel.read_all() for row in page.levels] == [10]
    channel.write([Write("a", "A", 8, 10)])
    (file,) = till.waiting()
    _tick(tmp_path, after_ns=file.stat().st_ctime_ns)
    till.take_adjustments()
    _tick(tmp_path, after_ns=(till.path / "out" / "done" / file.name).stat().st_ctime_ns)
    till.export()
    assert [row.units for page in channel.read_all() for row in page.levels] == [8]


def test_a_file_system_without_stamps_of_renames_is_not_believed(shop: Shop) -> None:
    settings = PosCsvSettings(type="pos_csv", path=shop.path, writes=True)
    outbox = Outbox(settings, shop.clock)
    shop.channel(writes=True).write([Write("a", "A", 8, 10)])
    (sent,) = outbox.unshown(None)
    assert sent.published_ctime_ns is not None
    now = shop.clock.advance(60)
    assert outbox._booked_by(sent.published_ctime_ns, sent, now) == now
    assert outbox._booked_by(sent.published_ctime_ns + 10**9, sent, now) < now - timedelta(seconds=50)


def test_records_are_dropped_once_a_snapshot_has_shown_them(shop: Shop) -> None:
    exported(shop)
    write(shop, 8, 10)
    shop.till.take_adjustments()
    for _ in range(3):
        exported(shop)
    assert list((shop.path / ".state" / "sent").iterdir()) == []


def _tick(folder: Path, *, after_ns: int) -> None:
    """Wait until the file system's clock has moved on."""
    probe = folder / "probe"
    while True:
        probe.write_text("x")
        if probe.stat().st_mtime_ns > after_ns:
            return
