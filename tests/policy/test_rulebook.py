"""A change of the rules reaches every listing, whoever dies on the way and whoever works by other rules meanwhile."""

from __future__ import annotations

import pytest

from channels import Result
from sync.deadline import Deadline
from sync.policy import rulebook
from sync.policy.rules import Rule
from sync.policy.targets import Policy
from sync.pull import pull
from sync.push import push
from sync.stock.worklist import CLASS
from tests.conftest import Fate, TimedStore, Town
from tests.dying import died, steps_of

CHANNELS = [("till", False), ("store", True), ("market", True)]
SKUS = ("A", "B", "C", "D", "E")


def rules(town: Town, **keys: int | str) -> None:
    """The workers have been restarted with this rule for the store."""
    town.context.policy = Policy(CHANNELS, [Rule("", "store", tuple(keys.items()), "here")] if keys else [])


def settled(town: Town) -> None:
    """Ten of each SKU everywhere, and nothing to do."""
    for sku in SKUS:
        town.put(sku, 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    push_both(town)


def push_both(town: Town) -> None:
    for name in ("store", "market"):
        push(town.context, name, Deadline(60))


def shown(town: Town) -> list[int]:
    return [town.store.shop.shown(sku) for sku in SKUS]


def test_a_new_rule_is_written_to_the_listings_of_its_channel(town: Town) -> None:
    settled(town)
    rules(town, buffer=3)
    assert rulebook.have_changed(town.context, "store")
    push_both(town)

    assert shown(town) == [7] * 5
    assert town.market.shop.written == []
    assert not rulebook.have_changed(town.context, "store")


def test_rules_that_stay_the_same_cost_no_look(town: Town) -> None:
    settled(town)
    rules(town, buffer=3)
    push_both(town)
    before = len(town.store.shop.looked_at)
    rules(town, buffer=3)
    push_both(town)

    assert not rulebook.have_changed(town.context, "store")
    assert len(town.store.shop.looked_at) == before


def test_whoever_dies_while_marking_leaves_the_work_to_the_next(
    store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rulebook, "GATHER", 2)

    def once(step: int) -> bool:
        store.client.flushall()
        town = Town.build(store)
        settled(town)
        rules(town, cap=4)
        dead = died(step, lambda: push(town.context, "store", Deadline(60)))
        store.clock.advance(70)
        pull(town.context, "store", Deadline(60))
        push_both(town)
        assert shown(town) == [4] * 5
        return dead

    assert steps_of(once) > 12


def test_a_write_under_way_by_the_old_rules_is_followed_by_one_by_the_new(town: Town) -> None:
    settled(town)
    town.till.shop.sell("A")
    pull(town.context, "till", Deadline(60))

    def meanwhile() -> None:
        town.store.shop.before_write = lambda: None
        rules(town, buffer=3)
        push(town.context, "store", Deadline(60))  # by another worker; finds the listing busy

    town.store.shop.before_write = meanwhile
    push(town.context, "store", Deadline(60))
    push(town.context, "store", Deadline(60))

    assert town.store.shop.shown("A") == 6


def test_what_a_worker_with_the_old_rules_wrote_beside_the_change_is_looked_at_again(town: Town) -> None:
    settled(town)
    town.till.shop.sell("A")
    pull(town.context, "till", Deadline(60))
    old = town.context.policy

    def meanwhile() -> None:
        town.store.shop.before_page = lambda: None
        rules(town, buffer=3)
        push(town.context, "store", Deadline(60))  # by another worker, by the new rules: all are right
        town.context.policy = old

    town.store.shop.before_page = meanwhile
    push(town.context, "store", Deadline(60))
    rules(town, buffer=3)
    assert rulebook.have_changed(town.context, "store")
    push(town.context, "store", Deadline(60))

    assert shown(town) == [6, 7, 7, 7, 7]


def test_a_parked_listing_is_tried_again_when_the_rules_change(town: Town) -> None:
    settled(town)
    town.store.shop.fates.append(Fate(Result.REFUSED, applied=False, words="too many"))
    town.till.shop.put("A", 20)
    pull(town.context, "till", Deadline(60))
    push(town.context, "store", Deadline(60))
    assert town.store.shop.shown("A") == 10
    rules(town, cap=15)
    push(town.context, "store", Deadline(60))

    assert town.store.shop.shown("A") == 15


def test_a_pinned_listing_is_left_to_people_and_its_sales_count(town: Town) -> None:
    settled(town)
    rules(town, pin=True)
    town.store.shop.sell("A", 2)
    pull(town.context, "store", Deadline(60))
    push_both(town)

    assert town.store.shop.written == []
    assert town.market.shop.shown("A") == 8


def test_a_fall_goes_before_a_rise_though_on_hand_still_covers_the_level(town: Town) -> None:
    settled(town)
    rules(town, buffer=3)
    push_both(town)
    town.till.shop.sell("A", 2)  # 8 on hand, the store shows 7 and should show 5
    town.till.shop.sell("B", -2)
    pull(town.context, "till", Deadline(60))

    ranks = town.context.worklist.ranks("store", 100)
    assert (ranks["a"] // CLASS, ranks["b"] // CLASS) == (1, 2)
