"""What happens in one run, drawn from its seed before it starts.

Each event stands by itself and draws from a generator of its own, so that taking one away leaves the others as
they were: that is how a failing run is made short.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from sync.policy.rules import Rule
from sync.stock.recipes import Part, Recipe, Recipes

#: How the shop is written, or that Amazon stands in its place.
MODES = ("catalog", "inventory", "relative", "amazon")

Task = Literal["pull", "refresh", "push", "audit"]

#: What workers take up, the likelier the more often it stands here.
TASKS: tuple[Task, ...] = ("pull", "refresh", "push", "push", "push", "audit")


#: In which share of the worlds rules make another number of on hand.
RULED = 0.3

#: In which share of the worlds with several SKUs one is a bundle of others.
BUNDLED = 0.3

#: In which share of the worlds the store is set back.
SET_BACK = 0.15

#: In which share of the worlds the guard holds whatever is not small, until somebody approves.
GUARDED = 0.2


#: In which share of the worlds online channels tell what has changed, and pulls may be of that alone.
TELLING = 0.3


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens ``at`` milliseconds after the start; ``id`` names it within its run."""

    id: int
    at: int


@dataclass(frozen=True, slots=True)
class Sale(Event):
    """Somebody buys. An online channel refuses what it does not have, a till does not."""

    channel: str
    sku: str
    units: int


@dataclass(frozen=True, slots=True)
class Edit(Event):
    """Somebody restocks, takes away or counts anew at a channel: no order tells of it."""

    channel: str
    sku: str
    units: int


@dataclass(frozen=True, slots=True)
class Return(Event):
    """The order of a SKU at an online channel is cancelled and its stock given back; the order shows it."""

    channel: str
    sku: str


@dataclass(frozen=True, slots=True)
class File(Event):
    """The till writes its counts to a file, which arrives ``delay`` milliseconds later."""

    delay: int


@dataclass(frozen=True, slots=True)
class Hint(Event):
    """A webhook marks a listing to be read again."""

    channel: str
    sku: str


@dataclass(frozen=True, slots=True)
class Refusal(Event):
    """A channel refuses all writes of a SKU, until some time later."""

    channel: str
    sku: str
    lasts: int


@dataclass(frozen=True, slots=True)
class Outage(Event):
    """A channel cannot be reached."""

    channel: str
    lasts: int


@dataclass(frozen=True, slots=True)
class Gap(Event):
    """A listing is left out of a channel's readings for a while."""

    channel: str
    sku: str
    lasts: int


@dataclass(frozen=True, slots=True)
class SetBack(Event):
    """All workers die, the store is set back to how it was ``by`` milliseconds before, and a recovery begins."""

    by: int


@dataclass(frozen=True, slots=True)
class Approval(Event):
    """A person approves whatever is held, and may be cut off at a boundary."""

    crash_at: int = 0


@dataclass(frozen=True, slots=True)
class Run(Event):
    """A worker takes up a task.

    ``crash_at`` is the boundary at which it dies (0: it does not); ``stands_ms`` is how long after its start it goes
    on that stood still when its first write had been answered.
    """

    task: Task
    channel: str
    crash_at: int = 0
    stands_ms: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """One channel of the world. ``kind``: a mode, or ``till``."""

    name: str
    kind: str
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The world of a seed and all that happens in it."""

    seed: int
    mode: str
    skus: tuple[str, ...]
    sites: tuple[Site, ...]
    authority: str
    #: How likely a call to a channel goes wrong in one of the many ways.
    faults: float
    #: How likely a worker is held up for long at a boundary.
    stalls: float
    events: tuple[Event, ...] = field(default=())

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What the merchant of some worlds has ruled: something for all channels, one of them, or one SKU."""
        rng = self.rng("rules")
        if rng.random() >= RULED:
            return ()
        names, skus = ["", *(site.name for site in self.sites)], ["", "", *self.skus, "*-[AB]"]
        choices: dict[str, tuple[int, ...]] = {
            "buffer": (1, 2),
            "share": (50, 80),
            "cap": (2, 5),
            "fixed": (3,),
            "minimum": (2, 3),
        }
        return tuple(
            Rule(rng.choice(skus), rng.choice(names), ((key, rng.choice(choices[key])),), "the merchant")
            for key in rng.sample(sorted(choices), rng.randint(1, 3))
        )

    @property
    def recipes(self) -> Recipes:
        """In some worlds the last SKU is a bundle of others."""
        rng, *others = self.rng("bundles"), *self.skus[:-1]
        if not others or rng.random() >= BUNDLED:
            return Recipes()
        parts = rng.sample(others, rng.randint(1, min(2, len(others))))
        bundle = self.skus[-1]
        return Recipes(
            [Recipe(bundle.lower(), bundle, tuple(Part(sku.lower(), sku, rng.randint(1, 3)) for sku in parts))]
        )

    @property
    def guarded(self) -> bool:
        """Whether the guard lets hardly anything pass by itself."""
        return self.rng("guarded").random() < GUARDED

    @property
    def telling(self) -> bool:
        """Whether online channels tell what has changed, as far as they do."""
        return self.rng("telling").random() < TELLING

    def rng(self, what: object) -> random.Random:
        """The generator of one event or part of this run."""
        return random.Random(f"{self.mode}:{self.seed}:{what}")


