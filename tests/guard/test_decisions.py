"""Approving and discarding: done once, carried out in the end, and never beyond what the person has seen."""

from __future__ import annotations

import pytest

from sync.deadline import Deadline
from sync.guard import decisions, watch
from sync.guard.holds import Kind
from sync.guard.judge import NOTHING, GuardSettings
from sync.pull import read_refs
from sync.push import push
from sync.readings import Pulls
from sync.stock.records import State
from sync.views.stock import held as held_back
from tests.conftest import TRUSTING, TimedStore, Town
from tests.guard.town import at_rest, held, look_again, pull_all, units

SKUS = [f"S{number:02}" for number in range(20)]


def build(store: TimedStore, guard: GuardSettings = TRUSTING) -> Town:
    """20 SKUs at 10 everywhere, read and settled."""
    return at_rest(Town.build(store, guard=guard), SKUS)


@pytest.fixture
def broken(store: TimedStore) -> Town:
    """The store shows zero for 15 of 20, and that is held."""
    town = build(store)
    for sku in SKUS[:15]:
        town.store.shop.put(sku, 0)
    pull_all(town, "store")
    return town


def test_an_approved_reading_is_taken_again_and_believed(broken: Town) -> None:
    assert decisions.approve(broken.context, held(broken), "ann")
    look_again(broken)

    assert units(broken) == 50
    assert broken.context.holds.open_ones() == []


def test_what_has_recovered_before_the_approval_simply_agrees(broken: Town) -> None:
    hold = held(broken)
    for sku in SKUS[:10]:
        broken.store.shop.put(sku, 9)
    decisions.approve(broken.context, hold, "ann")
    look_again(broken)

    assert units(broken) == 200 - 10 - 50


def test_an_approval_is_for_one_channel(broken: Town) -> None:
    hold = held(broken)
    decisions.approve(broken.context, hold, "ann")
    look_again(broken)
    for sku in SKUS:
        broken.market.shop.put(sku, 0)
    pull_all(broken, "market")

    assert held(broken).channel == "market"


def test_an_approval_is_used_up_by_the_reading_that_it_was_for(store: TimedStore) -> None:
    town = build(store)
    for sku in SKUS[:8]:
        town.store.shop.put(sku, 0)
    pull_all(town, "store")
    decisions.approve(town.context, held(town), "ann")
    look_again(town)
    for sku in SKUS[8:16]:
        town.store.shop.put(sku, 0)
    pull_all(town, "store")

    assert held(town).figures.zeroed == 8


def test_an_approval_during_a_reading_is_for_the_one_after_it(broken: Town) -> None:
    hold = held(broken)
    fallen = {ref: units for ref, units in broken.store.shop.units.items() if not units}
    broken.store.shop.units |= dict.fromkeys(fallen, 10)
    pages: list[int] = []

    def all_falls_again_and_is_approved() -> None:
        pages.append(1)
        if len(pages) == 3:  # the last page, of others
            broken.store.shop.before_page = lambda: None
            broken.store.shop.units |= fallen
            decisions.approve(broken.context, hold, "ann")

    broken.store.shop.before_page = all_falls_again_and_is_approved
    pull_all(broken, "store")
    pull_all(broken, "store")

    assert broken.context.holds.open_ones() == []
    assert units(broken) == 200 - 10 * len(fallen)


def test_approving_again_changes_nothing_and_discarding_then_is_refused(broken: Town) -> None:
    hold = held(broken)
    assert decisions.approve(broken.context, hold, "ann")
    assert not decisions.approve(broken.context, hold, "bob")
    with pytest.raises(decisions.Undecidable, match=f"hold {hold.id} is approved already"):
        decisions.discard(broken.context, hold, "bob")
    decided = broken.context.holds.get(hold.id)
    assert decided is not None
    assert (decided.state, decided.by) == ("approved", "ann")


