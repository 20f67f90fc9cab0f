"""What `doctor` finds at a till's folder, and that it moves nothing there."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from channels.contract import Write
from channels.diagnosis import Severity
from channels.pos_csv import PosCsvChannel
from channels.pos_csv.diagnosis import OLD, WAITING
from tests.channels.pos_csv.conftest import Clock, Shop

SAMPLES = Path(__file__).parent / "samples"


def found(channel: PosCsvChannel, about: str) -> list[tuple[str, str]]:
    """What is not well about something: how bad, and in which words."""
    return [(row.severity, row.what) for row in channel.diagnose() if row.about == about and row.severity != "ok"]


def test_a_till_that_exports_gives_no_warning(shop: Shop, table) -> None:
    shop.drop("stock.csv", table(A=3, B=2))
    shop.read()
    assert {row.severity for row in shop.channel().diagnose()} == {Severity.OK}


def test_a_look_moves_nothing(shop: Shop, table) -> None:
    shop.drop("one.csv", table(A=3))
    shop.read()
    shop.drop("two.csv", table(A=2))
    before = sorted(shop.path.rglob("*"))
    list(shop.channel(writes=True).diagnose())
    assert sorted(shop.path.rglob("*")) == before


def test_a_folder_that_is_not_there_is_the_only_thing_that_is_said(shop: Shop) -> None:
    channel = shop.channel()
    shutil.rmtree(shop.path)
    rows = list(channel.diagnose())
    assert [row.severity for row in rows] == ["error", "note"]
    assert "there is no folder" in rows[0].what
    assert rows[0].advice


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_an_error(shop: Shop) -> None:
    shop.path.chmod(0o500)
    try:
        assert [severity for severity, _ in found(shop.channel(), "folder")] == ["error"]
    finally:
        shop.path.chmod(0o700)


def test_a_till_that_never_exported_is_a_warning(shop: Shop) -> None:
    assert found(shop.channel(), "files") == [("warning", "no count was ever taken")]


def test_a_till_whose_first_file_waits_is_not_asked_to_export_one(shop: Shop, table) -> None:
    shop.drop("stock.csv", table(A=3), age_s=60)
    assert found(shop.channel(), "files") == []


def test_a_till_that_exports_no_longer_is_a_warning(shop: Shop, table, clock: Clock) -> None:
    shop.drop("stock.csv", table(A=3))
    shop.read()
    clock.advance((OLD + timedelta(hours=1)).total_seconds())
    ((severity, what),) = found(shop.channel(), "files")
    assert severity == "warning"
    assert what == "the newest count is stock.csv, 3 days old"


def test_files_that_nobody_takes_are_a_warning(shop: Shop, table) -> None:
    shop.drop("stock.csv", table(A=3), age_s=WAITING.total_seconds() + 60)
    ((severity, what),) = found(shop.channel(), "files")
    assert severity == "warning"
    assert "1 waiting for more than an hour: stock.csv" in what


def test_a_file_that_was_set_aside_is_told_with_its_reason(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,price\nA,3\n")
    shop.read()
    ((severity, what),) = found(shop.channel(), "set aside")
    assert severity == "warning"
    assert "the latest: stock.csv (" in what


def test_a_file_that_another_profile_reads_names_it(shop: Shop) -> None:
    shop.drop("square.csv", (SAMPLES / "square.csv").read_bytes())
    row = next(row for row in shop.channel().diagnose() if row.about == "profile")
    assert row.severity is Severity.WARNING
    assert "square" in row.advice


def test_a_taken_file_tells_whether_the_profile_still_fits(shop: Shop, table) -> None:
    shop.drop("stock.csv", table(A=3, B=2))
    shop.read()
    (row,) = [row for row in shop.channel().diagnose() if row.about == "profile"]
    assert row.severity is Severity.OK
    assert row.what.endswith("stock.csv is read whole: 2 levels")


def test_adjustments_that_the_till_does_not_take_are_a_warning(shop: Shop, table, clock: Clock) -> None:
    channel = shop.channel(writes=True)
    shop.drop("stock.csv", table(A=3))
    list(channel.read_all())
    channel.write([Write("a", "A", 2, 3)])
    assert found(channel, "adjustments") == []
    clock.advance(WAITING.total_seconds() + 60)
    ((severity, what),) = found(channel, "adjustments")
    assert severity == "warning"
    assert "1 waiting in" in what


def test_damaged_memory_of_the_folder_is_a_finding(shop: Shop, table) -> None:
    shop.drop("stock.csv", table(A=3))
    shop.read()
    (shop.path / ".state" / "applied.json").write_text("{", encoding="utf-8")
    ((severity, what),) = found(shop.channel(), "files")
    assert severity == "error"
    assert "applied.json" in what


def test_a_source_that_cannot_be_reached_is_an_error(shop: Shop) -> None:
    away = {
        "sftp_host": "127.0.0.1",
        "sftp_port": 9,
        "sftp_user": "till",
        "sftp_password": "x",
        "sftp_fingerprint": "SHA256:x",
    }
    assert [severity for severity, _ in found(shop.channel(**away), "source")] == ["error"]
