"""Readings of what has changed, between full ones: they add news, and nothing rests on what they leave out."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import Level
from channels.errors import ChannelError, Denied, Incomprehensible, Rejected, Throttled, Unanswered, Unreachable
from sync.changes import MARGIN_S, pull, since
from sync.deadline import Deadline
from sync.guard.holds import Kind
from sync.guard.withheld import Chunk, Shelf
from sync.pull import pull as pull_all
from sync.pull import read_refs, way_of
from sync.push import push
from sync.readings import Pulls, PullState
from sync.refresh import refresh
from sync.stock import notes, recovery
from sync.stock.ledger import Window
from sync.stock.records import Record
from sync.storage.store import bucket_of, bucket_prefix
from tests.conftest import CHANNELS, START_MS, STORE, TimedStore, Town, unreachable

SKUS = [f"S{number:02}" for number in range(40)]
REFS = [f"ref-{sku.lower()}" for sku in SKUS]
EVERY_S = 6 * 3600.0
EVERY_MS = round(EVERY_S * 1000)


@pytest.fixture
def town(store: TimedStore) -> Town:
    """40 SKUs at 10 everywhere, and the store tells what has changed."""
    town = Town.build(store, {**CHANNELS, "store": replace(STORE, read_batch=30, full_every_s=EVERY_S)})
    for sku in SKUS:
        town.put(sku, 10)
    for name, channel in town.context.channels.items():
        channel.page = 8  # type: ignore[attr-defined]
        read(town, name)
    for name in ("store", "market"):
        push(town.context, name, Deadline(60))
    return town


def read(town: Town, name: str = "store") -> None:
    """The schedule has a channel read, a minute after whatever was before."""
    town.context.store.clock.advance(60)  # type: ignore[attr-defined]
    Pulls(town.context.store).ask(name, town.context.store.now_ms())
    while not pull(town.context, name, Deadline(60)):
        pass


def state(town: Town, name: str = "store") -> PullState:
    return Pulls(town.context.store).state(name)


def record(town: Town, sku: str) -> Record:
    (found,) = town.context.ledger.records([sku])
    return found


def on_hand(town: Town, sku: str = "S00") -> int | None:
    return record(town, sku).on_hand


def was_full(town: Town) -> bool:
    """Whether the next reading is a full one."""
    before = state(town).finished_began_ms
    read(town)
    return state(town).finished_began_ms != before


# --- what it shows, and what it does not


def test_between_full_readings_only_what_has_changed_is_read(town: Town) -> None:
    before = state(town).finished_began_ms
    pages: list[int] = []
    town.store.shop.before_page = lambda: pages.append(1)
    town.store.shop.sell("S00", 3)
    town.store.shop.changed = ["ref-s00"]
    read(town)

    assert on_hand(town) == 7
    assert len(pages) == 1
    assert not state(town).waited_for
    assert state(town).finished_began_ms == before, "it is no full reading"


def test_a_channel_that_does_not_tell_is_read_whole(town: Town) -> None:
    before = state(town, "market").finished_began_ms
    read(town, "market")
    assert state(town, "market").finished_began_ms > before
    assert town.market.shop.asked_since == []


def test_what_it_does_not_show_is_neither_missing_nor_zero_nor_noted_as_read(town: Town) -> None:
    before = [one.listings["store"] for one in town.context.ledger.every_record()]
    seen_ms = [town.context.ledger.read_ms("store", sku.lower()) for sku in SKUS]
    town.store.shop.units.clear()
    read(town)

    assert [one.listings["store"] for one in town.context.ledger.every_record()] == before
    assert [town.context.ledger.read_ms("store", sku.lower()) for sku in SKUS] == seen_ms
    assert [one.on_hand for one in town.context.ledger.every_record()] == [10] * 40
    assert town.context.holds.open_ones() == []


def test_only_full_readings_make_notes(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "SHORTEST", 1)
    for _ in range(2):
        town.context.store.clock.advance(60)  # type: ignore[attr-defined]
        pull_all(town.context, "store", Deadline(60))
    field = partial(town.context.store.client.hget, f"{bucket_prefix(bucket_of('s00'))}sku:s00", "store:read")
    assert str(field()).startswith("@")
    town.store.shop.changed = ["ref-s00"]
    read(town)
    assert str(field()).isdecimal()
    read_refs(town.context, "store", ["ref-s00"], "a hint")
    assert str(field()).isdecimal()


def test_a_sale_that_does_not_touch_the_date_is_found_by_the_next_full_reading(town: Town) -> None:
    town.store.shop.sell("S00", 3)
    read(town)
    assert on_hand(town) == 10

    town.context.store.clock.advance(EVERY_S)  # type: ignore[attr-defined]
    read(town)
    assert on_hand(town) == 7


def test_a_row_read_too_near_a_write_is_marked_to_be_read_again(town: Town) -> None:
    town.till.shop.sell("S00", 2)
    pull_all(town.context, "till", Deadline(60))
    push(town.context, "store", Deadline(60))
    town.store.shop.sell("S00", 1)
    town.store.shop.changed = ["ref-s00"]
    Pulls(town.context.store).ask("store", town.context.store.now_ms())
    pull(town.context, "store", Deadline(60))
    assert on_hand(town) == 8

    town.context.store.clock.advance(10)  # type: ignore[attr-defined]
    refresh(town.context, "store", Deadline(60))
    assert on_hand(town) == 7


# --- from when on


def test_it_goes_back_to_the_begin_of_the_last_reading_and_a_margin_further(town: Town) -> None:
    began_ms = [state(town).finished_began_ms]
    for _ in range(3):
        read(town)
        began_ms.append(state(town).changed_ms)

    assert began_ms == sorted(set(began_ms))
    asked_ms = [round(at.timestamp() * 1000) for at in town.store.shop.asked_since]
    assert asked_ms == [ms - MARGIN_S * 1000 for ms in began_ms[:3]]


@pytest.mark.parametrize("error", [unreachable(), Unanswered("store", "read", "reset")])
def test_one_that_died_half_way_is_made_again_from_where_it_began(town: Town, error: ChannelError) -> None:
    town.store.shop.changed = REFS[:10]  # two pages
    for sku in SKUS[:10]:
        town.store.shop.sell(sku, 1)
    pages = 0

    def dies() -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise error

    town.store.shop.before_page = dies
    with pytest.raises(type(error)):
        read(town)
    assert state(town).waited_for, "the sweeper rings again"
    assert state(town).changed_ms == 0

    read(town)
    first, again = town.store.shop.asked_since
    assert first == again
    assert sum(one.on_hand or 0 for one in town.context.ledger.every_record()) == 390


def test_one_that_another_has_overtaken_ends_and_leaves_it_to_that(town: Town) -> None:
    """A worker that stood still goes on amid a reading that another one has begun since."""
    for sku in SKUS[:10]:
        town.store.shop.sell(sku, 1)
    town.store.shop.changed = REFS[:10]
    seen: list[int] = []

    def another_begins() -> None:
        town.store.shop.before_page = lambda: None
        Pulls(town.context.store).begin_changes("store", town.context.store.now_ms())
        seen.append(state(town).changing_ms)

    town.store.shop.before_page = another_begins
    read(town)
    assert (state(town).changed_ms, [state(town).changing_ms]) == (0, seen)
    assert state(town).asked_ms


def test_it_leaves_the_rows_alone_that_a_full_reading_keeps(town: Town) -> None:
    kept = Chunk(Window(1, 2), "a full reading", [Level("S00", "ref-s00", 0)])
    shelf = Shelf.of_reading(town.context.store, "store")
    shelf.keep(1, kept)
    read(town)
    assert list(shelf.chunks()) == [kept]


def test_a_wish_that_came_while_it_was_made_stands(town: Town) -> None:
    town.store.shop.before_page = lambda: Pulls(town.context.store).ask("store", town.context.store.now_ms())
    pull(town.context, "store", Deadline(60))
    assert state(town).asked_ms


# --- when a full one is made instead


def test_a_full_reading_is_made_when_the_last_one_is_too_old(town: Town) -> None:
    assert not was_full(town)
    town.context.store.clock.advance(EVERY_S)  # type: ignore[attr-defined]
    assert was_full(town)
    assert not was_full(town)


def test_whoever_asks_for_a_full_reading_gets_one(town: Town) -> None:
    Pulls(town.context.store).want("store", town.context.store.now_ms())
    assert was_full(town)
    assert not was_full(town)


def test_a_full_reading_that_was_interrupted_goes_on(town: Town) -> None:
    Pulls(town.context.store).want("store", town.context.store.now_ms())
    town.store.shop.before_page = lambda: setattr(town.store.shop, "trouble", unreachable())
    with pytest.raises(Unreachable):
        read(town)
    town.store.shop.trouble, town.store.shop.before_page = None, lambda: None
    assert state(town).cursors
    assert was_full(town)
    assert town.store.shop.asked_since == []
    assert state(town).asked_ms, "what changed after its begin is read next"


def test_a_listing_that_is_said_to_be_gone_makes_the_next_one_full(town: Town) -> None:
    Pulls(town.context.store).doubt("store", town.context.store.now_ms())
    assert was_full(town)
    assert not was_full(town)


def test_a_listing_seen_for_the_first_time_makes_the_next_one_full(town: Town) -> None:
    """It may be an old one under a new SKU, which only a full reading can tell."""
    town.store.shop.put("NEW", 10, "ref-s00")
    town.store.shop.changed = ["ref-s00"]
    assert not was_full(town)
    town.store.shop.changed = []
    assert was_full(town)
    assert record(town, "S00").listings["store"].ref == "ref-s00"
    assert record(town, "S00").listings["store"].hold is None
    assert not was_full(town)


def test_one_that_died_after_it_saw_a_new_listing_is_followed_by_a_full_one(town: Town) -> None:
    town.store.shop.put("NEW", 10, "ref-s00")
    town.store.shop.changed = REFS[:10]  # two pages

    def dies() -> None:
        if "new" in town.context.ledger.scan():
            raise unreachable()

    town.store.shop.before_page = dies
    with pytest.raises(Unreachable):
        read(town)
    town.store.shop.before_page = lambda: None
    assert was_full(town)
    assert record(town, "S00").listings["store"].ref == "ref-s00"


def test_a_channel_that_is_set_otherwise_than_before_is_read_whole(town: Town) -> None:
    """Another location may show other levels of listings that have not changed."""
    town.store.settings = town.store.settings.model_copy(update={"reserve": 0.1})
    assert was_full(town)
    assert not was_full(town)


def test_when_much_has_changed_all_of_it_is_read(town: Town) -> None:
    town.store.shop.changed = REFS[:11]
    assert was_full(town)
    town.store.shop.changed = REFS[:10]
    assert not was_full(town)


@pytest.mark.parametrize("kind", [Denied, Rejected, Incomprehensible])
def test_a_channel_that_cannot_tell_after_all_is_read_whole(town: Town, kind: type[ChannelError]) -> None:
    refused = True

    def refuses() -> None:
        nonlocal refused
        if refused:
            refused = False
            raise kind("store", "read changed products", "no")

    town.store.shop.before_page = refuses
    assert was_full(town)


def test_a_channel_that_has_no_calls_left_is_waited_for(town: Town) -> None:
    town.store.shop.trouble = Throttled("store", "read", "too many", retry_after_s=3)
    with pytest.raises(Throttled):
        read(town)
    assert state(town).waited_for


def test_after_the_store_was_set_back_all_is_read(town: Town) -> None:
    recovery.begin(town.context)
    assert was_full(town)


def test_a_channel_of_which_nothing_is_known_is_read_whole(town: Town) -> None:
    town.context.store.client.flushall()
    assert was_full(town)


def test_once_the_clock_was_set_back_one_full_reading_is_enough(town: Town) -> None:
    read(town)
    assert state(town).changed_ms
    town.context.store.clock.advance(-3600)  # type: ignore[attr-defined]
    assert was_full(town)
    assert not was_full(town)


# --- the guard


def test_an_implausible_one_is_held_and_the_next_one_is_full(town: Town) -> None:
    """Ten at once fall to zero, which is as much as may change, and too much for the guard."""
    guard = town.context.settings.guard.model_copy(update={"zero_share": 0.2})
    town.context.settings = town.context.settings.model_copy(update={"guard": guard})
    for sku in SKUS[:10]:
        town.store.shop.put(sku, 0)
    town.store.shop.changed = REFS[:10]
    assert not was_full(town)
    (hold,) = town.context.holds.open_ones()
    assert (hold.kind, hold.channel) == (Kind.READING, "store")
    assert state(town).unsure_ms, "even if the hold is decided before the next one"
    assert was_full(town)
    assert was_full(town), "while it is held, all is read"
    assert [one.on_hand for one in town.context.ledger.every_record()] == [10] * 40

    for sku in SKUS[:10]:
        town.store.shop.put(sku, 9)
    assert was_full(town)
    assert town.context.holds.open_ones() == []
    assert not was_full(town)
    assert on_hand(town) == 9


def test_what_hints_and_it_show_fall_to_zero_is_seen_as_one(town: Town) -> None:
    for sku in SKUS[:18]:
        town.store.shop.put(sku, 0)
    town.context.worklist.mark("store", REFS[:9], town.context.store.now_ms())
    refresh(town.context, "store", Deadline(60))
    assert town.context.holds.open_ones() == []

    town.store.shop.changed = REFS[9:18]
    read(town)
    assert [hold.kind for hold in town.context.holds.open_ones()] == [Kind.READING]


def test_what_a_hold_of_it_has_counted_is_not_counted_again_with_the_next_hint(town: Town) -> None:
    for sku in SKUS[:18]:
        town.store.shop.put(sku, 0)
    town.context.worklist.mark("store", REFS[:8], town.context.store.now_ms())
    refresh(town.context, "store", Deadline(60))
    town.store.shop.changed = REFS[8:17]
    assert not was_full(town)
    town.context.worklist.mark("store", REFS[17:18], town.context.store.now_ms())
    refresh(town.context, "store", Deadline(60))

    (hold,) = town.context.holds.open_ones()
    assert hold.figures.zeroed == 18


def test_while_hints_are_held_all_is_read(town: Town) -> None:
    for sku in SKUS[:20]:
        town.store.shop.put(sku, 0)
    town.context.worklist.mark("store", REFS[:20], town.context.store.now_ms())
    refresh(town.context, "store", Deadline(60))
    assert town.context.holds.open_ones()
    assert was_full(town)


def test_a_full_reading_that_was_not_believed_is_followed_by_a_full_one(town: Town) -> None:
    town.store.shop.units.clear()
    Pulls(town.context.store).want("store", town.context.store.now_ms())
    read(town)
    assert town.context.holds.open_ones()
    assert state(town).believed_ms != state(town).finished_began_ms
    assert was_full(town)


def test_an_empty_one_is_no_news(town: Town) -> None:
    read(town)
    assert town.context.holds.open_ones() == []


# --- the decision alone


@pytest.fixture
def sure(town: Town) -> PullState:
    """A state in which what has changed will do."""
    return state(town)


def decided(found: PullState, town: Town, now_ms: int = 0) -> int | None:
    return since(found, way_of(town.store), EVERY_S, now_ms or found.finished_began_ms + 60_000)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"believed_ms": 0, "finished_began_ms": 0},
        {"finished_began_ms": START_MS + 1},
        {"wanted_ms": 1},
        {"unsure_ms": 1},
        {"began_ms": 1},
        {"changed_ms": 2 * START_MS},
        {"believed_way": "otherwise"},
    ],
    ids=str,
)
def test_only_a_full_reading_will_do_after_whatever_makes_that_doubtful(
    town: Town, sure: PullState, spoilt: dict[str, int | str]
) -> None:
    assert decided(sure, town) == sure.finished_began_ms - MARGIN_S * 1000
    assert decided(replace(sure, **spoilt), town, sure.finished_began_ms + 60_000) is None  # type: ignore[arg-type]


@given(st.integers(-EVERY_MS, 2 * EVERY_MS), st.integers(-EVERY_MS, 2 * EVERY_MS))
def test_it_never_begins_later_than_the_last_reading_that_was_merged(now_ms: int, changed_ms: int) -> None:
    """Both moments as they lie to the begin of the full reading, which may be in the future of a clock set back."""
    state_of = dict.fromkeys((field.name for field in fields(PullState)), 0)
    full_ms = START_MS
    state_of |= {"believed_ms": full_ms, "finished_began_ms": full_ms, "changed_ms": full_ms + changed_ms}
    found = PullState(**state_of | {"believed_way": "now"})  # type: ignore[arg-type]
    since_ms = since(found, "now", EVERY_S, full_ms + now_ms)
    if max(0, changed_ms) <= now_ms < EVERY_MS:
        assert since_ms == full_ms + max(0, changed_ms) - MARGIN_S * 1000
    else:
        assert since_ms is None


def test_the_moment_is_told_with_its_zone(town: Town) -> None:
    read(town)
    (asked,) = town.store.shop.asked_since
    assert asked.tzinfo is UTC
    assert asked < datetime.fromtimestamp(town.context.store.now_ms() / 1000, UTC)
