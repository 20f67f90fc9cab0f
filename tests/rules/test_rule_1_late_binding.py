"""Rule 1: tasks and queues carry names, never quantities; the number is read at the moment of the write."""

from __future__ import annotations

import ast
from importlib.resources import files

from hypothesis import given
from hypothesis import strategies as st

from channels import Result
from sync.deadline import Deadline
from sync.policy.targets import Policy
from sync.pull import pull
from sync.push import push, urgency
from sync.stock.records import Record
from tests.conftest import Bench, Town

POLICY = Policy([("till", False), ("store", True)])


def test_no_task_takes_a_quantity() -> None:
    source = ast.parse(files("sync").joinpath("tasks.py").read_text("utf-8"))
    tasks = [node for node in source.body if isinstance(node, ast.FunctionDef) and node.decorator_list]

    assert tasks
    for task in tasks:
        assert {argument.arg for argument in task.args.args + task.args.kwonlyargs} <= {"channel", "skus", "event"}


def test_what_waits_is_a_name_that_waits_once_however_often_its_number_changes(bench: Bench) -> None:
    bench.counted(10)
    for units in (9, 8, 12):
        bench.read("till", units)

    assert bench.dirty("store") == bench.dirty("market") == ["a"]


def test_what_is_written_is_the_number_of_that_moment(town: Town) -> None:
    town.put("A", 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    town.till.shop.sell("A", 1)
    pull(town.context, "till", Deadline(60))  # marks the store for 9
    town.till.shop.sell("A", 2)
    pull(town.context, "till", Deadline(60))

    push(town.context, "store", Deadline(60))
    assert [write.units for write in town.store.shop.written] == [7]


def test_a_target_that_was_worked_out_before_the_number_changed_is_not_written(bench: Bench) -> None:
    bench.counted(10)
    bench.read("till", 9)
    stale = bench.intent()
    bench.read("till", 8)

    assert bench.claim("store", intent=stale).what == "moved"
    assert bench.claim("store").claim.target == 8


def test_a_number_that_changes_during_a_write_is_written_after_it(bench: Bench) -> None:
    bench.counted(10)
    bench.read("till", 9)
    held = bench.claim("store")
    bench.read("till", 8)
    held.settle(Result.CONFIRMED)

    assert bench.level("store") == 9
    assert bench.dirty("store") == ["a"]


@given(st.integers(-100, 100))
def test_the_target_is_on_hand_and_never_below_zero(on_hand: int) -> None:
    assert POLICY.target(Record("a", "A", on_hand, 1, "", {}), "store") == max(0, on_hand)


def test_a_channel_that_is_only_read_has_no_target() -> None:
    assert POLICY.target(Record("a", "A", 5, 1, "", {}), "till") is None


def test_what_the_authority_has_not_counted_has_no_target() -> None:
    assert POLICY.target(Record("a", "A", None, 0, "", {}), "store") is None


def test_what_is_sold_out_goes_first_then_what_goes_down_then_what_goes_up(town: Town) -> None:
    for sku, units in (("UP", 5), ("DOWN", 5), ("OUT", 5)):
        town.put(sku, units)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for sku, units in (("UP", -1), ("DOWN", 1), ("OUT", 5)):
        town.till.shop.sell(sku, units)
    pull(town.context, "till", Deadline(60))

    push(town.context, "store", Deadline(60))
    assert [write.sku for write in town.store.shop.written] == ["OUT", "DOWN", "UP"]
    assert [urgency(5, 0), urgency(5, 4), urgency(5, 6)] == [0, 1, 2]
