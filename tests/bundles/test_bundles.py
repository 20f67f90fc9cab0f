"""Bundles: what is sold of one is booked on its components exactly once, and what they allow is what it shows."""

from __future__ import annotations

import pytest

from sync.stock.ledger import Ledger, Roster
from sync.stock.recipes import Part, Recipe, Recipes
from sync.storage.store import bucket_of, fold
from tests.conftest import Bench, TimedStore


def recipe(sku: str, **parts: int) -> Recipe:
    return Recipe(fold(sku), sku, tuple(Part(fold(name), name, units) for name, units in parts.items()))


RECIPES = Recipes([recipe("BOX", MUG=1, TEA=2), recipe("SIX", TEA=6)])
SINGLES = ("MUG", "TEA")


@pytest.fixture
def bench(store: TimedStore) -> Bench:
    return Bench(store, recipes=RECIPES)


def open_all(bench: Bench, mugs: int = 5, teas: int = 20) -> None:
    """The till has counted mugs and teas, and both shops list all four SKUs."""
    bench.read("till", mugs, "MUG")
    bench.read("till", teas, "TEA")
    for channel in ("store", "market"):
        for sku in (*SINGLES, "BOX", "SIX"):
            bench.read(channel, 3, sku)


def on_hand_of(bench: Bench, *skus: str) -> list[int | None]:
    found = {record.sku: record.on_hand for record in bench.ledger.records(skus)}
    return [found.get(sku) for sku in skus]


def on_hand(bench: Bench) -> dict[str, int | None]:
    return {sku: bench.on_hand(sku) for sku in (*SINGLES, "BOX", "SIX")}


def test_of_a_bundle_there_are_as_many_as_its_components_allow(bench: Bench) -> None:
    open_all(bench)

    assert on_hand(bench) == {"MUG": 5, "TEA": 20, "BOX": 5, "SIX": 3}
    assert [movement.why for movement in bench.movements("BOX")] == ["opened"]


def test_a_sale_of_a_bundle_moves_its_components(bench: Bench) -> None:
    open_all(bench)
    bench.read("store", 1, "BOX")

    assert on_hand(bench) == {"MUG": 3, "TEA": 16, "BOX": 3, "SIX": 2}
    last = bench.movements("TEA")[-1]
    assert (last.units, last.channel, last.why, last.cause) == (-4, "store", "changed", "BOX: reading of store")


def test_a_sale_of_a_component_changes_what_its_bundles_show(bench: Bench) -> None:
    open_all(bench)
    bench.rest()
    bench.read("till", 1, "MUG")

    assert on_hand(bench) == {"MUG": 1, "TEA": 20, "BOX": 1, "SIX": 3}
    last = bench.movements("BOX")[-1]
    assert (last.units, last.why, last.cause) == (-4, "components changed", "1 MUG in each, of 1")
    assert "box" in bench.dirty("store")
    assert "box" in bench.dirty("market")


def test_a_shared_component_is_counted_once(bench: Bench) -> None:
    open_all(bench)
    bench.read("store", 2, "BOX")
    bench.read("store", 2, "SIX")

    assert on_hand(bench) == {"MUG": 4, "TEA": 12, "BOX": 4, "SIX": 2}


def test_a_sale_of_a_bundle_is_booked_on_what_is_counted_of_it(bench: Bench) -> None:
    bench.read("till", 10, "MUG")
    bench.read("store", 3, "BOX")
    assert bench.read("store", 1, "BOX").counts == {"uncounted": 1}
    assert on_hand_of(bench, "MUG", "TEA", "BOX") == [8, None, None]

    bench.read("till", 20, "TEA")
    assert on_hand_of(bench, "MUG", "TEA", "BOX") == [8, 20, 8], "the count of the tea has seen the sale"


def test_what_is_no_bundle_any_longer_is_counted_like_any_other_sku(bench: Bench) -> None:
    bench.read("till", 7, "BOX")
    assert bench.on_hand("BOX") is None

    bench.ledger = Ledger(bench.store, Roster("till", ("store", "market")))
    bench.read("till", 7, "BOX")
    assert bench.on_hand("BOX") == 7


def test_each_sale_of_a_bundle_is_a_movement_of_its_own_on_each_component(bench: Bench) -> None:
    open_all(bench)
    bench.ledger.bundles.recipes = Recipes()  # nobody works the marks off
    bench.read("store", 2, "BOX")
    bench.read("market", 2, "BOX")
    bench.ledger.bundles.recipes = RECIPES
    bench.ledger.bundles.work()

    assert [(m.units, m.channel) for m in bench.movements("MUG")[1:]] == [(-1, "store"), (-1, "market")]