def test_a_decision_whose_process_dies_is_carried_out_by_the_sweeper(
    broken: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = held(broken)
    monkeypatch.setattr(decisions, "carry_out_all", lambda context: None)
    decisions.approve(broken.context, hold, "ann")
    assert not Pulls(broken.context.store).state("store").wanted_ms
    monkeypatch.undo()
    decisions.carry_out_all(broken.context)
    decisions.carry_out_all(broken.context)
    look_again(broken)

    assert units(broken) == 50
    assert broken.context.holds.to_carry_out() == []


def test_a_discarded_reading_is_not_believed_and_not_told_of_again_while_it_is_no_worse(broken: Town) -> None:
    decisions.discard(broken.context, held(broken), "ann")
    pull_all(broken, "store")
    assert broken.context.holds.open_ones() == []
    assert units(broken) == 200

    for sku in SKUS[15:]:
        broken.store.shop.put(sku, 0)
    broken.store.shop.put("S00", 0)
    pull_all(broken, "store")
    assert broken.context.holds.open_ones() == [], "five more are within the limits"


def test_a_channel_is_believed_again_once_it_shows_something_plausible(broken: Town) -> None:
    decisions.discard(broken.context, held(broken), "ann")
    for sku in SKUS:
        broken.store.shop.put(sku, 10)
    broken.store.shop.sell("S00", 3)
    pull_all(broken, "store")
    assert units(broken) == 197

    for sku in SKUS[:15]:
        broken.store.shop.put(sku, 0)
    pull_all(broken, "store")
    assert held(broken).kind is Kind.READING


# --- plans


@pytest.fixture
def planned(store: TimedStore) -> Town:
    """The till has sold something of 15 SKUs of 20, and the plan for the store is held."""
    town = build(store, GuardSettings(auto_approve_first=True))
    for sku in SKUS[:15]:
        town.till.shop.sell(sku, 2)
    pull_all(town, "till")
    push(town.context, "store", Deadline(60))
    return town


def test_a_plan_that_is_too_large_is_held_and_nothing_is_written(planned: Town) -> None:
    hold = held(planned)
    assert (hold.kind, hold.channel) == (Kind.PLAN, "store")
    assert hold.words == ["15 listings would be written, of 20; the limit is 50%"]
    assert planned.store.shop.written == []


def test_an_approved_plan_is_written_as_it_is_by_then(planned: Town) -> None:
    planned.till.shop.sell("S00", 5)
    pull_all(planned, "till")
    decisions.approve(planned.context, held(planned), "ann")
    push(planned.context, "store", Deadline(60))

    assert len(planned.store.shop.written) == 15
    assert planned.store.shop.shown("S00") == 3
    assert planned.context.holds.open_ones() == []


def test_a_plan_that_has_grown_far_beyond_what_was_approved_is_held_again(store: TimedStore) -> None:
    town = build(store, GuardSettings(auto_approve_first=True, plan_share=0.3, zero_share=0.3))
    for sku in SKUS[:7]:
        town.till.shop.sell(sku, 2)
    pull_all(town, "till")
    push(town.context, "store", Deadline(60))
    hold = held(town)
    for sku in SKUS:
        town.till.shop.sell(sku, 1)
    pull_all(town, "till")
    decisions.approve(town.context, hold, "ann")
    push(town.context, "store", Deadline(60))

    assert town.store.shop.written == []
    assert held(town).words == [
        "20 listings would be written, of 20, beyond the 7 that were approved; the limit is 30%"
    ]


def test_a_plan_that_has_shrunk_passes_by_itself(planned: Town) -> None:
    for sku in SKUS[:15]:
        planned.till.shop.put(sku, 10)
    pull_all(planned, "till")
    planned.context.store.clock.advance(61)  # type: ignore[attr-defined]
    planned.till.shop.sell("S00", 1)
    pull_all(planned, "till")
    push(planned.context, "store", Deadline(60))

    assert [write.sku for write in planned.store.shop.written] == ["S00"]
    assert planned.context.holds.open_ones() == []


@pytest.mark.parametrize("verdict", ["open", "discarded"])
def test_what_a_held_reading_showed_is_not_kept_for_good(broken: Town, verdict: str) -> None:
    """A reading that was under way when a person decided may add to what is not believed after that."""
    hold, client = held(broken), broken.context.store.client
    if verdict == "discarded":
        decisions.discard(broken.context, hold, "ann")
    client.delete(f"is:{{holds}}:{hold.id}:refs")
    pull_all(broken, "store")

    assert client.hlen(f"is:{{holds}}:{hold.id}:refs")
    assert client.ttl(f"is:{{holds}}:{hold.id}:refs") > 0


def test_discarded_writes_are_parked_until_their_number_changes(planned: Town) -> None:
    decisions.discard(planned.context, held(planned), "ann")
    push(planned.context, "store", Deadline(60))
    assert planned.store.shop.written == []
    views = [
        view for view in held_back(planned.context, planned.context.ledger.every_record()) if view.channel == "store"
    ]
    assert len(views) == 15
    assert {view.state for view in views} == {State.PARKED}
    assert "a person has discarded this write" in views[0].words

    planned.till.shop.sell("S00", 1)
    pull_all(planned, "till")
    push(planned.context, "store", Deadline(60))
    assert [(write.sku, write.units) for write in planned.store.shop.written] == [("S00", 7)]


def test_discarded_writes_can_be_tried_after_all(planned: Town) -> None:
    decisions.discard(planned.context, held(planned), "ann")
    assert planned.context.writes.retry("store", ["s00", "s01"], planned.context.store.now_ms()) == 2
    push(planned.context, "store", Deadline(60))
    assert sorted(write.sku for write in planned.store.shop.written) == ["S00", "S01"]


def test_a_sale_after_the_discarding_is_not_parked_with_it(planned: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = held(planned)
    monkeypatch.setattr(decisions, "carry_out_all", lambda context: None)
    decisions.discard(planned.context, hold, "ann")
    monkeypatch.undo()
    planned.till.shop.sell("S03", 1)
    pull_all(planned, "till")
    decisions.carry_out_all(planned.context)
    push(planned.context, "store", Deadline(60))
    assert [write.sku for write in planned.store.shop.written] == ["S03"]


def test_a_decision_is_carried_out_though_the_world_overtakes_the_hold_at_that_moment(
    planned: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = held(planned)
    with monkeypatch.context() as patched:
        patched.setattr(decisions, "carry_out_all", lambda context: None)
        decisions.discard(planned.context, hold, "ann")
        patched.setattr(planned.context.holds, "of", lambda kind, name: hold)
        watch.overtake(planned.context, Kind.PLAN, "store")
    decisions.carry_out_all(planned.context)

    states = [view.state for view in held_back(planned.context, planned.context.ledger.every_record())]
    assert states == [State.PARKED] * 15


def test_what_becomes_wrong_during_a_push_is_a_plan_too(store: TimedStore) -> None:
    town = build(store, GuardSettings(auto_approve_first=True))
    town.till.shop.sell("S00", 2)
    pull_all(town, "till")

    def many_are_sold() -> None:
        town.store.shop.before_write = lambda: None
        for sku in SKUS[1:16]:
            town.till.shop.sell(sku, 2)
        pull_all(town, "till")

    town.store.shop.before_write = many_are_sold
    push(town.context, "store", Deadline(60))

    assert [write.sku for write in town.store.shop.written] == ["S00"]
    assert held(town).kind is Kind.PLAN


def test_the_approval_of_a_plan_ends_though_small_ones_follow(planned: Town) -> None:
    decisions.approve(planned.context, held(planned), "ann")
    push(planned.context, "store", Deadline(60))
    for _ in range(3):
        planned.context.store.clock.advance(1800)  # type: ignore[attr-defined]
        for sku in SKUS[:6]:
            planned.till.shop.sell(sku, 1)
        pull_all(planned, "till")
        push(planned.context, "store", Deadline(60))

    assert len(planned.store.shop.written) == 15 + 3 * 6
    assert planned.context.holds.allowed("plan", "store", planned.context.store.now_ms()) == NOTHING


def test_what_follows_elsewhere_from_an_approved_reading_is_not_asked_about_again(store: TimedStore) -> None:
    town = build(store, GuardSettings(auto_approve_first=True))
    for sku in SKUS[:15]:
        town.store.shop.put(sku, 0)
    pull_all(town, "store")
    decisions.approve(town.context, held(town), "ann")
    look_again(town)
    push(town.context, "market", Deadline(60))

    assert len(town.market.shop.written) == 15
    assert town.context.holds.open_ones() == []


def test_a_burst_that_was_approved_is_believed_by_whatever_reading_comes_first(store: TimedStore) -> None:
    town = build(store)
    for sku in SKUS[:15]:
        town.store.shop.put(sku, 0)
        read_refs(town.context, "store", [f"ref-{sku.lower()}"], "a hint")
    decisions.approve(town.context, held(town), "ann")
    pull_all(town, "store")

    assert units(town) == 50
    assert town.context.holds.open_ones() == []
