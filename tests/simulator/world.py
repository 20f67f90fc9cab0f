"""The truth of one run: what the model channels really hold, and what has really happened to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.simulator.engine import Engine
from tests.simulator.plan import Plan, Site


@dataclass(slots=True)
class Order:
    """One order of one line."""

    id: int
    sku: str
    units: int
    at_ms: int
    #: The time that the channel gives for it: to the second, by its own clock.
    stated_ms: int
    #: When it was placed or changed last.
    changed_ms: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One write as it was sent, and the revision at which its listing was claimed."""

    channel: str
    sku: str
    revision: int
    units: int


@dataclass(slots=True)
class Shelf:
    """One listing as it really is."""

    sku: str
    ref: str
    actual: int
    #: When the level changed and to what, so that a lagging reading can show how it was.
    past: list[tuple[int, int]] = field(default_factory=list)
    #: Writes that are under way or may still land: when each was sent, and its target.
    in_flight: list[tuple[int, int]] = field(default_factory=list)
    #: When the last of them lands; a channel applies the writes of a listing in their order.
    lands_ms: int = 0
    #: The newest revision that was written.
    revision: int = -1
    #: Units that an accepted relative write will take, and that can be sold no more.
    reserved: int = 0
    hidden: int = 0
    refused: int = 0
    #: When somebody last changed it by hand, or gave units back.
    edited_ms: int = 0

    def set(self, units: int, now_ms: int) -> None:
        """The level is this from now on."""
        self.actual = units
        self.past.append((now_ms, units))

    def showed(self, units: int, since_ms: int) -> bool:
        """Whether it has been at this level since then."""
        return any(level == units for when, level in self.past if when >= since_ms)

    def at(self, time_ms: int) -> int:
        """The level as it was."""
        for when, units in reversed(self.past):
            if when <= time_ms:
                return units
        return self.past[0][1]


@dataclass(slots=True)
class Place:
    """One channel as it really is."""

    site: Site
    shelves: dict[str, Shelf]
    orders: list[Order] = field(default_factory=list)
    #: The till's files that nobody has archived yet: when they were written, and the counts.
    files: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    unreachable: int = 0


@dataclass
class World:
    """All channels, and the account of what moved where."""

    plan: Plan
    engine: Engine
    places: dict[str, Place] = field(default_factory=dict)
    #: Units that really came or went, by channel and SKU.
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: Units that came back or were added, by channel and SKU.
    raised: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: How often each thing worth counting happened.
    counts: Counter[str] = field(default_factory=Counter)
    #: What the rules forbid and was seen while it happened.
    violations: list[str] = field(default_factory=list)
    #: Every write that was sent since the store was set back.
    sent: list[Sent] = field(default_factory=list)
    calm: bool = False
    #: SKUs that some channel has refused to write, in order.
    refused_ever: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = self.plan.rng("world")
        for site in self.plan.sites:
            shelves = {}
            for sku, units in zip(self.plan.skus, site.levels, strict=True):
                shelf = Shelf(sku, f"{site.name}-{sku[-1].lower()}", units)
                shelf.set(units, self.engine.now - 1_000_000)
                shelves[sku] = shelf
            self.places[site.name] = Place(site, shelves)

    def shelf(self, channel: str, sku: str) -> Shelf:
        """One listing."""
        return self.places[channel].shelves[sku]

    def shelves(self) -> Iterator[tuple[Place, Shelf]]:
        """All listings."""
        for place in self.places.values():
            for shelf in place.shelves.values():
                yield place, shelf

    def sell(self, channel: str, sku: str, units: int, skew_ms: int) -> None:
        """Somebody buys."""
        place, shelf = self.places[channel], self.shelf(channel, sku)
        till = place.site.kind == "till"
        if not till and shelf.actual - shelf.reserved < units:
            self.engine.tell(channel, f"cannot sell {units} of {sku}, it has {shelf.actual - shelf.reserved}")
            return
        self.change(channel, sku, -units, "sells")
        self.counts["sales"] += 1
        if not till:
            stated = (self.engine.now + skew_ms) // 1000 * 1000
            place.orders.append(Order(len(place.orders) + 1, sku, units, self.engine.now, stated, self.engine.now))

    def give_back(self, channel: str, sku: str) -> None:
        """An order is cancelled, its stock comes back."""
        for order in self.places[channel].orders:
            if order.sku == sku and order.units:
                self.change(channel, sku, order.units, f"cancels order {order.id},")
                order.units, order.changed_ms = 0, self.engine.now
                self.counts["returns"] += 1
                return

    def edit(self, channel: str, sku: str, units: int) -> None:
        """Somebody restocks or takes away; never below nothing."""
        shelf = self.shelf(channel, sku)
        floor = shelf.reserved - shelf.actual if self.places[channel].site.kind != "till" else units
        units = max(units, floor)
        if units:
            self.change(channel, sku, units, "is changed by hand")
            self.counts["edits"] += 1

    def put_file(self, delay_ms: int = 0) -> None:
        """The till writes down its counts."""
        for place in self.places.values():
            if place.site.kind == "till":
                counts = {sku: shelf.actual for sku, shelf in place.shelves.items() if not shelf.hidden}
                self.engine.tell(place.site.name, f"writes a file: {counts}")
                arrives = partial(place.files.append, (self.engine.now, counts))
                if delay_ms:
                    self.engine.at(self.engine.now + delay_ms, arrives)
                else:
                    arrives()

    def shelf_at_start(self, channel: str, sku: str) -> int:
        """The level of a listing before anything happened."""
        return self.shelf(channel, sku).past[0][1]

    def change(self, channel: str, sku: str, units: int, what: str) -> None:
        """Units come or go."""
        shelf = self.shelf(channel, sku)
        shelf.set(shelf.actual + units, self.engine.now)
        if what != "sells":
            shelf.edited_ms = self.engine.now
            self.raised[channel, sku] += max(0, units)
        self.moved[channel, sku] += units
        self.engine.tell(channel, f"{what} {units:+d} {sku}, has {shelf.actual}")

    def violated(self, what: str) -> None:
        """Note what must never happen."""
        self.violations.append(what)
        self.engine.tell("!", what)