def test_units_that_come_back_to_a_bundle_come_back_to_its_components(bench: Bench) -> None:
    open_all(bench)
    bench.read("store", 2, "BOX")
    bench.later(10)
    bench.read("store", 3, "BOX")

    assert on_hand(bench) == {"MUG": 5, "TEA": 20, "BOX": 5, "SIX": 3}


def test_more_than_there_are_can_be_sold_of_a_bundle_and_shows(bench: Bench) -> None:
    open_all(bench, mugs=1)
    bench.read("store", 0, "BOX")

    assert on_hand(bench) == {"MUG": -2, "TEA": 14, "BOX": -2, "SIX": 2}


def test_the_authority_opens_no_bundle(bench: Bench) -> None:
    bench.read("till", 7, "BOX")
    assert bench.on_hand("BOX") is None
    bench.read("till", 4, "MUG")
    assert bench.on_hand("BOX") is None
    bench.read("till", 9, "TEA")
    assert bench.on_hand("BOX") == 4


def test_a_sale_of_a_bundle_at_the_authority_moves_its_components(bench: Bench) -> None:
    open_all(bench)
    bench.read("till", 0, "BOX")
    bench.read("till", -2, "BOX")

    assert on_hand(bench) == {"MUG": 3, "TEA": 16, "BOX": 3, "SIX": 2}


def test_a_claim_worked_out_from_older_components_is_refused(bench: Bench) -> None:
    open_all(bench)
    stale = bench.intent("BOX")
    bench.read("till", 2, "MUG")

    assert bench.claim("store", "BOX", intent=stale).what == "moved"


def test_what_was_sold_before_a_sku_became_a_bundle_is_not_booked(store: TimedStore) -> None:
    before = Bench(store)
    open_all(before)
    before.read("till", 9, "BOX")
    before.read("till", 4, "BOX")
    after = Bench(store, recipes=RECIPES)
    after.clock = store.clock
    after.read("market", 2, "BOX")

    assert on_hand(after) == {"MUG": 4, "TEA": 18, "BOX": 4, "SIX": 3}


def test_a_component_that_comes_into_a_recipe_takes_what_is_sold_from_then_on(store: TimedStore) -> None:
    first = Bench(store, recipes=Recipes([recipe("BOX", MUG=1)]))
    open_all(first)
    first.read("store", 2, "BOX")
    second = Bench(store, recipes=Recipes([recipe("BOX", MUG=1, TEA=2)]))
    second.read("store", 1, "BOX")
    assert (second.on_hand("MUG"), second.on_hand("TEA")) == (3, 18)

    third = Bench(store, recipes=Recipes([recipe("BOX", MUG=1)]))
    third.read("store", 0, "BOX")
    fourth = Bench(store, recipes=Recipes([recipe("BOX", MUG=1, TEA=2)]))
    fourth.read("market", 2, "BOX")
    assert (fourth.on_hand("MUG"), fourth.on_hand("TEA")) == (1, 16)


def test_a_recipe_that_changes_changes_what_there_is(store: TimedStore) -> None:
    open_all(Bench(store, recipes=RECIPES))
    again = Bench(store, recipes=Recipes([recipe("BOX", MUG=2, TEA=1)]))
    again.ledger.bundles.work()

    assert again.on_hand("BOX") == 2


def test_work_that_is_done_twice_or_late_changes_nothing(bench: Bench) -> None:
    open_all(bench)
    bench.read("store", 2, "BOX")
    before = on_hand(bench), bench.movements("BOX"), bench.movements("TEA")
    bundles = bench.ledger.bundles
    for sku in (*SINGLES, "BOX", "SIX"):
        key = f"is:{{{_bucket(sku)}}}:kin"
        bench.store.client.zadd(key, {fold(sku): bench.record(sku).revision})
    bundles.work()

    assert (on_hand(bench), bench.movements("BOX"), bench.movements("TEA")) == before
    assert bundles.marks() == {}


def test_movements_too_many_to_be_looked_up_are_booked_as_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    open_all(bench)
    monkeypatch.setattr("sync.stock.bundles.FAR", 1)
    bench.ledger.bundles.recipes = Recipes()
    bench.read("store", 2, "BOX")
    bench.read("market", 2, "BOX")
    bench.ledger.bundles.recipes = RECIPES
    bench.ledger.bundles.work()

    assert on_hand(bench) == {"MUG": 3, "TEA": 16, "BOX": 3, "SIX": 2}
    assert [m.cause for m in bench.movements("MUG")[1:]] == ["BOX, 1 in each"]


