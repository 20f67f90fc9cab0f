"""What a push would write, where and why, worked out from the stock of record alone. Nothing is written or claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from sync.context import Context
from sync.policy.targets import Target
from sync.stock.ledger import Movement, chunks
from sync.stock.records import Listing, Record
from sync.storage.store import BUCKETS, bucket_of, bucket_prefix

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


def to_write(context: Context, *names: str) -> Iterator[Wrong]:
    """Every listing of these channels that a push would write now, as the rows are read."""
    writable = [name for name in names if context.channel(name).capabilities.writes]
    for dirty in _parts(context, writable):
        mostly = False  # whether most of them are wrong, so that looking at them twice would cost more than it saves
        for skus in chunks(sorted(dirty), CHUNK):
            looked_at = skus if mostly else _suspects(context, skus, writable)
            found = 0
            for record in context.ledger.records(looked_at):
                targets = context.policy.targets(record)
                for name in dirty[record.folded]:
                    row = wrong(record, name, targets[name])
                    if row:
                        found += 1
                        yield row
            mostly = 2 * found > len(skus)


def plan(context: Context, *names: str) -> Iterator[PlanRow]:
    """The plan of these channels, row by row."""
    found = to_write(context, *names)
    while chunk := list(islice(found, CHUNK)):
        moved = context.ledger.last_movements([row.record for row in chunk])
        for (record, listing, target, units), movement in zip(chunk, moved, strict=True):
            why = reason(target, movement)
            yield PlanRow(record.sku, listing.channel, listing.level, units, record.on_hand, record.revision, why)


def reason(target: Target, movement: Movement | None) -> str:
    """Why a listing has this target, in words for a merchant."""
    parts = [f"{movement.why}: {movement.cause}"] if movement else []
    last = target.steps[-1]
    return "; ".join(parts if last.rule == "on hand" else [*parts, f"{last.rule}: {last.words}"])


def _parts(context: Context, names: Sequence[str]) -> Iterator[Mapping[str, Sequence[str]]]:
    """Folded SKUs that may be wrong with the channels on which they may, a part of all at a time."""
    parts = [range(bucket, bucket + 1) for bucket in range(BUCKETS)]
    if sum(context.worklist.dirty_count(name) for name in names) <= SORTED:
        parts = [range(BUCKETS)]
    for buckets in parts:
        dirty: dict[str, list[str]] = {}
        for name in names:
            for bucket in buckets:
                for sku in context.worklist.dirty_in(bucket, name):
                    dirty.setdefault(sku, []).append(name)
        yield dirty


def _suspects(context: Context, skus: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those whose levels are not plainly their targets: most that were marked have nothing to be written."""
    pipeline = context.store.client.pipeline(transaction=False)
    fields = ["on_hand", "bundle:recipe", *(f"{name}:level" for name in names)]
    for sku in skus:
        pipeline.hmget(f"{bucket_prefix(bucket_of(sku))}sku:{sku}", fields)
    found = []
    for sku, (on_hand, recipe, *levels) in zip(skus, pipeline.execute(), strict=True):
        slim = Record(sku, sku, None if on_hand is None else int(on_hand), 0, "", {})
        targets = context.policy.targets(slim)
        shown = ((name, int(level)) for name, level in zip(names, levels, strict=True) if level is not None)
        if recipe is not None or any(targets[name].units not in (None, level) for name, level in shown):
            found.append(sku)
    return found
