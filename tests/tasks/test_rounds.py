"""What a task does around its rounds: whom it rings for, and what it says of the channel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sync import changes, tasks
from sync.bells import Bells
from sync.commands.reconcile import ask
from sync.deadline import Deadline
from sync.pull import pull
from sync.readings import Pulls
from sync.settings import FILE_VARIABLE
from sync.storage import embedded
from sync.turns import Turn
from sync.views.progress import progress
from tests.conftest import STORE, Town, unreachable

#: Celery reads its settings before it lets anybody call a task.
FILE = """
redis_url = "{redis_url}"
[channels.till]
type = "pos_csv"
path = "pos"
"""


@dataclass(slots=True)
class Belfry:
    """A worker's tasks with a broker that only notes what was rung for."""

    town: Town
    rung: list[tuple[str, str]] = field(default_factory=list)

    def send_task(self, name: str, kwargs: dict[str, Any], countdown: float | None = None) -> None:
        if countdown is None:
            self.rung.append((name, kwargs["channel"]))

    def run_all(self, *, at_most: int) -> list[tuple[str, str]]:
        """Run what was rung for, and what that rings for; gives all of it in order."""
        done: list[tuple[str, str]] = []
        while self.rung and len(done) < at_most:
            name, channel = self.rung.pop(0)
            done.append((name, channel))
            getattr(tasks, name.removeprefix("sync."))(channel=channel)
        return done


@pytest.fixture
def belfry(town: Town, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Belfry:
    (tmp_path / "sync.toml").write_text(FILE.format(redis_url=embedded.url(data_dir)), "utf-8")
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "sync.toml"))
    belfry = Belfry(town)
    app = SimpleNamespace(context=town.context, leaving=False, keep_up=town.context.keep_up, send_task=belfry.send_task)
    monkeypatch.setattr(tasks, "app", app)
    monkeypatch.setattr(tasks, "bells", Bells(app))  # type: ignore[arg-type]
    return belfry


def counted(town: Town) -> Town:
    """A and B are at 10 everywhere, and that is known."""
    for sku in "AB":
        town.put(sku, 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    return town


def test_two_channels_that_cannot_be_written_do_not_ring_for_each_other_without_end(belfry: Belfry) -> None:
    """A listing was deleted on both of them, which their next full readings will find out."""
    town = counted(belfry.town)
    town.till.shop.sell("A", 3)
    pull(town.context, "till", Deadline(60))
    for channel in (town.store, town.market):
        del channel.shop.units["ref-a"]

    belfry.rung += [("sync.push", "store"), ("sync.push", "market")]
    assert belfry.run_all(at_most=50) == [("sync.push", "store"), ("sync.push", "market")]


def test_a_sale_that_a_look_before_a_write_finds_is_rung_for_on_the_other_channels(belfry: Belfry) -> None:
    town = counted(belfry.town)
    town.till.shop.sell("A", 3)
    pull(town.context, "till", Deadline(60))
    town.store.shop.sell("A", 2)

    belfry.rung += [("sync.push", "store")]
    assert belfry.run_all(at_most=50) == [("sync.push", "store"), ("sync.push", "market")]
    assert town.market.shop.shown("A") == 5


def test_a_sale_that_half_a_look_before_a_write_finds_is_rung_for(belfry: Belfry) -> None:
    """The call after the one that shows it fails, so that nothing is written here."""
    town = counted(belfry.town)
    town.store._capabilities = replace(STORE, read_batch=1)
    for sku in "AB":
        town.till.shop.sell(sku, 3)
    pull(town.context, "till", Deadline(60))
    town.store.shop.sell("A", 2)

    def fail_from_now_on() -> None:
        town.store.shop.trouble = unreachable()

    town.store.shop.before_page = fail_from_now_on
    belfry.rung += [("sync.push", "store")]
    assert belfry.run_all(at_most=50) == [("sync.push", "store"), ("sync.push", "market")]
    assert town.market.shop.shown("A") == 5


def test_a_pull_that_found_another_at_work_says_nothing_about_the_channel(belfry: Belfry) -> None:
    context = belfry.town.context
    trouble = context.breaker.failed("store", unreachable(), context.store.now_ms())
    belfry.town.context.store.clock.advance(400)
    holder = Turn(context.store, "sync.pull", "store")
    assert holder.take()

    tasks.pull(channel="store")
    assert context.breaker.trouble("store") == trouble
    assert not Pulls(context.store).state("store").began_ms


def test_a_pull_of_skus_that_are_not_known_there_says_nothing_about_the_channel(belfry: Belfry) -> None:
    context = counted(belfry.town).context
    trouble = context.breaker.failed("store", unreachable(), context.store.now_ms())
    context.store.clock.advance(400)  # type: ignore[attr-defined]

    tasks.pull(channel="store", skus=["NOWHERE"])
    assert context.breaker.trouble("store") == trouble


def test_a_task_that_finds_another_at_work_leaves_what_is_due_to_it(belfry: Belfry) -> None:
    """What it rang for would find the same, and ring again, for as long as the other works."""
    context = counted(belfry.town).context
    context.worklist.mark("store", ["ref-a"], context.store.now_ms())
    context.worklist.suspect("market", ["a"], context.store.now_ms())
    holder = Turn(context.store, "sync.refresh", "store")
    assert holder.take()
    tasks.bells.ring("sync.refresh", "store")
    belfry.run_all(at_most=1)

    tasks.bells.ring("sync.refresh", "store")
    assert belfry.rung == []
    assert holder.end(), "the holder goes round once more"


def test_what_is_due_already_is_rung_for_once(belfry: Belfry) -> None:
    for seconds in (0.0, -3.0, 0.0):
        tasks.bells.ring_after("sync.refresh", "store", seconds)
    tasks.bells.ring("sync.refresh", "store")
    assert belfry.rung == [("sync.refresh", "store")]


def telling(town: Town) -> Town:
    """The store tells what has changed, and was read whole a while ago."""
    town.store._capabilities = replace(town.store.capabilities, full_every_s=3600.0)
    counted(town).context.store.clock.advance(60)  # type: ignore[attr-defined]
    return town


def test_the_schedule_asks_for_any_reading_and_the_sweeper_rings_until_one_is_made(belfry: Belfry) -> None:
    town = telling(belfry.town)
    pulls, before = Pulls(town.context.store), Pulls(town.context.store).state("store").finished_began_ms
    tasks.reconcile(channel="store")
    belfry.rung.clear()  # the message is lost
    town.context.store.client.delete("is:bell:sync.pull:store")
    tasks.sweep()
    assert ("sync.pull", "store") in belfry.rung

    tasks.pull(channel="store")
    assert (pulls.state("store").finished_began_ms, len(town.store.shop.asked_since)) == (before, 1)
    belfry.rung.clear()
    tasks.sweep()
    assert ("sync.pull", "store") not in belfry.rung


def test_a_person_who_reconciles_has_everything_read(belfry: Belfry) -> None:
    town = telling(belfry.town)
    asked_ms = ask(tasks.app, "store")
    tasks.reconcile(channel="store")
    tasks.pull(channel="store")
    assert town.store.shop.asked_since == []
    assert progress(town.context, ["store"], asked_ms)[0].read


def test_a_task_whose_time_is_over_leaves_what_has_changed_to_a_full_reading_that_goes_on_later(
    belfry: Belfry,
) -> None:
    town = telling(belfry.town)
    changes.pull(town.context, "store", Deadline(0))
    state = Pulls(town.context.store).state("store")
    assert (len(town.store.shop.asked_since), state.changed_ms) == (1, 0)
    assert state.finished_began_ms > state.changing_ms