def plan(mode: str, seed: int) -> Plan:
    """The plan of a seed. Equal arguments give equal plans."""
    rng = random.Random(f"{mode}:{seed}")
    skus = tuple(f"SKU-{letter}" for letter in "ABCD"[: rng.randint(1, 4)])
    kinds = {"shop": mode} if mode != "amazon" else {"amazon": "amazon"}
    shape = rng.random()
    if shape < 0.4:
        kinds["till"] = "till"
    elif shape < 0.7:
        kinds["other"] = rng.choice(("catalog", mode))
    else:
        kinds["other"] = rng.choice(("catalog", "inventory", "relative", "amazon"))
        kinds["till"] = "till"
    stock = [rng.choice((1, 2, 3, 5, 9, 20)) for _ in skus]
    same = rng.random() < 0.5
    sites = tuple(
        Site(name, kind, tuple(units if same else rng.randint(0, 9) for units in stock)) for name, kind in kinds.items()
    )
    authority = "till" if "till" in kinds else rng.choice(sorted(kinds))
    world = Plan(seed, mode, skus, sites, authority, rng.choice((0.0, 0.1, 0.4)), rng.choice((0.0, 0.01, 0.05)))
    events = _approvals(world, _set_back(world, _Author(world, rng).events()))
    events = tuple(sorted(events, key=lambda event: (event.at, event.id)))
    return Plan(seed, mode, skus, sites, authority, world.faults, world.stalls, events)


def _set_back(world: Plan, events: list[Event]) -> list[Event]:
    """In some worlds the store is set back. There, nobody changes a level by hand: no order would tell of it."""
    rng = world.rng("set back")
    if rng.random() >= SET_BACK:
        return events
    tills = {site.name for site in world.sites if site.kind == "till"}
    left = [event for event in events if not isinstance(event, (Edit, Return)) or event.channel in tills]
    at = rng.choice([event.at for event in left]) + rng.choice((1_000, 10_000, 100_000))
    return [*left, SetBack(len(events), at, rng.choice((500, 2_000, 30_000, 300_000)))]


def _approvals(world: Plan, events: list[Event]) -> list[Event]:
    """Where much is held, somebody approves now and then."""
    if not world.guarded:
        return events
    rng = world.rng("approvals")
    times = [rng.choice(events).at + rng.choice((0, 100, 1_000, 10_000)) for _ in range(rng.randint(2, 6))]
    first = 1 + max(event.id for event in events)
    crashes = [rng.randint(1, 20) if rng.random() < 0.2 else 0 for _ in times]
    return [*events, *(Approval(first + place, *row) for place, row in enumerate(zip(times, crashes, strict=True)))]


