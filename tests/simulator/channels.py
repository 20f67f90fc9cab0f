"""Model channels: in memory, with the quirks and the faults of the real ones."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

from channels import Capabilities, Channel, ChannelSettings, Level, Outcome, Page, Sale, Write
from channels.batches import write_split
from channels.errors import Throttled, Unanswered, Unreachable
from sync.storage.store import fold
from tests.simulator.requests import LAG_SHARE, Request
from tests.simulator.world import Place, Sent, Shelf, World

#: What each kind can do, as the real adapters declare it; Amazon's times are scaled down.
CAPABILITIES = {
    # batches so small that one look serves several of them
    "catalog": Capabilities(writes=True, write_batch=2, read_batch=250, settle_s=2.0, orders=True),
    "inventory": Capabilities(
        writes=True, write_batch=2000, read_batch=500, settle_s=5.0, orders=True, accepted_is_applied=True
    ),
    "relative": Capabilities(
        writes=True,
        relative=True,
        write_batch=2000,
        read_batch=500,
        settle_s=5.0,
        orders=True,
        accepted_is_applied=True,
    ),
    "amazon": Capabilities(
        writes=True, write_batch=20, read_batch=20, settle_s=10.0, visible_within_s=60.0, orders=True
    ),
    "till": Capabilities(writes=False),
}

#: For how long readings of what has changed may stand in for full ones, and which share of the listings each shows.
FULL_EVERY_S = 300.0
TOLD = 0.5


@dataclass(slots=True, kw_only=True)
class ModelChannel(Channel):
    """What the kinds have in common: time passes, calls go wrong, readings lag."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    world: World
    place: Place

    @property
    def capabilities(self) -> Capabilities:
        """By the kind."""
        can = CAPABILITIES[self.place.site.kind]
        return _telling(can) if can.read_batch and self.world.plan.telling else can

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """Two listings a page."""
        shelves = list(self.place.shelves.values())
        start = int(cursor) if cursor else 0
        while True:
            part = shelves[start : start + 2]
            start += 2
            last = start >= len(shelves)
            yield Page(self._look(part, "reads a page:"), cursor=None if last else str(start))
            if last:
                return

    def changed(self, since: datetime) -> Iterator[Page]:
        """Any of them, whatever has changed since: of a sale no channel need say that it was a change."""
        rng = self._rng()
        told = [shelf for shelf in self.place.shelves.values() if rng.random() < TOLD]
        for start in range(0, max(1, len(told)), 2):
            yield Page(self._look(told[start : start + 2], "tells what has changed:"))

    def read(self, refs: Sequence[str]) -> Page:
        """By their refs."""
        return Page(self._look([shelf for shelf in self.place.shelves.values() if shelf.ref in refs], "reads"))

    def _look(self, shelves: Sequence[Shelf], what: str) -> list[Level]:
        rng, now = self._rng(), self.world.engine
        self._go(rng)
        lag = 0
        if rng.random() < 0.3 and not self.world.calm:
            lag = int(rng.random() * LAG_SHARE * self.capabilities.settle_s * 1000)
        seen_ms = now.now - lag
        levels = [
            Level(shelf.sku, shelf.ref, shelf.at(max(seen_ms, shelf.edited_ms)))
            for shelf in shelves
            if not shelf.hidden
        ]
        self._tell(f"{what} {' '.join(f'{level.sku}={level.units}' for level in levels)}", lag)
        self._come_back(rng)
        return levels

    def sales(self, since: datetime) -> Iterator[Sale]:
        """All that were placed or changed since; one placed a moment ago may not be listed yet."""
        rng = self._rng()
        self._go(rng)
        late_ms = 0 if self.world.calm else rng.choice((0, 0, 500, 1500))
        listed = self.world.engine.now - late_ms
        since_ms = since.timestamp() * 1000
        found = [order for order in self.place.orders if order.at_ms <= listed and order.changed_ms >= since_ms]
        sales = [
            Sale(
                str(order.id),
                "1",
                order.sku,
                self.place.shelves[order.sku].ref,
                order.units,
                datetime.fromtimestamp(order.stated_ms / 1000, UTC),
            )
            for order in found
        ]
        self._tell(f"lists orders: {' '.join(f'{sale.sku}x{sale.units}' for sale in sales)}", late_ms)
        self._come_back(rng)
        yield from sales

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """By the real splitting of refused batches."""
        outcomes = write_split(writes, self._send, until=until)
        engine = self.world.engine
        worker = engine.current
        if worker and worker.stands_until_ms:  # the answer is there, and the process stands still
            engine.boundary(max(0, worker.stands_until_ms - engine.now))
            worker.stands_until_ms = 0
        return outcomes

    def _send(self, writes: Sequence[Write]) -> list[Outcome]:
        rng, engine = self._rng(), self.world.engine
        self._go(rng, sent=False)
        request = Request(self, writes, rng)
        worker = engine.current
        for write in writes:
            listing = self.name, fold(write.sku)
            revision = worker.revisions.get(listing) if worker else None
            self.world.sent.append(Sent(*listing, (worker or engine).revisions[listing], write.units))
            request.check(write, revision)
        self._tell(f"is sent {request}")
        out_ms = _latency(rng)
        engine.at(engine.now + out_ms, request.arrive)
        engine.pause(out_ms)
        self._come_back(rng, lost=False)
        return request.answer()

    def _rng(self) -> random.Random:
        worker = self.world.engine.current
        return worker.rng if worker else self.world.rng

    def _go(self, rng: random.Random, *, sent: bool = True) -> None:
        """The request goes out, or does not."""
        engine, faults = self.world.engine, 0.0 if self.world.calm else self.world.plan.faults
        engine.boundary(0)
        if self.place.unreachable or rng.random() < faults / 4:
            engine.pause(_latency(rng))
            self._tell("is unreachable")
            raise Unreachable(self.name, "connect", "connection refused")
        if rng.random() < faults / 4:
            engine.pause(_latency(rng))
            self._tell("answers 429")
            raise Throttled(self.name, "call", "too many requests", retry_after_s=3.0)
        if sent:
            engine.pause(_latency(rng))
            engine.boundary(0)

    def _come_back(self, rng: random.Random, *, lost: bool = True) -> None:
        """The answer comes back, or does not."""
        engine = self.world.engine
        engine.pause(_latency(rng))
        engine.boundary(0)
        if lost and not self.world.calm and rng.random() < self.world.plan.faults / 3:
            self._tell("loses its answer")
            raise Unanswered(self.name, "read", "connection reset")

    def _tell(self, what: str, lag_ms: int = 0) -> None:
        if self.world.engine.say:
            worker = self.world.engine.current
            late = f" (as of {lag_ms} ms ago)" if lag_ms else ""
            self.world.engine.tell(worker.name if worker else "", f"{self.name} {what}{late}")


@cache
def _telling(can: Capabilities) -> Capabilities:
    return replace(can, full_every_s=FULL_EVERY_S)


def _latency(rng: random.Random) -> int:
    """How long one way of a call takes, in milliseconds.

    Twice the longest is less than what a writer leaves for an answer.
    """
    draw = rng.random()
    return int(20 + draw * 200) if draw < 0.9 else int(draw * 1000) if draw < 0.97 else rng.choice((3_000, 12_000))
