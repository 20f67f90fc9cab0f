"""Notes: a run of rows that reads as it did is known again, and nothing else comes of it.

The same random story is told to two stocks of record: one makes notes, the other looks at every row. After each step
both hold the same, to the last field, mark and movement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels import Level, Result
from sync.stock import notes
from sync.stock.ledger import Merged, Window, Withhold
from sync.stock.notes import Run
from sync.stock.recipes import Part, Recipe, Recipes
from sync.stock.writes import Settlement
from sync.storage import embedded
from sync.storage.store import PREFIX, Call, bucket_of, bucket_prefix, fold
from tests.conftest import CHANNELS, Bench, Clock, TimedStore
from tests.notes import faults

#: The store knows orders, so that its listings are at rest only when their accounts are.
ORDERLY = {**CHANNELS, "store": replace(CHANNELS["store"], orders=True)}
WRITABLE = ("store", "market")

#: SKUs of one bucket, so that the rows of a page are one run. In stories the last is a bundle of the first.
SKUS = [sku for sku in (f"S{number}" for number in range(200)) if bucket_of(fold(sku)) == 0][:4]
BUNDLES = Recipes([Recipe(fold(SKUS[-1]), SKUS[-1], (Part(fold(SKUS[0]), SKUS[0], 2),))])


class NotingStore(TimedStore):
    """A store that counts the runs that were known by their notes."""

    known_again = 0

    def run(self, name: str, calls: Sequence[Call]) -> list[Any]:
        answers = super().run(name, calls)
        self.known_again += sum(answers) if name == "same" else 0
        return answers


class Stock(Bench):
    """A stock of record, and what happens to it."""

    store: NotingStore

    def page(self, channel: str, units: Sequence[int | None], window: Window | None = None, ref: str = "") -> Merged:
        """A channel shows these SKUs in order, all but those of which it shows nothing."""
        pairs = [pair for pair in zip(SKUS, units, strict=False) if pair[1] is not None]
        levels = [Level(sku, f"{channel}-{fold(sku)}{ref}", cast("int", count)) for sku, count in pairs]
        return self.merge(channel, levels, window=window)

    def known(self, channel: str, units: Sequence[int | None], window: Window | None = None) -> bool:
        """The same; says whether it was known by its note."""
        before = self.store.known_again
        self.page(channel, units, window)
        return self.store.known_again > before

    # --- the steps of a story

    def reads(self, channel: str, units: Sequence[int | None], ago_s: float, withhold: Withhold, ref: str) -> object:
        now_ms = self.store.now_ms()
        window = Window(now_ms - round(1000 * ago_s), now_ms - round(500 * ago_s))
        pairs = [pair for pair in zip(SKUS, units, strict=True) if pair[1] is not None]
        levels = [Level(sku, f"{channel}-{fold(sku)}{ref}", cast("int", count)) for sku, count in pairs]
        return self.ledger.merge(
            channel, levels, window, self.channels[channel], cause="a reading", now_ms=now_ms, withhold=withhold
        )

    def writes_to(self, channel: str, sku: str, target: int, result: Result) -> object:
        if not self.ledger.records([sku]):
            return None
        held = self.claim(channel, sku, target=target, token="me")
        self.later(0.1)
        return held.what, held.settle(result, "no")

    def settles(self, channel: str, sku: str, result: Result) -> object:
        row = Settlement(fold(sku), result, "no")
        return self.writes.settle(channel, "me", [row], self.store.now_ms(), settle_s=2.0)

    def script(self, name: str, channel: str, sku: str) -> object:
        """One of the scripts that work on single listings."""
        now_ms, folded = self.store.now_ms(), fold(sku)
        arguments: dict[str, list[str | int]] = {
            "park": [channel, "no", folded, 1],
            "retry": [channel, now_ms, folded],
            "suspect": [channel, now_ms, folded],
            "forget": [channel, now_ms, now_ms + 1000, 2000, int(channel == "store"), 2000, folded],
            "rename": [channel, folded, f"{channel}-{folded}", "other"],
            "absent": [channel, now_ms, now_ms - 100, 1, *map(fold, SKUS)],
        }
        return self.store.run(name, [Call([bucket_prefix(bucket_of(folded))], arguments[name])])

    def audits(self, sku: str, close: bool) -> object:
        """What an audit does, for which an order tells of nothing."""
        key, now_ms = f"{bucket_prefix(0)}sku:{fold(sku)}", self.store.now_ms()
        seen = self.store.client.hget(key, f"store:{'due' if close else 'edge'}")
        rest = ["close", seen, 0, 0, ""] if close else ["quiet", seen, now_ms - 1000, 0, ""]
        head = ["store", now_ms, "an audit", len(WRITABLE), *WRITABLE, 0]
        return self.store.run("audit", [Call([bucket_prefix(0)], [*head, fold(sku), *rest])]) if seen else None

    def waits(self, seconds: float) -> object:
        return self.later(seconds)

    def holds(self) -> dict[str, object]:
        """All that the store holds, but notes; of a reading, when it was; ids of movements apart."""
        found: dict[str, object] = {}
        client = self.store.client
        for key in client.scan_iter(f"{PREFIX}*"):
            if ":sku:" in key:
                folded = key.partition(":sku:")[2]
                fields = cast("dict[str, str]", client.hgetall(key))
                found[key] = {
                    name: self.ledger.read_ms(name.removesuffix(":read"), folded) if name.endswith(":read") else text
                    for name, text in fields.items()
                    if name not in ("last", "bundle:last")
                }
            elif key.endswith(":movements"):
                rows = [row for _, row in client.xrange(key)]
                found[key] = [{name: text for name, text in row.items() if "prev" not in name} for row in rows]
            elif ":notes:" not in key:
                kind = client.type(key)
                found[key] = client.zrange(key, 0, -1, withscores=True) if kind == "zset" else client.dump(key)
        return found


@pytest.fixture
def stock(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stock]:
    """A stock of record that makes notes of the shortest runs."""
    monkeypatch.setattr(notes, "SHORTEST", 2)
    store = NotingStore(f"{embedded.url(data_dir)}?db=1", Clock())
    store.client.flushdb()
    yield Stock(store, ORDERLY)
    assert faults(store.client) == []
    store.close()


@pytest.fixture
def noted(stock: Stock) -> Stock:
    """The same, when every channel has shown ten of each SKU, and again, and nothing is open."""
    for _ in range(2):
        for channel in ORDERLY:
            stock.page(channel, [10] * 4)
    stock.rest()
    return stock


def test_rows_that_read_as_they_did_are_known_by_their_note(noted: Stock) -> None:
    window = noted.window()

    assert noted.known("store", [10] * 4, window)
    assert [noted.read_ms("store", sku) for sku in SKUS] == [window.ended_ms] * 4


def test_a_note_is_all_that_a_reading_which_is_as_it_was_changes(noted: Stock) -> None:
    before = {key: noted.store.client.dump(key) for key in noted.store.client.scan_iter("*") if ":notes:" not in key}
    noted.known("store", [10] * 4)

    after = {key: noted.store.client.dump(key) for key in noted.store.client.scan_iter("*") if ":notes:" not in key}
    assert after == before


def test_a_page_that_differs_is_not_known_and_its_successor_is(noted: Stock) -> None:
    assert not noted.known("store", [10, 9, 10, 10])
    noted.later(10)

    assert not noted.known("store", [10, 9, 10, 10])
    assert noted.known("store", [10, 9, 10, 10])


def test_a_level_that_comes_back_is_no_level_that_never_went(noted: Stock) -> None:
    noted.read("store", 9, SKUS[0])
    noted.later(10)

    assert not noted.known("store", [10] * 4)
    assert [movement.units for movement in noted.movements(SKUS[0])] == [10, -1, 1]


def test_a_write_breaks_the_note_of_its_listing(noted: Stock) -> None:
    noted.write("store", Result.UNKNOWN, SKUS[0], target=8)
    noted.later(10)

    assert noted.page("store", [10] * 4).counts == {"settled": 1}


def test_a_listing_that_is_missed_leaves_its_note(noted: Stock) -> None:
    noted.later(10)
    began_ms = noted.store.now_ms()
    noted.page("store", [10, 10, 10])

    assert noted.ledger.absent("store", began_ms) == {"missing": 1}
    assert not noted.known("store", [10] * 4)


def test_a_listing_that_is_taken_from_its_record_leaves_its_note(stock: Stock) -> None:
    for _ in range(2):
        stock.page("store", [10] * 4)
    assert stock.script("rename", "store", SKUS[0]) == [["kept"]]

    assert not stock.known("store", [10] * 4)


def test_a_broken_note_still_tells_when_the_others_were_read(noted: Stock) -> None:
    window = noted.window()
    noted.page("store", [10] * 4, window)
    noted.claim("store", SKUS[0], target=8)

    assert [noted.read_ms("store", sku) for sku in SKUS] == [window.ended_ms] * 4


def test_a_reading_that_overlaps_that_of_a_note_is_no_later_one(noted: Stock) -> None:
    older = noted.window(took_s=5)
    newer = Window(older.began_ms + 1000, older.began_ms + 2000)
    noted.page("store", [10] * 4, newer)

    assert not noted.known("store", [10] * 4, older)
    assert noted.read_ms("store", SKUS[0]) == newer.ended_ms


def test_rows_of_another_authority_are_merged_anew(noted: Stock) -> None:
    noted.ledger.roster = replace(noted.ledger.roster, authority="store")

    assert not noted.known("store", [10] * 4)


def test_rows_that_have_become_bundles_are_merged_anew(noted: Stock) -> None:
    noted.ledger.roster = replace(noted.ledger.roster, recipes=BUNDLES)

    assert not noted.known("store", [10] * 4)


def test_what_is_no_bundle_any_longer_is_counted_though_the_authority_shows_what_it_did(noted: Stock) -> None:
    for recipes in (BUNDLES, Recipes()):
        bundles = Stock(noted.store, ORDERLY, recipes).ledger.bundles
        bundles.link()
        bundles.work()
    assert noted.on_hand(SKUS[-1]) is None

    assert noted.page("till", [10] * 4).counts == {"counted": 1}
    assert noted.on_hand(SKUS[-1]) == 10


def test_a_sku_that_is_twice_on_a_page_has_no_note(noted: Stock) -> None:
    twice = [Level(SKUS[0], f"store-{fold(SKUS[0])}", 10)] * 2

    for _ in range(3):
        noted.merge("store", twice)
        assert noted.store.known_again == 0


def test_runs_that_have_one_name_share_no_note(noted: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    real = notes.run
    monkeypatch.setattr(notes, "run", lambda *args, **more: _called_alike(real(*args, **more)))
    other = [Level(f"{sku}x", f"store-{sku}x", 5) for sku in SKUS]
    for _ in range(3):
        noted.page("store", [10] * 4)
        noted.merge("store", other)

    assert noted.known("store", [10] * 4)
    assert noted.read_ms("store", f"{SKUS[0]}x") > 0


def _called_alike(run: Run) -> Run:
    return run._replace(note=("name", run.note[1]))


def test_a_change_in_a_long_run_leaves_its_other_parts_known(noted: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "LONGEST", 2)
    for _ in range(2):
        noted.page("store", [10] * 4)

    assert noted.known("store", [9, 10, 10, 10])


@given(st.integers(0, 500))
def test_rows_are_parted_evenly_and_none_is_lost(count: int) -> None:
    rows = list(range(4 * count))
    parts = notes.parted(rows)

    assert [field for part in parts for field in part] == rows
    assert all(notes.SHORTEST <= len(part) / 4 <= notes.LONGEST for part in parts) or count < notes.SHORTEST


def test_short_runs_have_no_notes(noted: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes, "SHORTEST", 5)

    assert not noted.known("store", [10] * 4)


CHANNEL, WRITTEN = st.sampled_from(list(ORDERLY)), st.sampled_from(WRITABLE)
SKU, RESULT = st.sampled_from(SKUS), st.sampled_from(list(Result))
UNITS = st.one_of(st.just([5, 5, 5, 5]), st.lists(st.sampled_from([5, 5, 6, 0, None]), min_size=4, max_size=4))
SCRIPT = st.sampled_from(["park", "retry", "suspect", "forget", "rename", "absent"])
READS = st.tuples(
    st.just("reads"),
    CHANNEL,
    UNITS,
    st.sampled_from([0.0, 0.02, 0.02, 5.0]),
    st.sampled_from([Withhold.NOTHING, Withhold.NOTHING, Withhold.MOVES, Withhold.CHANGES]),
    st.sampled_from(["", "", "", "", "", "twin"]),
)
STEP = st.one_of(
    READS,
    READS,
    st.tuples(st.just("waits"), st.sampled_from([0.5, 3.0, 70.0, 3600.0])),
    st.tuples(st.just("writes_to"), WRITTEN, SKU, st.sampled_from([4, 5, 6]), RESULT),
    st.tuples(st.just("settles"), WRITTEN, SKU, RESULT),
    st.tuples(st.just("script"), SCRIPT, WRITTEN, SKU),
    st.tuples(st.just("audits"), SKU, st.booleans()),
)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEP, max_size=25), st.sampled_from([2, 4]))
def test_with_notes_and_without_the_stock_of_record_is_the_same(
    data_dir: Path, steps: Sequence[tuple[Any, ...]], longest: int
) -> None:
    stores = [NotingStore(f"{embedded.url(data_dir)}?db={number}", Clock()) for number in (1, 2)]
    stocks = [Stock(store, ORDERLY, BUNDLES) for store in stores]
    for store in stores:
        store.client.flushdb()
    opening = [("reads", channel, [5, 5, 5, 2], 0.0, Withhold.NOTHING, "") for channel in ORDERLY]
    for name, *arguments in [*opening, *opening, *steps]:
        answers = []
        for one, shortest in zip(stocks, (2, 10**9), strict=True):
            with patch.object(notes, "SHORTEST", shortest), patch.object(notes, "LONGEST", longest):
                answers.append(getattr(one, name)(*arguments))
        assert answers[0] == answers[1]
        assert stocks[0].holds() == stocks[1].holds()
        assert faults(stores[0].client) == []
    for store in stores:
        store.close()


#: Scripts that change records and take no listing out of rest, and why.
NEVER_FROM_REST = {
    "settle": "it works on listings with a write under way",
    "retry": "it works on parked listings",
    "audit": "it closes accounts, and so brings listings to rest",
    "suspect": "a revision has nothing to do with it",
    "link": "what a bundle is made of stands in the digest",
    "book": "it moves stock of components and touches no listing",
    "assemble": "it moves stock of bundles and touches no listing",
}


def test_every_script_that_takes_a_listing_out_of_rest_breaks_its_note() -> None:
    scripts = {
        path.name.removesuffix(".lua"): path.read_text("utf-8") for path in files("sync").joinpath("lua").iterdir()
    }
    change_records = {
        name
        for name, text in scripts.items()
        if not name.startswith("lib_") and "'sku:'" in text and re.search("'H(SET|SETNX|DEL|INCRBY)'", text)
    }
    breaking = {name for name in change_records if re.search(r"note\.(rouse|leave|spoil)\(", scripts[name])}

    assert change_records - breaking == set(NEVER_FROM_REST)
    assert breaking == {"merge", "claim", "forget", "park", "absent", "rename", "unlink"}
