"""Rule 8: a till's file is applied whole or not at all; what cannot be right moves nothing, and is one hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels import Level
from channels.pos_csv import PosCsvChannel, PosCsvSettings
from channels.pos_csv.client import Claim, Lost
from sync.deadline import Deadline
from sync.guard import decisions
from sync.guard.holds import HeldRun, Kind
from sync.guard.judge import GuardSettings
from sync.pull import pull
from sync.stock.ledger import Window
from tests.conftest import TRUSTING, TimedStore, Town

SKUS = [f"S{number:03}" for number in range(100)]
UTC = UTC


class Shop:
    """A till's folder, and a town of which it is the authority. Its first file counts 10 of each of 100 SKUs."""

    def __init__(self, store: TimedStore, folder: Path, guard: GuardSettings = TRUSTING) -> None:
        self.folder = folder
        self.town = Town.build(store, guard=guard)
        self.context = self.town.context
        settings = PosCsvSettings(type="pos_csv", path=folder, quiet_s=0)
        till = PosCsvChannel("till", settings, clock=lambda: datetime.fromtimestamp(store.clock.ms / 1000, UTC))
        self.context.channels = {**self.context.channels, "till": till}
        for sku in SKUS:
            self.town.market.shop.put(sku, 10)
            self.town.store.shop.put(sku, 10)
        self.drop(dict.fromkeys(SKUS, 10))
        self.read("store", "market")

    def drop(self, counts: Mapping[str, int | str], header: str = "sku,quantity") -> None:
        """The till exports a file, and it is read."""
        self.drop_text("\n".join([header, *(f"{sku},{units}" for sku, units in counts.items())]) + "\n")

    def drop_text(self, text: str) -> None:
        self.context.store.clock.advance(60)  # type: ignore[attr-defined]
        at = datetime.fromtimestamp(self.context.store.now_ms() / 1000, UTC) - timedelta(seconds=1)
        (self.folder / f"stock-{at:%Y%m%dT%H%M%SZ}.csv").write_text(text, "utf-8")
        self.read("till")

    def read(self, *names: str) -> None:
        for name in names:
            while not pull(self.context, name, Deadline(60)):
                pass

    def units(self) -> int:
        return sum(record.on_hand or 0 for record in self.context.ledger.every_record())

    def on_hand(self, sku: str) -> int | None:
        (record,) = self.context.ledger.records([sku])
        return record.on_hand

    def held(self) -> HeldRun:
        """The one hold that is open."""
        (hold,) = self.context.holds.open_ones()
        return hold

    def wrong(self) -> list[str]:
        """What would be written elsewhere."""
        self.context.store.clock.advance(1)  # type: ignore[attr-defined]
        return [
            record.sku
            for name in ("store", "market")
            for record in self.context.ledger.records(self.context.worklist.dirty(name, 1000))
            if self.context.policy.target(record, name) != record.listings[name].level
        ]


@pytest.fixture
def shop(store: TimedStore, tmp_path: Path) -> Shop:
    return Shop(store, tmp_path)


def test_a_good_file_is_applied(shop: Shop) -> None:
    shop.drop({sku: 9 if place < 40 else 10 for place, sku in enumerate(SKUS)})
    assert shop.units() == 960
    assert shop.context.holds.open_ones() == []
    assert len(shop.wrong()) == 80


Damage = Callable[[Shop], None]