def _bucket(sku: str) -> int:
    return bucket_of(fold(sku))


def test_what_is_sold_and_not_booked_yet_is_not_there_to_be_sold_again(bench: Bench) -> None:
    open_all(bench)
    bundles = bench.ledger.bundles
    bundles.recipes = Recipes()  # whoever merged the sale dies before he works its mark off
    bench.read("store", 1, "BOX")
    bundles.recipes = RECIPES
    bundles._assemble([RECIPES.bundles["box"]])

    assert (bench.on_hand("MUG"), bench.on_hand("BOX")) == (5, 3)


def test_what_is_no_bundle_any_longer_is_not_known_until_the_authority_counts_it(
    bench: Bench, store: TimedStore
) -> None:
    """How many there were of it was worked out; nobody has ever put that many together."""
    open_all(bench)
    bench.rest()
    after = Bench(store, recipes=Recipes([recipe("SIX", TEA=6)]))
    after.read("store", 3, "BOX")

    assert on_hand(after) == {"MUG": 5, "TEA": 20, "BOX": None, "SIX": 3}
    assert [movement.units for movement in after.movements("BOX")] == [5, -5]
    after.read("store", 2, "BOX")
    assert on_hand(after) == {"MUG": 5, "TEA": 20, "BOX": None, "SIX": 3}
    after.read("till", 1, "BOX")
    assert after.on_hand("BOX") == 1
    assert after.record("BOX").parts == ()
    assert "box" in after.dirty("market")


@pytest.mark.parametrize(
    ("now", "left"),
    [(Recipes([recipe("SIX", TEA=6)]), None), (Recipes(), None), (Recipes([recipe("BOX", MUG=1)]), 3)],
    ids=["one is left", "none is left", "another recipe"],
)
def test_what_was_sold_of_a_bundle_is_booked_though_its_seller_died_and_its_recipe_is_gone(
    bench: Bench, store: TimedStore, monkeypatch: pytest.MonkeyPatch, now: Recipes, left: int | None
) -> None:
    open_all(bench)
    monkeypatch.setattr(bench.ledger.bundles, "work", lambda: None)
    bench.read("store", 1, "BOX")
    after = Bench(store, recipes=now)
    after.read("store", 1, "BOX")

    assert on_hand_of(after, "MUG", "TEA", "BOX") == [3, 16, left]
    Bench(store, recipes=now).read("store", 1, "BOX")
    assert on_hand_of(after, "MUG", "TEA", "BOX") == [3, 16, left]


def test_a_component_whose_sku_reads_like_the_rest_of_a_recipe_is_booked_too(
    bench: Bench, store: TimedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cup = "CUP, 2 HANDLES"
    before = Bench(store, recipes=Recipes([recipe("BOX", MUG=1, **{cup: 3})]))
    for sku, units in (("MUG", 5), (cup, 20)):
        before.counted(units, sku)
    before.read("store", 5, "BOX")
    monkeypatch.setattr(before.ledger.bundles, "work", lambda: None)
    before.read("store", 4, "BOX")
    after = Bench(store)
    after.read("store", 4, "BOX")

    assert on_hand_of(after, "MUG", cup) == [4, 17]


def test_a_bundle_that_was_none_for_a_while_shows_what_its_components_allow_now(
    bench: Bench, store: TimedStore
) -> None:
    open_all(bench)
    without = Bench(store)
    without.read("till", 2, "MUG")
    without.read("store", 1, "BOX")  # sold as something else than mugs and teas
    again = Bench(store, recipes=RECIPES)
    again.read("till", 20, "TEA")

    assert on_hand(again) == {"MUG": 2, "TEA": 20, "BOX": 2, "SIX": 3}
    again.read("store", 0, "BOX")
    assert on_hand(again) == {"MUG": 1, "TEA": 18, "BOX": 1, "SIX": 3}
    assert sum(movement.units for movement in again.movements("BOX")) == 1


def test_processes_with_the_same_recipes_take_nothing_back(bench: Bench, store: TimedStore) -> None:
    open_all(bench)
    before = bench.movements("BOX")
    Bench(store, recipes=RECIPES).read("till", 5, "MUG")

    assert bench.movements("BOX") == before
