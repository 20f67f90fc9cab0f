"""A long reading goes on in several lanes at once, and is still the same reading."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from channels import Page
from channels.errors import Unreachable
from sync import lanes
from sync.deadline import Deadline
from sync.lanes import FAR, LANES
from sync.pull import pull
from sync.readings import Pulls
from tests.conftest import STORE, MemoryChannel, Town

PAGE = 2
LISTINGS = 40 * PAGE


class Wide(MemoryChannel):
    """A channel that can be read in parts; a cursor is ``start-end``."""

    def __init__(self) -> None:
        super().__init__("store", STORE, page=PAGE)
        self.asked: list[str] = []
        self.splits = 0
        #: What happens on each request of a part.
        self.on_part = lambda ref: None

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        start, _, end = (cursor or "0").partition("-")
        refs = sorted(self.shop.units)[: int(end) if end else None]
        for at in range(int(start), len(refs), self.page):
            if end:
                self.on_part(refs[at])
            self.asked.append(refs[at])
            then = at + self.page
            ahead = f"{then}-{end}" if end else str(then)
            yield self._page(refs[at:then], ahead if then < len(refs) else None)

    def split(self, cursor: str, parts: int) -> Sequence[str]:
        if "-" in cursor:
            return [cursor]
        self.splits += 1
        start, last = int(cursor), len(self.shop.units)
        step = -(-(last - start) // (parts * self.page)) * self.page
        return [f"{at}-{min(at + step, last)}" for at in range(start, last, step)]


@pytest.fixture
def wide(town: Town) -> Wide:
    """The town's store, with many pages."""
    channel = Wide()
    town.context.channels["store"] = channel  # type: ignore[index]
    for number in range(LISTINGS):
        for shop in (town.till.shop, channel.shop):
            shop.put(f"SKU-{number:03}", number)
    assert pull(town.context, "till", Deadline(60))
    return channel


def known(town: Town) -> dict[str, int]:
    return {record.sku: record.listings["store"].level for record in town.context.ledger.every_record()}


def test_a_long_reading_is_parted_and_shows_every_listing_once(town: Town, wide: Wide) -> None:
    assert pull(town.context, "store", Deadline(60))
    assert known(town) == {f"SKU-{number:03}": number for number in range(LISTINGS)}
    assert sorted(wide.asked) == sorted(wide.shop.units)[::PAGE]
    assert wide.splits == 1
    assert Pulls(town.context.store).state("store").last_rows == LISTINGS


def test_as_many_requests_are_under_way_as_there_are_lanes(town: Town, wide: Wide) -> None:
    fellows = threading.Barrier(LANES)
    wide.on_part = lambda ref: fellows.wait(10) and None  # it would break were one asked after the other
    assert pull(town.context, "store", Deadline(60))
    assert not fellows.broken


def test_a_short_reading_is_spared_the_call_that_parts_it(
    town: Town, wide: Wide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FAR", LISTINGS // PAGE)
    assert pull(town.context, "store", Deadline(60))
    assert wide.splits == 0


def test_the_next_page_of_a_lane_is_asked_for_once_the_one_before_is_applied(town: Town, wide: Wide) -> None:
    early = []

    def asked(ref: str) -> None:
        before = sorted(wide.shop.units)[sorted(wide.shop.units).index(ref) - PAGE]
        if before not in firsts and before not in applied:
            early.append(ref)

    applied = set[str]()
    refs = sorted(wide.shop.units)
    firsts = {refs[int(part.split("-")[0]) - PAGE] for part in wide.split(str(FAR * PAGE), LANES)}
    wide.on_part = asked
    for read in lanes.read_all(town.context, wide, ()):
        applied |= {level.ref for level in read.page.levels}
    assert not early
    assert applied == set(refs)


def test_a_reading_that_breaks_goes_on_in_each_of_its_lanes(town: Town, wide: Wide) -> None:
    refs = sorted(wide.shop.units)
    broken = refs[-PAGE]

    def breaks(ref: str) -> None:
        if ref == broken:
            raise Unreachable("store", "read", "it is gone")

    wide.on_part = breaks
    with pytest.raises(Unreachable):
        pull(town.context, "store", Deadline(60))
    assert Pulls(town.context.store).state("store").cursors
    wide.asked.clear()
    wide.on_part = lambda ref: None
    assert pull(town.context, "store", Deadline(60))
    assert known(town) == {f"SKU-{number:03}": number for number in range(LISTINGS)}
    assert broken in wide.asked
    assert len(wide.asked) <= LISTINGS // PAGE - FAR, "what was applied before the lanes is not read again"


class Brief(Deadline):
    """Over at every third look."""

    looks = 0

    @property
    def over(self) -> bool:
        self.looks += 1
        return self.looks % 3 == 0


def test_a_task_whose_time_is_over_leaves_the_lanes_to_the_next(
    town: Town, wide: Wide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FAR", 2)
    left = set[int]()
    while not pull(town.context, "store", Brief(60)):
        left.add(len(Pulls(town.context.store).state("store").cursors))
        assert len(wide.asked) < 2 * LISTINGS
    assert LANES in left
    assert known(town) == {f"SKU-{number:03}": number for number in range(LISTINGS)}
