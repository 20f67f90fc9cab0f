"""Explain: the number from on hand to target, rule by rule, and how the listing stands, in words for a merchant."""

from __future__ import annotations

import pytest

from channels import Result
from sync.deadline import Deadline
from sync.policy.rules import Rule
from sync.policy.targets import Policy
from sync.pull import pull
from sync.push import push
from sync.stock.mapping import Alias, Aliases
from sync.stock.recipes import Part, Recipe, Recipes
from sync.views.explain import Explanation, explain, named
from tests.conftest import Fate, TimedStore, Town

CHANNELS = [("till", False), ("store", True), ("market", True)]


def pull_all(town: Town) -> None:
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))


def told(town: Town, sku: str = "A", channel: str = "store") -> Explanation:
    (record,) = town.context.ledger.records([sku])
    return explain(town.context, record, channel)


@pytest.fixture
def ten(town: Town) -> Town:
    """Ten of A everywhere, and a rule for the store."""
    town.put("A", 10)
    pull_all(town)
    rules = [Rule("", "store", (("buffer", 2), ("share", 50)), "policy.channels.store")]
    town.context.policy = Policy(CHANNELS, rules)
    return town


def test_the_way_from_on_hand_to_the_target_is_told_rule_by_rule(ten: Town) -> None:
    row = told(ten).as_row()

    assert [(step["rule"], step["units"], step["source"]) for step in row["steps"]] == [
        ("on hand", 10, ""),
        ("buffer", 8, "policy.channels.store"),
        ("share", 4, "policy.channels.store"),
    ]
    assert [step["words"] for step in row["steps"]][1:] == ["2 kept back", "50 percent of it, rounded down"]
    assert (row["on_hand"], row["target"], row["level"], row["state"]) == (10, 4, 10, "pending")
    assert (row["last"]["units"], row["last"]["why"]) == (10, "opened")


def test_how_a_listing_stands_is_told_in_words(ten: Town) -> None:
    assert told(ten, channel="till").words == "it is read here and never written"
    assert told(ten, channel="market").words == "it shows its target"
    ten.store.shop.fates.append(Fate(Result.UNKNOWN, applied=False))
    push(ten.context, "store", Deadline(60))
    assert told(ten).words.startswith("lost write: a write to 4: its answer was lost; a reading tells")


def test_a_refusal_is_told_in_the_channels_words(ten: Town) -> None:
    ten.store.shop.fates.append(Fate(Result.REFUSED, applied=False, words="the product is archived"))
    push(ten.context, "store", Deadline(60))
    assert told(ten).words.startswith("held: parked: the product is archived; see why")


def test_why_nothing_is_written_is_told(town: Town) -> None:
    town.put("A", 10)
    town.store.shop.put("STRANGER", 3)
    town.store.shop.put("A", 4, ref="another")
    pull_all(town)
    town.context.policy = Policy(CHANNELS, [Rule("a", "market", (("pin", True),), "rules.csv:2")])

    assert told(town, "stranger").words == "it is not written: the authority has never counted it"
    assert told(town, "A", "market").words == "it is not written: its level here is left to people"
    assert told(town, "A").words.endswith("has the same SKU; give one of them another")
    assert told(town, "STRANGER", "market").words == "market has not shown it"


def test_a_bundle_is_told_by_its_components(store: TimedStore) -> None:
    recipes = Recipes([Recipe("box", "BOX", (Part("mug", "MUG", 1), Part("tea", "TEA", 2)))])
    town = Town.build(store, recipes=recipes)
    town.till.shop.put("MUG", 5)
    town.store.shop.put("BOX", 3)
    pull_all(town)
    assert told(town, "BOX").words == "it is not written: the authority has never counted TEA, of which it is made"
    town.till.shop.put("TEA", 7)
    pull_all(town)

    assert told(town, "BOX").as_row()["made_of"] == [
        {"sku": "MUG", "on_hand": 5, "units": 1, "allows": 5},
        {"sku": "TEA", "on_hand": 7, "units": 2, "allows": 3},
    ]
    assert told(town, "BOX").words == "it shows its target"


def test_a_sku_may_be_named_as_the_channel_does(store: TimedStore) -> None:
    town = Town.build(store, aliases=Aliases([Alias("market", "AMZ-1", "MUG")]))
    assert (named(town.context, "amz-1", "market"), named(town.context, "amz-1", "store")) == ("MUG", "amz-1")
