"""Listings that do not show their target, and why: what each waits for, as far as anybody can know.

Each is judged by a pure function of its record and of what the worklists and the history say about it. Every record is
looked at, not only those that are marked: a listing that is wrong and that nobody will look at is what this would find.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from sync.context import Context
from sync.guard.holds import HeldRun
from sync.guard.holds import Kind as Run
from sync.guard.pauses import Pause
from sync.stock.ledger import Movement, chunks
from sync.stock.records import Listing, Record
from sync.stock.worklist import Marks


class Kind(StrEnum):
    """Why a listing does not show its target."""

    #: It is marked to be written, or a write is being sent.
    ON_ITS_WAY = "on its way"
    #: The channel took a write and does not show it yet.
    LAG = "lag"
    #: The answer to a write was lost, or its writer died: a reading tells what became of it.
    LOST_WRITE = "lost write"
    #: Somebody raised the level at the channel itself; it will be written over by what policy wants.
    EDIT = "someone else's edit"
    #: A write may have gone over a sale: the orders of that time are still to be looked at.
    UNSEEN_SALE = "sale not yet seen"
    #: It is kept from being written: parked, quarantined, missing, by a held run, or on a paused channel.
    HELD = "held"
    #: None of all this. It should not be.
    UNEXPLAINED = "unexplained"


#: What passes by itself.
PASSING = frozenset({Kind.ON_ITS_WAY, Kind.LAG, Kind.LOST_WRITE, Kind.EDIT, Kind.UNSEEN_SALE})

#: What can be done about each kind, or why nothing has to be.
ADVICE = {
    Kind.ON_ITS_WAY: "the next push writes it",
    Kind.LAG: "a later reading confirms it",
    Kind.LOST_WRITE: "a reading tells what became of it, and it is written again where needed",
    Kind.EDIT: "the units are in stock, and the next push writes what the rules make of them",
    Kind.UNSEEN_SALE: "the next audit of orders tells",
    Kind.HELD: "see why and what to do: celery -A sync parked, holds or resume",
    Kind.UNEXPLAINED: "run: celery -A sync reconcile; if it stays, it is a bug",
}

#: How many SKUs are looked at together.
PART = 2000

#: Why a movement says that a reading showed another level than the one before, and no more.
CHANGED = "changed"


class Drift(NamedTuple):
    """A listing that does not show its target."""

    sku: str
    channel: str
    kind: Kind
    #: How many units it shows too many; negative: too few.
    units: int
    level: int
    target: int
    #: Since when, in milliseconds by the store's clock; ``None`` where nobody knows.
    since_ms: int | None
    words: str

    def as_row(self) -> dict[str, object]:
        """A row of ``drift --json``."""
        row = self._asdict() | {"kind": self.kind.value, "since": None}
        since_ms = row.pop("since_ms")
        if since_ms is not None:
            row["since"] = datetime.fromtimestamp(since_ms / 1000, UTC).isoformat(timespec="milliseconds")
        return row


class Verdict(NamedTuple):
    """Why one listing does not show its target, and since when (ms)."""

    kind: Kind
    since_ms: int | None
    words: str


def differs(listing: Listing, target: int | None) -> bool:
    """Whether a listing is wrong, or will be once the write under way has landed. ``None`` is no target."""
    if target is None:
        return False
    return listing.level != target or (listing.write is not None and listing.write.target != target)


def judge(
    record: Record,
    listing: Listing,
    *,
    marks: Marks,
    last: Movement | None,
    pause: Pause | None,
    run: HeldRun | None,
    now_ms: int,
) -> Verdict:
    """Why a listing that differs from its target does: a pure function.

    Parameters:
        record, listing: As they stand.
        marks: What the worklists say about the listing.
        last: The last movement of the SKU.
        pause: That of the channel.
        run: A held run that keeps the listing from being written.
        now_ms: By the store's clock.
    """
    hold, write = listing.hold, listing.write
    if hold and hold.kind == "missing":
        return Verdict(Kind.HELD, hold.mark, "missing: no full reading shows it any more")
    if hold and hold.kind == "quarantined":
        return Verdict(Kind.HELD, hold.mark, f"quarantined: {hold.words} has the same SKU")
    if write:
        if write.phase == "accepted":
            return Verdict(Kind.LAG, write.ended_ms, f"a write to {write.target} was accepted and is not shown yet")
        if write.phase == "sent" and now_ms <= write.lease_ms:
            return Verdict(Kind.ON_ITS_WAY, write.began_ms, f"a write to {write.target} is being sent")
        why = "its answer was lost" if write.phase == "unknown" else "its writer is gone"
        return Verdict(Kind.LOST_WRITE, write.began_ms, f"a write to {write.target}: {why}")
    if hold and hold.mark == record.revision:
        return Verdict(Kind.HELD, None, f"parked: {hold.words}")
    if pause:
        return Verdict(Kind.HELD, pause.since_ms, pause.words)
    if run:
        return Verdict(Kind.HELD, run.opened_ms, f"held run {run.id} ({run.kind.value}) waits for a person")
    if last and last.channel == listing.channel and last.units > 0 and last.why == CHANGED:
        return Verdict(Kind.EDIT, round(last.at.timestamp() * 1000), f"{last.units:+d} at the channel: {last.cause}")
    if marks.dirty_ms is not None:
        return Verdict(Kind.ON_ITS_WAY, marks.dirty_ms, "to be written")
    if marks.audit_ms is not None:
        return Verdict(Kind.UNSEEN_SALE, None, "its orders are still to be looked at")
    return Verdict(Kind.UNEXPLAINED, None, "nothing is marked or under way")


def drifts(context: Context, names: Sequence[str]) -> Iterator[Drift]:
    """All listings on these channels that do not show their targets, in the order of their SKUs, as they are found.

    Most listings are right, so all are looked at in as few words as will do, and only the others whole.
    """
    pauses = context.pauses.all()
    writable = [name for name in names if context.channel(name).capabilities.writes]
    for part in chunks(context.ledger.skus(), PART):
        suspects = sorted(_suspects(context, part, writable))
        found = _wrong(context, context.ledger.records(suspects), writable)
        if found:
            yield from _judged(context, found, pauses)


def _suspects(context: Context, skus: Sequence[str], channels: Sequence[str]) -> Iterator[str]:
    """The SKUs among these that have a listing which may be wrong."""
    for standing in context.ledger.standings(channels, skus):
        targets = context.policy.targets(Record(standing.folded, "", standing.on_hand, 0, "", {}))
        for name, level, write in zip(channels, standing.levels, standing.writes, strict=True):
            target = targets[name].units
            if level and target is not None and (write or int(level) != target):
                yield standing.folded
                break


def held_runs(context: Context, listings: Sequence[Listing]) -> Iterator[HeldRun | None]:
    """For each listing the held run that keeps it from being written: of its channel, or of a reading of it."""
    holds, names = context.holds, {listing.channel for listing in listings}
    of_channel = {name: holds.of(Run.FIRST_CONTACT, name) or holds.of(Run.PLAN, name) for name in names}
    readings = {name: holds.doubted(name) for name in names}
    doubted = {
        name: holds.doubted_among(hold, [listing.ref for listing in listings if listing.channel == name])
        for name, hold in readings.items()
        if hold is not None
    }
    for listing in listings:
        name = listing.channel
        yield of_channel[name] or (readings[name] if listing.ref in doubted.get(name, ()) else None)


class _Wrong(NamedTuple):
    record: Record
    listing: Listing
    target: int


def _wrong(context: Context, records: Sequence[Record], writable: Sequence[str]) -> list[_Wrong]:
    found = []
    for record in records:
        targets = context.policy.targets(record)
        for name in writable:
            listing, target = record.listings.get(name), targets[name].units
            if listing is not None and target is not None and differs(listing, target):
                found.append(_Wrong(record, listing, target))
    return found


def _judged(context: Context, found: Sequence[_Wrong], pauses: Mapping[str, Pause]) -> Iterator[Drift]:
    now_ms = context.store.now_ms()
    moved = context.ledger.last_movements([wrong.record for wrong in found])
    marks = context.worklist.marks_of([(wrong.listing.channel, wrong.record.folded) for wrong in found])
    runs = held_runs(context, [wrong.listing for wrong in found])
    for (record, listing, target), last, mark, run in zip(found, moved, marks, runs, strict=True):
        name = listing.channel
        verdict = judge(record, listing, marks=mark, last=last, pause=pauses.get(name), run=run, now_ms=now_ms)
        kind, since_ms, words = verdict
        yield Drift(record.sku, name, kind, listing.level - target, listing.level, target, since_ms, words)
