"""Applying a plan: each of its rows is let through, or refused because its base has moved.

What is let through is admitted past the gate and marked; a push writes it, with the number that is right then. Between
the check here and that push a listing may still move: then it is written like any other, or waits like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sync.context import Context
from sync.policy.targets import Target
from sync.stock.ledger import chunks
from sync.stock.records import Record
from sync.storage.store import fold
from sync.views.plan import CHUNK, PlanRow, wrong


class Verdict(NamedTuple):
    """What becomes of one row of a plan."""

    row: PlanRow
    #: Why it is not done; empty where it is let through.
    refused: str


def apply(context: Context, rows: Iterable[PlanRow]) -> Iterator[Verdict]:
    """Let through every row whose base stands as it was planned, and say of each what became of it."""
    paused = context.pauses.all()
    for chunk in chunks(rows, CHUNK):
        records = {record.folded: record for record in context.ledger.records([row.sku for row in chunk])}
        verdicts = []
        for row in chunk:
            if row.channel not in context.channels:
                verdicts.append(Verdict(row, f"there is no channel {row.channel!r} any more"))
            elif row.channel in paused:
                verdicts.append(Verdict(row, f"{row.channel} is {paused[row.channel].words}"))
            else:
                record = records.get(fold(row.sku))
                targets = context.policy.targets(record) if record else {}
                verdicts.append(Verdict(row, refusal(row, record, targets)))
        _admit(context, [verdict.row for verdict in verdicts if not verdict.refused], records)
        yield from verdicts


def refusal(row: PlanRow, record: Record | None, targets: Mapping[str, Target]) -> str:
    """Why a row of a plan is not to be done as things stand now; empty where it is: a pure function."""
    if record is None:
        return "its SKU is not known any more"
    listing, target = record.listings.get(row.channel), targets[row.channel]
    if listing is None:
        return f"it is not listed on {row.channel} any more"
    if record.revision != row.revision:
        return f"its stock has moved since: {record.on_hand} on hand, not {row.on_hand}"
    if listing.level != row.level:
        return f"{row.channel} shows {listing.level} now, not {row.level}"
    if target.units != row.target:
        return f"its target is {target.units} now, not {row.target}"
    if listing.write is not None:
        return "a write of it is under way"
    if listing.hold is not None and wrong(record, row.channel, target) is None:
        return f"it is {listing.hold.kind}; see: celery -A sync parked"
    return ""


def _admit(context: Context, rows: Sequence[PlanRow], records: Mapping[str, Record]) -> None:
    now_ms = context.store.now_ms()
    for name in {row.channel for row in rows}:
        mine = [records[fold(row.sku)] for row in rows if row.channel == name]
        # whatever is held and still to be written is marked already
        context.worklist.suspect(name, [one.folded for one in mine if one.listings[name].hold is None], now_ms)
        context.admissions.admit(name, [(one.folded, one.revision) for one in mine])
