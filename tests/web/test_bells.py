"""Bells: of many that ring for one look one is heard, and whoever comes while another looks rings for nobody."""

from __future__ import annotations

import pytest

from sync import tasks
from sync.bells import Bells
from sync.turns import Turn
from tests.web.conftest import Desk


@pytest.fixture
def bells(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Bells:
    """The bells that the tasks ring, over the desk's broker."""
    bells = Bells(desk.celery)
    monkeypatch.setattr(tasks, "app", desk.celery)
    monkeypatch.setattr(tasks, "bells", bells)
    return bells


def test_what_is_due_already_is_rung_for_once(desk: Desk, bells: Bells) -> None:
    for seconds in (0.0, -3.0, 0.0):
        bells.ring_after("sync.refresh", "store", seconds)
    bells.ring("sync.refresh", "store")
    assert desk.tasks == ["sync.refresh"]


def test_a_task_that_finds_another_at_work_leaves_what_is_due_to_it(desk: Desk, bells: Bells) -> None:
    worklist, now_ms = desk.celery.context.worklist, desk.store.now_ms()
    worklist.mark("store", ["7"], now_ms)
    worklist.suspect("market", ["mug"], now_ms)
    holder = Turn(desk.store, "sync.refresh", "store")
    holder.take()
    bells.ring("sync.refresh", "store")

    tasks._guarded("sync.refresh", "store", lambda _: pytest.fail("two were at work"))
    bells.ring("sync.refresh", "store")

    assert desk.tasks == ["sync.refresh"], "what it rang for would find the same, and ring again"
    assert holder.end(), "the holder goes round once more"
