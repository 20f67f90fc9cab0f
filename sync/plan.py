"""What a push would write, where and why, worked out from the stock of record alone. Nothing is written or claimed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from sync.context import Context
from sync.ledger import Movement
from sync.policy import Target
from sync.records import Listing, Record
from sync.store import BUCKETS

#: How many records are looked at together.
CHUNK = 1000

#: The largest plan that is put in the order of its SKUs; a larger one comes in sixteen sorted parts, so that only
#: one of them is in memory.
SORTED = 10_000


class PlanRow(NamedTuple):
    """One listing that would be written."""

    sku: str
    channel: str
    #: What it is known to show, and what it would be made to show.
    level: int
    target: int
    on_hand: int | None
    revision: int
    #: What last moved its stock, and the rule that made this target of it, if one did.
    why: str


class Wrong(NamedTuple):
    """A listing that is to be written."""

    record: Record
    listing: Listing
    target: Target
    units: int


def wrong(record: Record, name: str, target: Target) -> Wrong | None:
    """The listing of a record on a channel, if a push would write it as things stand: a pure function.

    It would not where it shows its target, where another write is under way (whoever settles that looks again), and
    where it is quarantined, missing, or parked at this very number.
    """
    listing = record.listings.get(name)
    if listing is None or target.units is None or target.units == listing.level or listing.write is not None:
        return None
    hold = listing.hold
    if hold is not None and (hold.kind != "parked" or hold.mark == record.revision):
        return None
    return Wrong(record, listing, target, target.units)


def to_write(context: Context, name: str) -> Iterator[Wrong]:
    """Every listing of a channel that a push would write now, as the rows are read."""
    if not context.channel(name).capabilities.writes:
        return
    for records in _dirty_records(context, name):
        for record in records:
            found = wrong(record, name, context.policy.targets(record)[name])
            if found:
                yield found


def plan(context: Context, name: str) -> Iterator[PlanRow]:
    """The plan of one channel, row by row."""
    found = to_write(context, name)
    while chunk := list(islice(found, CHUNK)):
        moved = context.ledger.last_movements([row.record for row in chunk])
        for row, movement in zip(chunk, moved, strict=True):
            record = row.record
            why = reason(row.target, movement)
            yield PlanRow(record.sku, name, row.listing.level, row.units, record.on_hand, record.revision, why)


def reason(target: Target, movement: Movement | None) -> str:
    """Why a listing has this target, in words for a merchant."""
    parts = [f"{movement.why}: {movement.cause}"] if movement else []
    last = target.steps[-1]
    return "; ".join(parts if last.rule == "on hand" else [*parts, f"{last.rule}: {last.words}"])


def _dirty_records(context: Context, name: str) -> Iterator[Sequence[Record]]:
    parts: Iterable[list[str]] = (context.worklist.dirty_in(bucket, name) for bucket in range(BUCKETS))
    if context.worklist.dirty_count(name) <= SORTED:
        parts = [list(chain.from_iterable(parts))]
    for skus in parts:
        skus.sort()
        for start in range(0, len(skus), CHUNK):
            yield context.ledger.records(skus[start : start + CHUNK])
