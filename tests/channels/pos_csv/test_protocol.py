"""Random days of a till and a web shop: whatever the order of things, no unit is lost and none is counted twice."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from channels.contract import Level, Result, Write
from channels.pos_csv import pages, times

from .conftest import Clock, Shop

SKUS = ("A", "B", "C")
skus = st.sampled_from(SKUS)
units = st.integers(1, 3)
pauses = st.sampled_from([0.0, 0.001, 1.0, 60.0])


class Books:
    """The least that a worker must keep: on hand, the till's confirmed level, and the write on its way."""

    def __init__(self) -> None:
        self.on_hand: dict[str, int] = {}
        self.level: dict[str, int] = {}
        self.target: dict[str, int] = {}

    def read(self, row: Level) -> None:
        """DESIGN rules 4 and 5: a level moves on hand by what it differs from the one that is expected."""
        if row.sku in self.level:
            self.on_hand[row.sku] += row.units - self.target.pop(row.sku, self.level[row.sku])
        else:
            self.on_hand[row.sku] = row.units
        self.level[row.sku] = row.units

    def wrong(self) -> list[Write]:
        """The listings to write: those that differ and have no write on its way."""
        return [
            Write(sku.casefold(), sku, on_hand, self.level[sku])
            for sku, on_hand in self.on_hand.items()
            if on_hand != self.level[sku] and sku not in self.target
        ]


class Day(RuleBasedStateMachine):
    """A till that sells, exports and books when it likes, and a worker that reads and writes when it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.shop = Shop(Path(self.folder.name) / "pos", self.clock)
        self.till = self.shop.till
        self.till.keeps = False
        self.channel = self.shop.channel(writes=True, acknowledge="removed", slack_s=0)
        self.books = Books()
        self.web = dict.fromkeys(SKUS, 0)
        self.counter = dict.fromkeys(SKUS, 20)
        self.counter_at: dict[str, dict[str, int]] = {}
        self.delayed: list[tuple[str, str]] = []
        self.newest = self.clock()
        self.opened = self.failed = False
        self.pages = mock.patch.object(pages, "PAGE_ROWS", 1)
        self.pages.start()

    @initialize()
    def open_shop(self) -> None:
        for sku in SKUS:
            self.till.count(sku, 20)
        self.the_till_exports()
        self.work(pages=99)
        self.opened = True

    @rule(sku=skus, count=units)
    def the_till_sells(self, sku: str, count: int) -> None:
        self.till.sell(sku, count)
        self.counter[sku] -= count

    @rule(sku=skus, count=units)
    def goods_arrive(self, sku: str, count: int) -> None:
        self.till.restock(sku, count)
        self.counter[sku] += count

    @rule(sku=skus, count=units)
    def the_web_sells(self, sku: str, count: int) -> None:
        self.books.on_hand[sku] -= count
        self.web[sku] -= count

    @rule(after_s=pauses)
    def the_till_exports(self, after_s: float = 0.0) -> None:
        self.clock.advance(after_s)
        self.till.export(self.name())

    @rule(after_s=pauses)
    def an_export_gets_stuck_on_its_way(self, after_s: float) -> None:
        self.clock.advance(after_s)
        self.delayed.append((self.name(), self.till.snapshot()))

    @rule()
    @precondition(lambda self: self.delayed)
    def a_stuck_export_arrives(self) -> None:
        name, text = self.delayed.pop()
        self.till.drop(name, text.encode())

    @rule()
    def the_till_books(self) -> None:
        self.till.take_adjustments()

    @rule(pages=st.sampled_from([0, 1, 2, 99]))
    def work(self, pages: int) -> None:
        """Read, and be killed with a page in hand once so many are applied; what was applied stays applied."""
        reading = self.channel.read_all()
        self.failed = True  # until this has gone well: a mistake must not hide behind its later effects
        for page, _ in zip(reading, range(pages), strict=False):
            if page.levels:
                assert page.as_of is not None
                assert page.as_of >= self.newest
                self.newest = page.as_of
            for row in page.levels:
                self.books.read(row)
                # What the books know is what the web sold until now and the counter until that snapshot.
                assert self.books.on_hand[row.sku] == self.web[row.sku] + self.counter_at[page.source][row.sku]
        self.failed = False
        reading.close()  # type: ignore[attr-defined]

    @rule()
    def push(self) -> None:
        writes = self.books.wrong()
        for write, outcome in zip(writes, self.channel.write(writes), strict=True):
            assert outcome.result in (Result.ACCEPTED, Result.DEFERRED)
            if outcome.result is Result.ACCEPTED:
                self.books.target[write.sku] = write.units

    @rule()
    @precondition(lambda self: self.books.target)
    def a_worker_repeats_a_write_that_it_forgot(self) -> None:
        writes = [
            Write(sku.casefold(), sku, target, self.books.level[sku])
            for sku, target in self.books.target.items()
            if target != self.books.level[sku]
        ]
        before = self.till.waiting()
        assert all(outcome.result is Result.DEFERRED for outcome in self.channel.write(writes))
        assert self.till.waiting() == before

    def name(self) -> str:
        """The name of an export that is made now."""
        name = f"stock-{times.stamp(self.clock())}-{len(self.counter_at):03}.csv"
        self.counter_at[name] = dict(self.counter)
        return name

    def teardown(self) -> None:
        """When everyone has done what is left to do, all numbers are the true ones."""
        try:
            if self.opened and not self.failed:
                for _ in range(4):
                    self.push()
                    self.till.take_adjustments()
                    self.work(pages=99)  # sees what was booked
                    self.clock.advance(1)
                    self.the_till_exports()
                    self.work(pages=99)
                truth = {sku: self.counter[sku] + self.web[sku] for sku in SKUS}
                assert self.books.on_hand == truth
                assert self.till.stock == truth
                assert self.books.target == {}
        finally:
            self.pages.stop()
            self.folder.cleanup()


Day.TestCase.settings = settings(max_examples=30, stateful_step_count=40, suppress_health_check=list(HealthCheck))
TestADay = Day.TestCase
