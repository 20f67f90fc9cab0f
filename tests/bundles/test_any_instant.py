"""Rule 13 for bundles: whoever dies between two steps, and whatever of his comes late, no unit is lost or invented."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.stock.recipes import Part, Recipe, Recipes
from sync.storage import embedded
from sync.storage.store import Call
from tests.conftest import CHANNELS, Bench, Clock, TimedStore, Town

EACH = {"box": {"mug": 1, "tea": 2}, "six": {"tea": 6}, "tub": {"mug": 3, "tea": 1}}
SINGLES = ("mug", "tea")
RECIPES = Recipes(
    Recipe(bundle, bundle, tuple(Part(name, name, units) for name, units in parts.items()))
    for bundle, parts in EACH.items()
)
SKUS = (*SINGLES, *EACH)


class Died(BaseException):
    """The process is gone."""


class LateStore(TimedStore):
    """A store whose user dies after so many scripts; the one he had just sent may still arrive, late."""

    fuse: int | None = None
    late: list[tuple[str, list[Call]]]

    def run(self, name: str, calls: Sequence[Call]) -> list[Any]:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.late.append((name, list(calls)))
                raise Died
        return super().run(name, calls)

    def deliver(self, which: int) -> None:
        if self.late:
            name, calls = self.late.pop(which % len(self.late))
            super().run(name, calls)


@pytest.fixture
def late_store(data_dir: Path) -> Iterator[LateStore]:
    store = LateStore(embedded.url(data_dir), Clock())
    yield store
    store.close()


def makes(stock: Counter[str], bundle: str) -> int:
    return min(stock[name] // units for name, units in EACH[bundle].items())


def book(stock: Counter[str], sku: str, units: int) -> None:
    for name, each in EACH.get(sku, {sku: 1}).items():
        stock[name] += units * each


#: At which script a worker dies: the merge of a reading, then the three that work marks off.
FUSE = st.sampled_from([None, None, 0, 1, 1, 2, 3, 3])
SALE = st.tuples(
    st.just("sell"), st.sampled_from(list(CHANNELS)), st.sampled_from((*SKUS, "box", "box")), st.integers(-4, 3), FUSE
)
STEP = st.one_of(SALE, SALE, st.tuples(st.just("work"), FUSE), st.tuples(st.just("deliver"), st.integers(-2, 1)))


@settings(
    max_examples=250,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(STEP, max_size=30))
def test_units_are_conserved_whoever_dies_and_whatever_comes_late(
    late_store: LateStore, steps: Sequence[tuple[Any, ...]]
) -> None:
    store = late_store
    store.client.flushall()
    store.late, store.fuse = [], None
    bench = Bench(store, recipes=RECIPES)
    stock = Counter({"mug": 40, "tea": 60})
    levels: Counter[tuple[str, str]] = Counter()
    for channel in CHANNELS:
        for sku in SKUS:
            levels[channel, sku] = stock[sku] if channel == "till" else 50
            bench.read(channel, levels[channel, sku], sku)
    for what, *details in steps:
        store.fuse = None
        if what == "deliver":
            store.deliver(*details)
            continue
        *sale, store.fuse = details
        with suppress(Died):
            if what == "work":
                bench.ledger.bundles.work()
            else:
                channel, sku, units = sale
                levels[channel, sku] += units
                book(stock, sku, units)
                bench.read(channel, levels[channel, sku], sku)
    store.fuse = None
    bench.later(60)
    for channel in CHANNELS:
        for sku in SKUS:
            bench.read(channel, levels[channel, sku], sku)
    while store.late:
        if store.late[0][0] == "merge":  # a reading is merged by whoever reads again
            store.late.pop(0)
        else:
            store.deliver(0)
    bench.ledger.bundles.work()

    for sku in SKUS:
        note(f"{bench.record(sku)} {bench.movements(sku)}")
        assert bench.on_hand(sku) == (makes(stock, sku) if sku in EACH else stock[sku])
        assert bench.on_hand(sku) == sum(movement.units for movement in bench.movements(sku))
    for sku in SINGLES:
        sold = [m for m in bench.movements(sku) if m.why != "opened"]
        for channel in CHANNELS:
            expected = sum(
                (levels[channel, name] - (50 if channel != "till" else {"mug": 40, "tea": 60}.get(name, 0))) * each
                for name, each in [(sku, 1), *((bundle, parts.get(sku, 0)) for bundle, parts in EACH.items())]
            )
            assert sum(m.units for m in sold if m.channel == channel) == expected
    assert bench.ledger.bundles.marks() == {}


@pytest.mark.parametrize("fuse", range(30))
def test_channels_agree_in_the_end_wherever_the_worker_dies(late_store: LateStore, fuse: int) -> None:
    store = late_store
    store.client.flushall()
    store.late, store.fuse = [], None
    town = Town.build(store, recipes=RECIPES)
    for sku, units in (("mug", 9), ("tea", 20), ("box", 9), ("six", 3)):
        for channel in town.everywhere[0 if sku in SINGLES else 1 :]:
            channel.shop.put(sku, units)
    for name in CHANNELS:
        pull(town.context, name, Deadline(60))
    town.store.shop.sell("box", 2)
    town.market.shop.sell("six")
    town.till.shop.sell("mug", 3)
    store.fuse = fuse
    with suppress(Died):
        for name in CHANNELS:
            pull(town.context, name, Deadline(60))
            push(town.context, name, Deadline(60))
    store.fuse = None
    for _ in range(3):
        store.clock.advance(130)
        for name in CHANNELS:
            pull(town.context, name, Deadline(60))
            push(town.context, name, Deadline(60))

    stock = {"mug": 9 - 3 - 2, "tea": 20 - 4 - 6, "box": 4, "six": 1}
    for channel in (town.store, town.market):
        assert {sku: channel.shop.shown(sku) for sku in stock} == stock
