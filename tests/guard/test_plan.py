"""A plan shows what a push would write, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from channels import Result
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.views.plan import PlanRow, plan
from sync.views.planfile import write_plan
from tests.conftest import Fate, Town


@pytest.fixture
def sold(town: Town) -> Town:
    """A to G are at 10 everywhere; then the till sells 3 of A to E, and all of F."""
    for sku in "ABCDEFG":
        town.put(sku, 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for sku, units in zip("ABCDEF", (3, 3, 3, 3, 3, 10), strict=True):
        town.till.shop.sell(sku, units)
    pull(town.context, "till", Deadline(60))
    return town


def planned(town: Town, name: str = "store") -> list[PlanRow]:
    return list(plan(town.context, name))


def test_a_plan_says_what_would_be_written_from_what_and_why(sold: Town) -> None:
    (row, *_) = planned(sold)
    assert row == PlanRow("A", "store", 10, 7, 7, 2, "changed: reading of till")


def test_a_plan_equals_the_writes_of_the_push_that_follows_it(sold: Town) -> None:
    expected = sorted((row.sku, row.level, row.target) for row in planned(sold))
    push(sold.context, "store", Deadline(60))
    assert len(expected) == 6
    assert sorted((write.sku, write.base, write.units) for write in sold.store.shop.written) == expected


def test_a_plan_writes_nothing_and_changes_nothing(sold: Town) -> None:
    before = list(sold.context.ledger.every_record()), sold.context.worklist.ranks("store", 100)
    assert planned(sold) == planned(sold)
    assert (list(sold.context.ledger.every_record()), sold.context.worklist.ranks("store", 100)) == before
    assert sold.store.shop.written == []


def test_after_the_push_nothing_is_planned(sold: Town) -> None:
    push(sold.context, "store", Deadline(60))
    assert planned(sold) == []
    assert len(planned(sold, "market")) == 6


def test_a_channel_that_is_only_read_has_no_plan(sold: Town) -> None:
    assert planned(sold, "till") == []


def test_a_parked_row_and_one_with_a_write_under_way_are_in_no_plan(sold: Town) -> None:
    sold.store.shop.fates.extend([Fate(Result.REFUSED, applied=False, words="no")] * 3)
    sold.store.shop.fates.extend([Fate(Result.UNKNOWN, applied=False)] * 3)
    push(sold.context, "store", Deadline(60))
    assert planned(sold) == []


def test_a_large_plan_comes_in_parts_and_misses_nothing(sold: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = planned(sold)
    monkeypatch.setattr("sync.views.plan.SORTED", 0)
    monkeypatch.setattr("sync.views.plan.CHUNK", 1)
    assert sorted(planned(sold)) == whole


def test_a_plan_file_is_whole_or_not_there(sold: Town, tmp_path: Path) -> None:
    file = tmp_path / "plan.jsonl"
    rows = write_plan(file, ["store"], plan(sold.context, "store"), 1_790_000_000_000)
    next(rows)
    assert not file.exists()
    rest = list(rows)
    header, *lines = map(json.loads, file.read_text("utf-8").splitlines())
    assert header == {"plan": 1, "made_at": "2026-09-21T14:13:20.000+00:00", "channels": ["store"]}
    assert len(lines) == 1 + len(rest) == 6
    assert lines[0]["sku"] == "A"


def test_a_plan_that_is_given_up_leaves_no_file(sold: Town, tmp_path: Path) -> None:
    rows = write_plan(tmp_path / "plan.jsonl", ["store"], plan(sold.context, "store"), 0)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []
