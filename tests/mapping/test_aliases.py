"""A SKU that a channel writes otherwise is translated at the border: in levels, in sales and in writes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from channels import Result, Sale
from sync.audit import audit
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.stock.mapping import Alias, Aliases
from sync.stock.records import State
from sync.views.stock import held
from tests.conftest import CHANNELS, STORE, TILL, Fate, TimedStore, Town
from tests.settings_file import alone, load, refused

__all__ = ["alone"]

ALIASES = Aliases([Alias("market", "AMZ-1", "MUG"), Alias("till", "4711", "mug")])
SELLING = {"till": TILL, "store": replace(STORE, orders=True, order_margin_s=2.0), "market": CHANNELS["market"]}


def pull_all(town: Town) -> None:
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))


def test_listings_under_other_names_are_one_sku(store: TimedStore) -> None:
    town = Town.build(store, aliases=ALIASES)
    town.till.shop.put("4711", 8)
    town.store.shop.put("Mug", 5)
    town.market.shop.put("amz-1", 3)
    pull_all(town)

    (record,) = town.context.ledger.every_record()
    assert (record.sku, record.on_hand) == ("mug", 8)
    assert {name: listing.level for name, listing in record.listings.items()} == {"till": 8, "store": 5, "market": 3}


def test_a_write_names_the_listing_as_the_channel_does(store: TimedStore) -> None:
    town = Town.build(store, aliases=ALIASES)
    town.till.shop.put("4711", 8)
    town.store.shop.put("Mug", 5)
    town.market.shop.put("AMZ-1", 3)
    pull_all(town)
    for name in ("store", "market"):
        push(town.context, name, Deadline(60))

    assert [(write.sku, write.units) for write in town.market.shop.written] == [("AMZ-1", 8)]
    assert [write.sku for write in town.store.shop.written] == ["mug"]


def test_two_names_of_one_channel_for_one_sku_are_twins_with_their_units_at_risk(store: TimedStore) -> None:
    town = Town.build(store, aliases=ALIASES)
    town.till.shop.put("4711", 8)
    town.market.shop.put("AMZ-1", 3)
    town.market.shop.put("MUG", 4)
    town.market.shop.put("SPOON", 6)
    pull_all(town)

    views = {view.sku: view for view in held(town.context, town.context.ledger.every_record())}
    assert {sku: (view.state, view.at_risk) for sku, view in views.items()} == {
        "mug": (State.QUARANTINED, 3),
        "SPOON": (State.QUARANTINED, 6),
    }


def test_two_names_may_be_exchanged(store: TimedStore) -> None:
    town = Town.build(store, aliases=Aliases([Alias("store", "A", "B"), Alias("store", "B", "A")]))
    for sku, units, there in (("A", 8, 3), ("B", 5, 9)):
        town.till.shop.put(sku, units)
        town.store.shop.put(sku, there)
    pull_all(town)
    town.store.shop.sell("A", 3)
    pull_all(town)
    pull_all(town)
    push(town.context, "store", Deadline(60))

    records = {record.sku: record for record in town.context.ledger.every_record()}
    assert {sku: record.on_hand for sku, record in records.items()} == {"A": 8, "B": 2}
    assert (town.store.shop.shown("B"), town.store.shop.shown("A")) == (8, 2)


def test_a_sale_under_another_name_is_found_by_the_audit_which_names_its_order(store: TimedStore) -> None:
    town = Town.build(store, SELLING, aliases=Aliases([Alias("store", "S-9", "MUG")]))
    town.till.shop.put("MUG", 10)
    town.store.shop.put("S-9", 10)
    town.market.shop.put("MUG", 10)
    pull_all(town)
    store.clock.advance(120)
    pull_all(town)
    town.till.shop.sell("MUG")
    pull(town.context, "till", Deadline(60))
    sales: list[Sale] = []

    def listed(since: datetime) -> Iterator[Sale]:
        yield from sales

    def sold_under_the_write() -> None:
        at = datetime.fromtimestamp(store.clock.ms / 1000, UTC)
        sales.append(Sale("1001", "1", "s-9", "ref-s-9", 2, at))
        town.store.shop.before_write = lambda: None

    town.store.sales = listed  # type: ignore[method-assign]
    town.store.shop.before_write = sold_under_the_write
    town.store.shop.fates.append(Fate(Result.CONFIRMED, applied=True))
    push(town.context, "store", Deadline(60))
    for _ in range(4):
        store.clock.advance(60)
        pull(town.context, "store", Deadline(60))
        audit(town.context, "store", Deadline(60))

    last = town.context.ledger.history("MUG")[-1]
    assert (last.units, last.why) == (-2, "sold under a write")
    assert last.cause.startswith("order 1001, audit of store's orders")


CHANNEL = """
[channels.till]
type = "pos_csv"
path = "pos"
[mapping]
aliases = "aliases.csv"
"""


def test_aliases_stand_in_a_csv() -> None:
    aliases = load(CHANNEL, aliases="channel,channel_sku,sku\ntill,4711,MUG\n").aliases
    assert (aliases.ours("till"), aliases.theirs("till", "mug"), aliases.theirs("till", "tea")) == (
        {"4711": "MUG"},
        "4711",
        "tea",
    )


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ("channel,sku\ntill,4711\n", "aliases.csv:1: there is no column 'channel_sku'"),
        ("channel,channel_sku,sku\ntil,4711,MUG\n", "aliases.csv:2: there is no channel 'til'; did you mean 'till'?"),
        ("channel,channel_sku,sku\ntill,A,MUG\ntill,a,TEA\n", "aliases.csv:3: a is MUG already, by a row above"),
        ("channel,channel_sku,sku\ntill,,MUG\n", "aliases.csv:2: channel_sku is blank"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line(csv: str, words: str) -> None:
    assert words in refused(CHANNEL, aliases=csv)