DAMAGES: Mapping[str, tuple[Damage, Kind, str]] = {
    "truncated": (
        lambda shop: shop.drop(dict.fromkeys(SKUS[:45], 9)),
        Kind.FILE,
        "55 listings are missing, of 100; the limit is 30%",
    ),
    "cut in the middle of a line": (
        lambda shop: shop.drop_text("sku,quantity\n" + "".join(f"{sku},9\n" for sku in SKUS[:45]) + "S0"),
        Kind.SET_ASIDE,
        "the file was cut",
    ),
    "header only": (lambda shop: shop.drop({}), Kind.SET_ASIDE, "it has a header but no rows"),
    "empty": (lambda shop: shop.drop_text(""), Kind.SET_ASIDE, "was set aside"),
    "all quantities blank": (
        lambda shop: shop.drop(dict.fromkeys(SKUS, "")),
        Kind.SET_ASIDE,
        "not one of its rows gives a level",
    ),
    "most quantities blank": (
        lambda shop: shop.drop({sku: "" if place < 60 else 9 for place, sku in enumerate(SKUS)}),
        Kind.FILE,
        "60 listings are missing, of 100",
    ),
    "prices in the column of quantities": (
        lambda shop: shop.drop({sku: f"{place + 9}.95" for place, sku in enumerate(SKUS)}),
        Kind.SET_ASIDE,
        "of its 100 rows cannot be read",
    ),
    "whole prices in the column of quantities": (
        lambda shop: shop.drop({sku: 1000 + place for place, sku in enumerate(SKUS)}),
        Kind.FILE,
        "units come, of 1000; the limit is 300%",
    ),
    "other small numbers in the column of quantities": (
        lambda shop: shop.drop({sku: 3 + place % 6 for place, sku in enumerate(SKUS)}),
        Kind.FILE,
        "100 listings change, of 100; the limit is 90%",
    ),
    "barcodes in the column of quantities": (
        lambda shop: shop.drop({sku: 8801234567890 + place for place, sku in enumerate(SKUS)}),
        Kind.SET_ASIDE,
        "of its 100 rows cannot be read",
    ),
    "nearly all zero": (
        lambda shop: shop.drop({sku: 0 if place < 90 else 10 for place, sku in enumerate(SKUS)}),
        Kind.FILE,
        "90 listings fall to zero, of 100; the limit is 30%",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_moves_nothing_and_is_one_hold(shop: Shop, name: str) -> None:
    damage, kind, words = DAMAGES[name]
    damage(shop)

    hold = shop.held()
    assert (hold.kind, hold.channel, hold.times) == (kind, "till", 1)
    assert any(words in finding for finding in hold.words), hold.words
    assert all(hold.source in finding for finding in hold.words)
    assert shop.units() == 1000
    assert shop.wrong() == []


def test_a_file_that_is_lost_half_way_moves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.pos_csv.pages.PAGE_ROWS", 90)
    calls: list[str] = []

    def gone(claim: Claim) -> None:
        calls.append(claim.found.name)
        if len(calls) == 2:
            raise Lost(claim.found.name)

    with monkeypatch.context() as losing:
        losing.setattr(Claim, "renew", gone)
        shop.drop(dict.fromkeys(SKUS, 0))
    assert (len(calls), shop.units(), shop.context.holds.open_ones()) == (2, 1000, [])

    shop.read("till")
    assert shop.held().words[0].endswith("100 listings fall to zero, of 100; the limit is 30%")
    assert shop.units() == 1000


def test_a_file_that_brings_new_skus_with_its_damage_opens_none_of_them(shop: Shop) -> None:
    shop.drop(dict.fromkeys(SKUS, 0) | {"NEW": 5})
    assert shop.held().kind is Kind.FILE
    assert shop.context.ledger.records(["NEW"]) == []


def test_an_approved_file_is_applied_as_of_its_count(shop: Shop) -> None:
    shop.drop({sku: 0 if place < 90 else 9 for place, sku in enumerate(SKUS)} | {"NEW": 5})
    decisions.approve(shop.context, shop.held(), "ann")

    assert shop.units() == 90 + 5
    assert shop.context.ledger.history("S000")[-1].cause.startswith("stock-")
    assert shop.context.holds.open_ones() == []


def test_what_a_newer_count_has_overtaken_is_left_out_of_an_approved_file(shop: Shop) -> None:
    shop.drop(dict.fromkeys(SKUS[:60], 0) | dict.fromkeys(SKUS[60:], 10))
    hold, now_ms = shop.held(), shop.context.store.now_ms()
    (record,) = shop.context.ledger.records(["S000"])
    newer = Level("S000", record.listings["till"].ref, 8)
    can = shop.context.channels["till"].capabilities
    shop.context.ledger.merge("till", [newer], Window(now_ms, now_ms), can, cause="a newer count")
    decisions.approve(shop.context, hold, "ann")

    assert shop.on_hand("S000") == 8
    assert shop.on_hand("S001") == 0


def test_approving_a_file_again_after_a_death_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.drop({sku: 0 if place < 90 else 9 for place, sku in enumerate(SKUS)})
    hold = shop.held()
    with monkeypatch.context() as dying:
        dying.setattr(shop.context.holds, "carried_out", lambda hold: None)
        decisions.approve(shop.context, hold, "ann")
    assert len(shop.context.holds.to_carry_out()) == 1
    decisions.approve(shop.context, hold, "ann")

    assert shop.units() == 90
    assert len(shop.context.ledger.history("S000")) == 2
    assert shop.context.holds.to_carry_out() == []


def test_of_a_discarded_file_nothing_is_left(shop: Shop) -> None:
    shop.drop(dict.fromkeys(SKUS, 0))
    hold = shop.held()
    decisions.discard(shop.context, hold, "ann")
    assert shop.units() == 1000
    assert list(shop.context.holds.rows(hold).chunks()) == []


def test_a_newer_bad_file_takes_the_place_of_a_held_one(shop: Shop) -> None:
    shop.drop(dict.fromkeys(SKUS, 0))
    first = shop.held()
    shop.drop({sku: 0 if place else 7 for place, sku in enumerate(SKUS)})
    assert shop.held().id == first.id
    assert shop.held().times == 2
    decisions.approve(shop.context, shop.held(), "ann")
    assert shop.units() == 7


def test_a_newer_good_file_closes_what_was_held(shop: Shop) -> None:
    shop.drop(dict.fromkeys(SKUS, 0))
    shop.drop({})
    assert {hold.kind for hold in shop.context.holds.open_ones()} == {Kind.FILE, Kind.SET_ASIDE}
    shop.drop(dict.fromkeys(SKUS[:50], 9) | dict.fromkeys(SKUS[50:], 10))
    assert shop.context.holds.open_ones() == []
    assert shop.units() == 950


def test_a_till_whose_files_tell_of_some_skus_only_has_each_held_file_kept(store: TimedStore, tmp_path: Path) -> None:
    shop = Shop(store, tmp_path, TRUSTING.model_copy(update={"missing_share": 1.0}))
    shop.drop(dict.fromkeys(SKUS[:40], 0))
    shop.drop(dict.fromkeys(SKUS[40:80], 0))
    shop.drop(dict.fromkeys(SKUS[80:], 9))
    hold = shop.held()
    assert (shop.units(), hold.figures.zeroed, len(hold.sample)) == (980, 80, 20)

    decisions.approve(shop.context, hold, "ann")
    assert shop.units() == 180


def test_a_file_that_could_not_be_read_cannot_be_approved(shop: Shop) -> None:
    shop.drop({})
    with pytest.raises(decisions.Undecidable, match="there is nothing to approve"):
        decisions.approve(shop.context, shop.held(), "ann")
    decisions.discard(shop.context, shop.held(), "ann")
    assert shop.context.holds.open_ones() == []


def test_a_first_file_is_compared_with_nothing(shop: Shop) -> None:
    assert shop.units() == 1000
    assert shop.context.ledger.history("S000")[0].why == "opened"
