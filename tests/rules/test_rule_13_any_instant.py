"""Rules 13 and 14: whatever dies, comes late or comes twice, the outcome is the same, and what is to be done is noted.

Two worlds of random stories. In the first, readings, claims and outcomes meet the stock of record in any order. In the
second the real pull, push and refresh work on channels in memory and die between any two steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from channels import Level, Result
from sync.deadline import Deadline
from sync.pull import pull
from sync.push import push
from sync.readings import Pulls
from sync.refresh import refresh
from sync.stock.ledger import Movement, Window
from sync.stock.records import Record
from sync.storage import embedded
from sync.storage.store import Call
from tests.conftest import CHANNELS, Bench, Clock, Fate, Held, TimedStore, Town


def stories(count: int) -> settings:
    """So many stories, the same ones every time."""
    return settings(
        max_examples=count,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


WRITABLE = ("store", "market")


# --- readings, claims and outcomes in any order


@dataclass
class Reading:
    """A level that a channel showed at some moment of a window that is not over yet."""

    channel: str
    units: int
    began_ms: int
    window: Window | None = None


@dataclass
class Writing:
    """A writer, what it has done so far, and until when the channel may still apply what it sent."""

    held: Held
    sent_by_ms: int
    applied: bool = False
    ended: bool = False


@dataclass
class Story:
    """A world of three channels with one SKU, and what must hold in it after every step."""

    bench: Bench
    truth: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 50))
    known: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHANNELS, 50))
    readings: list[Reading] = field(default_factory=list)
    writings: list[Writing] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    past: list[Movement] = field(default_factory=list)
    #: What on hand must be in the end, if nothing was left to guess.
    pool: int = 50
    clear: bool = True

    def change(self, channel: str, units: int) -> None:
        self.truth[channel] += units
        self.pool += units

    def wait(self, seconds: float) -> None:
        self.bench.later(seconds)

    def begin(self, channel: str) -> None:
        self.readings.append(Reading(channel, self.truth[channel], self.bench.store.now_ms()))

    def merge(self, which: int) -> None:
        if not self.readings:
            return
        reading = self.readings[which % len(self.readings)]
        reading.window = reading.window or Window(reading.began_ms, self.bench.store.now_ms())
        before, read_ms = self.bench.record(), self.bench.read_ms(reading.channel)
        merged = self.bench.read(reading.channel, reading.units, window=reading.window)
        if self.bench.read_ms(reading.channel) > read_ms:
            if not merged.counts["skipped"]:
                self.known[reading.channel] = reading.units
        else:
            assert self.bench.record() == before, "an older reading, or the same one again, changes nothing"

    def claim(self, channel: str) -> None:
        held = self.bench.claim(channel)
        if held.what == "claimed":
            self.clear &= channel == "store"
            self.writings.append(Writing(held, self.bench.clock.ms + 5000))

    def apply(self, which: int) -> None:
        writing = self._writing(which)
        if writing is None or writing.applied or writing.ended or self.bench.clock.ms > writing.sent_by_ms:
            return
        channel = writing.held.channel
        write = self.bench.listing(channel).write
        assert write is not None
        assert write.token == writing.held.token, "two writes are in flight"
        assert write.revision >= self.newest.get(channel, 0), "an older revision overwrites a newer one"
        self.newest[channel] = write.revision
        self.pool -= self.truth[channel] - writing.held.claim.base  # what this write swallows only orders tell
        self.truth[channel] = writing.held.claim.target
        writing.applied = True

    def settle(self, which: int, lost: bool, accepted: bool) -> None:
        writing = self._writing(which)
        if writing is None or writing.ended:
            return
        writing.ended = True
        held = writing.held
        self.clear &= not lost
        if not writing.applied:
            result = Result.UNKNOWN if lost else Result.DEFERRED
        elif lost:
            result = Result.UNKNOWN
        else:
            result = Result.ACCEPTED if accepted or held.channel == "market" else Result.CONFIRMED
        answer = held.settle(result)
        if result is Result.CONFIRMED and answer == "done":
            self.known[held.channel] = held.claim.target

    def _writing(self, which: int) -> Writing | None:
        return self.writings[which % len(self.writings)] if self.writings else None

    def holds(self) -> None:
        """The invariants."""
        bench, record = self.bench, self.bench.record()
        movements = bench.movements() if record.revision != len(self.past) else self.past
        assert movements[: len(self.past)] == self.past, "movements are only ever appended"
        self.past = movements
        assert record.on_hand == sum(movement.units for movement in movements)
        assert [movement.revision for movement in movements] == list(range(1, record.revision + 1))
        for channel, listing in record.listings.items():
            assert listing.level == self.known[channel], f"{channel} was last known to show something else"
        for channel in WRITABLE:
            listing = record.listings[channel]
            assert (listing.write is not None) == ("a" in bench.open(channel)), f"{channel}: open writes are listed"
            if listing.write is None and listing.level != max(0, record.on_hand or 0):
                assert bench.dirty(channel) == ["a"], f"{channel} is wrong and nobody knows"

    def quiet(self) -> None:
        """All writers are gone; then every channel is read twice."""
        for _ in range(2):
            self.wait(200)
            for channel in CHANNELS:
                self.begin(channel)
                self.merge(-1)
                self.holds()
        for channel in CHANNELS:
            assert self.bench.level(channel) == self.truth[channel]
            assert self.bench.open(channel) == {}
        if self.clear and all(writing.ended for writing in self.writings):
            assert self.bench.on_hand() == self.pool, "a unit was lost or invented"


CHANNEL = st.sampled_from(list(CHANNELS))
WHICH = st.integers(-3, -1)
STEP = st.one_of(
    st.tuples(st.just("change"), CHANNEL, st.integers(-3, 2)),
    st.tuples(st.just("wait"), st.sampled_from([0.05, 1.0, 2.5, 6.0, 40.0, 61.0])),
    st.tuples(st.just("begin"), CHANNEL),
    st.tuples(st.just("merge"), WHICH),
    st.tuples(st.just("claim"), st.sampled_from(WRITABLE)),
    st.tuples(st.just("apply"), WHICH),
    st.tuples(st.just("settle"), WHICH, st.booleans(), st.booleans()),
)


@stories(60)
@given(st.lists(STEP, max_size=25))
def test_in_whatever_order_things_meet_the_record_its_invariants_hold(
    store: TimedStore, steps: Sequence[tuple[Any, ...]]
) -> None:
    store.client.flushall()
    story = Story(Bench(store))
    story.bench.counted(50)
    for name, *arguments in (("change", "till", -3), ("begin", "till"), ("merge", -1)):
        getattr(story, name)(*arguments)
    for name, *arguments in steps:
        getattr(story, name)(*arguments)
        story.holds()
    story.quiet()


ROW = st.tuples(CHANNEL, st.sampled_from("ABC"), st.integers(-2, 9))


@stories(40)
@given(st.lists(st.lists(ROW, min_size=1, max_size=4), max_size=6), st.data())
def test_readings_that_are_merged_twice_equal_readings_merged_once(
    store: TimedStore, pages: Sequence[Sequence[tuple[str, str, int]]], data: st.DataObject
) -> None:
    once = _records_after(store, pages, [1] * len(pages))
    again = data.draw(st.lists(st.integers(1, 3), min_size=len(pages), max_size=len(pages)))

    assert _records_after(store, pages, again) == once


def _records_after(
    store: TimedStore, pages: Sequence[Sequence[tuple[str, str, int]]], times: Sequence[int]
) -> list[tuple[Record, list[tuple[int, str]]]]:
    store.client.flushall()
    store.clock = Clock()
    bench = Bench(store)
    for number, (page, often) in enumerate(zip(pages, times, strict=True)):
        window = Window(bench.clock.ms + 1000 * number, bench.clock.ms + 1000 * number + 10)
        for _ in range(often):
            for channel, sku, units in dict.fromkeys(page):
                level = Level(sku, f"{channel}-{sku}-{units % 2}", units)
                bench.ledger.merge(channel, [level], window, CHANNELS[channel], cause="a page", now_ms=window.ended_ms)
    return [
        (_without_ids(record), [(movement.units, movement.why) for movement in bench.movements(record.sku)])
        for record in bench.ledger.every_record()
    ]


def _without_ids(record: Record) -> Record:
    return Record(record.folded, record.sku, record.on_hand, record.revision, "", record.listings)


# --- death between any two steps


class Died(BaseException):
    """The process is gone: nothing after this line of it runs."""


class MortalStore(TimedStore):
    """A store whose user dies after so many steps."""

    fuse: int | None = None

    def burn(self) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                raise Died

    def run(self, name: str, calls: Sequence[Call]) -> list[Any]:
        self.burn()
        answers = super().run(name, calls)
        self.burn()
        return answers


@pytest.fixture
def data_store(data_dir: Path) -> Iterator[MortalStore]:
    store = MortalStore(embedded.url(data_dir), Clock())
    yield store
    store.close()


SKUS = ("A", "B", "C")
OPENING = 100_000

FATES = st.sampled_from(
    [
        Fate(Result.CONFIRMED, applied=True),
        Fate(Result.ACCEPTED, applied=True),
        Fate(Result.UNKNOWN, applied=True),
        Fate(Result.UNKNOWN, applied=False),
        Fate(Result.REFUSED, applied=False, words="no"),
        Fate(Result.DEFERRED, applied=False, words="later"),
    ]
)
FUSE = st.none() | st.integers(0, 12)
#: Units of the till are single ones and those of the others thousands, so that no sale looks like a lost write.
DEED = st.one_of(
    st.tuples(st.just("till"), st.sampled_from(SKUS), st.integers(-9, 9)),
    st.tuples(st.sampled_from(WRITABLE), st.sampled_from(SKUS), st.integers(1, 3).map(lambda n: -1000 * n)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 30.0, 70.0]), st.none()),
    st.tuples(st.just("pull"), CHANNEL, FUSE),
    st.tuples(st.just("refresh"), st.sampled_from(WRITABLE), FUSE),
    st.tuples(st.just("push"), st.sampled_from(WRITABLE), FUSE),
    st.tuples(st.just("push"), st.sampled_from(WRITABLE), FUSE),
)
DO = {"pull": pull, "push": push, "refresh": refresh}


@dataclass
class Mortals:
    """A town whose workers die."""

    town: Town
    store: MortalStore
    truth: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SKUS, OPENING))
    clear: bool = True

    def do(self, name: str, channel: str, fuse: int | None) -> None:
        self.store.fuse = fuse
        try:
            DO[name](self.town.context, channel, Deadline(60))
        except Died:
            self.clear = False
        finally:
            self.store.fuse = None

    def change(self, channel: str, sku: str, units: int) -> None:
        self.town.context.channel(channel).shop.sell(sku, -units)  # type: ignore[attr-defined]
        self.truth[sku] += units

    def settled(self) -> bool:
        context = self.town.context
        waiting = [context.worklist.waiting(name, self.store.now_ms()) for name in WRITABLE]
        return not any(wait.dirty or wait.open or wait.marks for wait in waiting)

    def calm_down(self) -> None:
        for sku in SKUS:  # what was refused is tried again when its number changes
            self.change("till", sku, 1)
        for channel in self.town.everywhere:
            channel.shop.fates.clear()
        for number in range(8):  # the first full reading may be the rest of one that was cut short
            self.store.clock.advance(130)
            for name in CHANNELS:
                self.do("pull", name, None)
            for name in WRITABLE:
                self.do("refresh", name, None)
                self.do("push", name, None)
            if number and self.settled():
                break
        self.store.clock.advance(130)
        for name in WRITABLE:
            self.do("refresh", name, None)


@stories(40)
@given(st.lists(DEED, max_size=20), st.lists(FATES, max_size=8))
def test_whatever_dies_between_any_two_steps_all_channels_agree_in_the_end(
    data_store: MortalStore, deeds: Sequence[tuple[str, Any, Any]], fates: Sequence[Fate]
) -> None:
    data_store.client.flushall()
    mortals = Mortals(Town.build(data_store), data_store)
    for channel in mortals.town.everywhere[1:]:
        channel.shop.before_page = channel.shop.before_write = data_store.burn
    for sku in SKUS:
        mortals.town.put(sku, OPENING)
    for name in CHANNELS:
        mortals.do("pull", name, None)
    for channel in mortals.town.everywhere[1:]:
        channel.shop.fates.extend(fates)
    for deed, where, what in deeds:
        if deed in DO:
            mortals.do(deed, where, what)
        elif deed == "wait":
            data_store.clock.advance(where)
        else:
            mortals.change(deed, where, what)
    mortals.calm_down()

    assert mortals.settled()
    clear = mortals.clear and not any(fate.result in (Result.UNKNOWN, Result.ACCEPTED) for fate in fates)
    for sku in SKUS:
        (record,) = mortals.town.context.ledger.records([sku])
        note(f"{record} {mortals.town.context.ledger.history(sku)}")
        assert record.on_hand is not None
        shown = [mortals.town.context.channel(name).shop.shown(sku) for name in WRITABLE]  # type: ignore[attr-defined]
        assert shown == [max(0, record.on_hand)] * 2
        assert [listing.write for listing in record.listings.values()] == [None] * 3
        assert record.on_hand <= mortals.truth[sku], "a unit was invented"
        if clear:
            assert record.on_hand == mortals.truth[sku], "a unit was lost"


def test_a_full_reading_that_is_asked_for_while_another_ends_is_not_forgotten(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever ends a reading and whoever asks for the next one may do so at the same instant."""
    pulls = Pulls(town.context.store)
    pulls.want("store", 900)
    pulls.begin("store", 1_000)
    ending = pulls.state("store")
    pulls.want("store", 2_000)
    monkeypatch.setattr(pulls, "state", lambda name: ending)  # as it stood just before
    pulls.finish("store", ending, 3_000)
    monkeypatch.undo()

    assert pulls.state("store").wanted_ms == 2_000
    pulls.begin("store", 4_000)
    pulls.finish("store", pulls.state("store"), 5_000)
    assert pulls.state("store").wanted_ms == 0
