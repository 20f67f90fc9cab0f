"""One request that writes levels: what becomes of it at the channel, whoever waits for the answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from channels import Outcome, Result, Write
from channels.errors import Rejected, Unanswered
from tests.simulator.world import Shelf

if TYPE_CHECKING:
    from tests.simulator.channels import ModelChannel

#: How much of the settle time a reading may lag behind, and how much applying may take.
LAG_SHARE = 0.45

#: How much of ``visible_within_s`` a slow channel may take to apply what it took.
SLOW_SHARE = 0.85


class Request:
    """A batch of writes on its way. It arrives, or not, even when its sender dies.

    Fates, drawn when it is sent: ``lost`` on its way there, ``unanswered`` though it arrived, a ``doubtful`` row
    (HTTP 207), a row ``dropped`` though it was accepted, an answer that shows ``another`` level.
    """

    def __init__(self, channel: ModelChannel, writes: Sequence[Write], rng: random.Random) -> None:
        self.channel, self.writes, self.rng = channel, writes, rng
        self.kind = channel.place.site.kind
        world = channel.world
        faults = 0.0 if world.calm else min(0.5, 1.5 * world.plan.faults)
        self.sent_ms = world.engine.now
        draw = rng.random()
        fates = ("lost", "unanswered", "doubtful", "dropped", "another")
        self.fate = fates[int(draw / faults * len(fates))] if draw < faults else ""
        self.odd = rng.choice(writes).ref  # the row that a fate of single rows is about
        if self.fate in ("lost", "unanswered"):
            world.counts["unknown"] += len(writes)
        elif self.fate == "doubtful":
            world.counts["unknown"] += 1
        world.counts["writes"] += len(writes)
        self.refused: set[str] = set()
        self.shown: dict[str, int] = {}

    def __str__(self) -> str:
        words = " ".join(f"{write.sku}={write.base}>{write.units}" for write in self.writes)
        return f"{words} ({self.fate})" if self.fate else words

    def check(self, write: Write, revision: int | None) -> None:
        """Rule 2, held against what is really sent.

        A write that has not landed, and whose target the listing shows all the same because so many were sold,
        looks like one that has landed; the next one may follow.
        """
        world, shelf = self.channel.world, self._shelf(write)
        if revision is None:
            revision = shelf.revision
        if revision < shelf.revision:
            world.violated(f"{shelf.ref}: a write of revision {revision} after one of {shelf.revision}")
        if any(not shelf.showed(target, since_ms) for since_ms, target in shelf.in_flight):
            world.violated(f"{shelf.ref}: two writes in flight")
        shelf.revision = max(revision, shelf.revision)
        shelf.in_flight.append((self.sent_ms, write.units))

    def arrive(self) -> None:
        """The channel gets it."""
        if self.fate == "lost":
            for write in self.writes:
                self._shelf(write).in_flight.remove((self.sent_ms, write.units))
            return
        self.refused = {write.ref for write in self.writes if self._refuses(write)}
        for write in self.writes:
            shelf = self._shelf(write)
            refused = write.ref in self.refused or (self.kind != "amazon" and self.refused)
            dropped = write.ref == self.odd and (
                (self.fate == "dropped" and self.kind == "amazon")
                or (self.fate == "doubtful" and self.rng.random() < 0.5)
            )
            self.shown[write.ref] = shelf.actual
            if refused or dropped:
                shelf.in_flight.remove((self.sent_ms, write.units))
                continue
            if self.kind == "relative":
                shelf.reserved += max(0, write.base - write.units)
            engine = self.channel.world.engine
            shelf.lands_ms = max(shelf.lands_ms, engine.now + self._delay_ms())
            if shelf.lands_ms > engine.now:
                engine.at(shelf.lands_ms, self._applying(shelf, write))
            else:
                self._applying(shelf, write)()

    def answer(self) -> list[Outcome]:
        """What the sender gets to hear.

        Raises:
            Unanswered: nothing.
            Rejected: the channel refuses the whole batch for one bad row.
        """
        name = self.channel.name
        if self.fate in ("lost", "unanswered"):
            raise Unanswered(name, "write", "connection reset")
        if self.refused and self.kind != "amazon":
            raise Rejected(name, "write", f"row {sorted(self.refused)[0]} is not valid")
        return [self._outcome(write) for write in self.writes]

    def _outcome(self, write: Write) -> Outcome:
        if write.ref in self.refused:
            return Outcome(write.ref, Result.REFUSED, reason="not valid")
        if write.ref == self.odd and self.fate == "doubtful":
            return Outcome(write.ref, Result.UNKNOWN, reason="207: inventory was not saved")
        if self.kind == "catalog":
            shown = self.shown[write.ref] if self.fate == "another" else write.units
            return Outcome(write.ref, Result.CONFIRMED, level=shown)
        return Outcome(write.ref, Result.ACCEPTED)

    def _refuses(self, write: Write) -> bool:
        shelf = self._shelf(write)
        short = self.kind == "relative" and shelf.actual - shelf.reserved + write.units - write.base < 0
        return bool(shelf.refused) or short

    def _delay_ms(self) -> int:
        if self.kind == "catalog":
            return 0
        capabilities = self.channel.capabilities
        if self.kind == "amazon" and self.rng.random() < 0.3:
            return int(self.rng.random() * SLOW_SHARE * capabilities.visible_within_s * 1000)
        return int(self.rng.random() * LAG_SHARE * capabilities.settle_s * 1000)

    def _applying(self, shelf: Shelf, write: Write) -> Callable[[], None]:
        world = self.channel.world

        def apply() -> None:
            shelf.in_flight.remove((self.sent_ms, write.units))
            if self.kind == "relative":
                shelf.reserved -= max(0, write.base - write.units)
                level = shelf.actual + write.units - write.base
            else:
                level = write.units
                if shelf.actual != write.base:
                    world.counts["over a sale"] += 1
            shelf.set(level, world.engine.now)
            world.engine.tell(self.channel.name, f"applies {write.sku}={write.base}>{write.units}, has {shelf.actual}")

        return apply

    def _shelf(self, write: Write) -> Shelf:
        return self.channel.place.shelves[write.sku]
