"""A plan that is applied does exactly its rows, and refuses those whose base has moved."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sync.deadline import Deadline
from sync.errors import SyncError
from sync.guard import decisions
from sync.guard.judge import GuardSettings
from sync.guard.verdicts import Verdict, apply
from sync.pull import pull
from sync.push import push
from sync.views.plan import PlanRow, plan
from sync.views.planfile import read_plan, write_plan
from tests.conftest import TimedStore, Town


@pytest.fixture
def planned(store: TimedStore) -> Town:
    """A to H are at 10 at the till and at 4 in the store, which waits for its first approval."""
    town = Town.build(store, guard=GuardSettings())
    for sku in "ABCDEFGH":
        town.put(sku, 10)
        town.store.shop.put(sku, 4)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    push(town.context, "store", Deadline(60))
    assert town.context.holds.open_ones()
    return town


def rows(town: Town) -> list[PlanRow]:
    return list(plan(town.context, "store"))


def refused(verdicts: list[Verdict]) -> dict[str, str]:
    return {verdict.row.sku: verdict.refused for verdict in verdicts if verdict.refused}


def test_an_applied_plan_is_written_even_where_the_channel_waits_for_approval(planned: Town) -> None:
    verdicts = list(apply(planned.context, rows(planned)[:3]))
    push(planned.context, "store", Deadline(60))

    assert refused(verdicts) == {}
    assert sorted(write.sku for write in planned.store.shop.written) == ["A", "B", "C"]
    push(planned.context, "store", Deadline(60))
    assert len(planned.store.shop.written) == 3


def test_exactly_the_rows_whose_base_has_moved_are_refused_and_each_says_why(planned: Town) -> None:
    before = rows(planned)
    planned.till.shop.sell("A", 1)
    planned.store.shop.sell("B", 1)
    planned.till.shop.sell("C", 1)
    planned.store.shop.sell("C", 1)
    for name in ("till", "store"):
        pull(planned.context, name, Deadline(60))

    assert refused(list(apply(planned.context, before))) == {
        "A": "its stock has moved since: 9 on hand, not 10",
        "B": "its stock has moved since: 9 on hand, not 10",
        "C": "its stock has moved since: 8 on hand, not 10",
    }
    push(planned.context, "store", Deadline(60))
    assert sorted(write.sku for write in planned.store.shop.written) == ["D", "E", "F", "G", "H"]


def test_a_row_that_was_written_meanwhile_is_refused(planned: Town) -> None:
    before = rows(planned)
    list(apply(planned.context, before[:1]))
    push(planned.context, "store", Deadline(60))
    assert refused(list(apply(planned.context, before))) == {"A": "store shows 10 now, not 4"}


def test_what_moves_after_it_was_let_through_waits_like_the_others(planned: Town) -> None:
    list(apply(planned.context, rows(planned)[:2]))
    planned.till.shop.sell("A", 5)
    pull(planned.context, "till", Deadline(60))
    push(planned.context, "store", Deadline(60))
    assert [write.sku for write in planned.store.shop.written] == ["B"]


def test_a_discarded_row_is_refused_until_it_is_retried(planned: Town) -> None:
    before = rows(planned)
    (hold,) = planned.context.holds.open_ones()
    decisions.discard(planned.context, hold, "ann")
    assert refused(list(apply(planned.context, before[:1]))) == {"A": "it is parked; see: celery -A sync parked"}


def test_nothing_is_let_through_to_a_paused_channel(planned: Town) -> None:
    planned.context.pauses.pause("store", 0)
    assert refused(list(apply(planned.context, rows(planned)[:1]))) == {"A": "store is paused, not written"}


def test_a_plan_survives_its_file_and_may_have_lines_taken_out(planned: Town, tmp_path: Path) -> None:
    file = tmp_path / "plan.jsonl"
    written = list(write_plan(file, ["store"], plan(planned.context, "store"), 0))
    assert list(read_plan(file)) == written
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join([lines[0], *lines[3:]]), "utf-8")
    assert list(read_plan(file)) == written[2:]


WRONG_TYPE = '{"sku": "A", "channel": "store", "level": "x", "target": 1, "on_hand": 1, "revision": 1, "why": ""}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no plan"),
        ("sku,quantity\n", "is no plan"),
        ('{"plan": 2}\n', "is no plan"),
        ('{"plan": 1}\n{"sku": "A", "chan', "line 2 is damaged"),
        ('{"plan": 1}\n{"sku": "A"}\n', "line 2 is damaged"),
        ('{"plan": 1}\n["A"]\n', "line 2 is damaged"),
        ('{"plan": 1}\n' + WRONG_TYPE, "line 2 is damaged"),
    ],
)
def test_what_is_no_plan_is_told_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "plan.jsonl"
    file.write_text(text, "utf-8")
    with pytest.raises(SyncError, match=words):
        list(read_plan(file))


def test_a_file_that_is_no_text_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "plan.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SyncError, match="is no plan; make one: celery -A sync plan --out FILE"):
        list(read_plan(file))


@pytest.mark.parametrize("name", ["device", "link"])
def test_a_plan_takes_the_place_of_no_device_and_no_link(planned: Town, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "device")
    (tmp_path / "link").symlink_to("/dev/stdout")
    before = (tmp_path / name).lstat()
    with pytest.raises(SyncError, match="a link or a device"):
        list(write_plan(tmp_path / name, ["store"], plan(planned.context, "store"), 0))
    assert (tmp_path / name).lstat() == before