class _Author:
    """Writes the events of a plan: a few moments at which much happens together, and workers all along."""

    def __init__(self, world: Plan, rng: random.Random) -> None:
        self.rng = rng
        self.skus = world.skus
        self.names = [site.name for site in world.sites]
        self.online = [site.name for site in world.sites if site.kind != "till"]
        self.span = rng.choice((4_000, 20_000, 60_000, 180_000))
        self.moments = [rng.randrange(self.span) for _ in range(rng.randint(1, 3))]
        self.spread = rng.choice((300, 1_500, 5_000))
        self.standing = rng.choice((0.0, 0.0, 0.2))
        self.crashes = rng.choice((0.0, 0.1, 0.3))
        self.written: list[Event] = []

    def events(self) -> list[Event]:
        rng = self.rng
        for _ in range(rng.randint(3, 12)):
            self._sale()
        if "till" in self.names:
            for _ in range(rng.randint(1, 3)):
                at, delay = self._time(), rng.choice((0, 500, 5_000, 3_600_000))
                self._add(File, at, delay)
                if rng.random() < 0.7:
                    self._run(at + delay + rng.randrange(500), "pull", "till")
                    self._run(at + delay + 500 + rng.randrange(1_000), "push", rng.choice(self.online))
        for _ in range(rng.choice((0, 0, 1))):
            at, lasts = self._time(), rng.choice((1_000, 10_000, 60_000))
            self._add(Refusal, at, rng.choice(self.online), rng.choice(self.skus), lasts)
        for _ in range(rng.choice((0, 0, 1))):
            self._add(Outage, self._time(), rng.choice(self.online), rng.choice((300, 3_000, 20_000)))
        for _ in range(rng.choice((0, 0, 1))):
            at, lasts = self._time(), rng.choice((1_000, 10_000, 60_000))
            self._add(Gap, at, rng.choice(self.names), rng.choice(self.skus), lasts)
        for _ in range(rng.randint(4, 10)):
            task = rng.choice(TASKS)
            self._run(self._time(), task, rng.choice(self.names if task == "pull" else self.online))
        sold = Counter((event.channel, event.sku) for event in self.written if isinstance(event, Sale))
        for _ in range(rng.choice((0, 0, 1, 2))):
            listing = rng.choice(self.names), rng.choice(self.skus)
            units = rng.choice((-2, -1, 1, 2, 5))
            if listing[0] not in self.online or not sold[listing]:
                self._add(Edit, self._time(), *listing, units)
        for _ in range(rng.choice((0, 0, 1, 2))):
            listing = rng.choice(self.online), rng.choice(self.skus)
            if sold[listing] == 1:
                self._add(Return, self._time() + rng.choice((0, 30_000, 200_000)), *listing)
        return self.written

    def _sale(self) -> None:
        rng, at, channel, sku = self.rng, self._time(), self.rng.choice(self.names), self.rng.choice(self.skus)
        self._add(Sale, at, channel, sku, rng.choice((1, 1, 1, 2, 3)))
        if channel not in self.online or rng.random() < 0.3:
            return
        for _ in range(1 if rng.random() < 0.8 else 2):
            at += rng.choice((50, 200, 1_000, 20_000))
            self._add(Hint, at, channel, sku)
            self._run(at + rng.randrange(300), "refresh", channel)
        for other in self.online:
            if rng.random() < 0.5:
                self._run(at + 300 + rng.randrange(1_500), "push", other)

    def _run(self, at: int, task: Task, channel: str) -> None:
        rng = self.rng
        crash_at = rng.randint(1, 40) if rng.random() < self.crashes else 0
        for _ in range(1 if rng.random() < 0.9 else 2):
            stands_ms = rng.randrange(20_000, 110_000) if task == "push" and rng.random() < self.standing else 0
            self._add(Run, at, task, channel, crash_at, stands_ms)
            if stands_ms > 70_000:
                self._overtake(channel, at, at + stands_ms)
            at, crash_at = at + rng.choice((0, 1, 30, 2_000)), 0

    def _overtake(self, channel: str, at: int, back: int) -> None:
        """A writer stands still until its lease is over; another is writing in its place when it goes on."""
        rng = self.rng
        seller, sku = rng.choice([name for name in self.online if name != channel] or [channel]), rng.choice(self.skus)
        for begins in (max(3_000, at), back - 3_000):
            self._add(Sale, begins - rng.randrange(2_000, 3_000), seller, sku, 1)
            self._add(Run, begins - rng.randrange(1_000, 2_000), "pull", seller)
        self._add(Run, back - rng.randrange(2_500, 5_000), "pull", channel)
        self._add(Run, back - rng.randrange(200, 1_500), "push", channel)
        if rng.random() < 0.5:
            self._add(Outage, back - rng.randrange(600), channel, 1_000)

    def _time(self) -> int:
        near = self.rng.choice(self.moments) + int(self.rng.expovariate(1 / self.spread))
        if self.rng.random() < 0.1:
            near += self.rng.randrange(50_000, 100_000)  # when leases end and what was slow is there at last
        return near if self.rng.random() < 0.8 else self.rng.randrange(self.span)

    def _add(self, kind: type[Event], at: int, *rest: object) -> None:
        self.written.append(kind(len(self.written), at, *rest))
