"""Approving and discarding held runs, and what follows from it.

A decision is one step in the store; what follows is carried out after it, may be done twice, and is finished by the
sweeper where a process has died. The world may have moved while a run was held, so nothing that was seen then is
applied as it was: a channel is read again, a file's rows go through the rules with the window of its count, and what
is written is worked out when it is written.
"""

from __future__ import annotations

import getpass
import logging
from itertools import islice

from sync.context import Context
from sync.errors import SyncError
from sync.guard import watch
from sync.guard.holds import HeldRun, Kind
from sync.guard.judge import NOTHING, Figures
from sync.readings import Pulls
from sync.storage.store import Call, bucket_of, bucket_prefix
from sync.views.plan import CHUNK, to_write

log = logging.getLogger(__name__)


class Undecidable(SyncError):
    """There is nothing to decide about, or it was decided otherwise."""


def operator() -> str:
    """Who decides: the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody without a name"


def find(context: Context, hold: str) -> HeldRun:
    """A held run by its id.

    Raises:
        Undecidable: there is none.
    """
    found = context.holds.get(hold)
    if found is None:
        raise Undecidable(f"there is no hold {hold}; see: celery -A sync holds --all")
    return found


def approve(context: Context, hold: HeldRun, by: str) -> bool:
    """Let a held run pass. Doing it again changes nothing. Says whether this call has decided.

    What is worse than what the person has seen does not pass.

    Raises:
        Undecidable: it was discarded or overtaken, or there is nothing to approve.
    """
    if hold.kind is Kind.SET_ASIDE:
        raise Undecidable(
            f"nothing of {hold.source} could be read, so there is nothing to approve; let the till export it again,"
            f" then: celery -A sync discard {hold.id}"
        )
    changes = NOTHING._replace(fell=hold.figures.fell, zeroed=hold.figures.zeroed, rose=hold.figures.rose)
    allowed: dict[str, Figures] = {}
    if hold.kind is Kind.READING:
        allowed[f"reading|{hold.channel}"] = hold.figures
    if hold.kind in (Kind.READING, Kind.FILE):  # what follows from it elsewhere is approved with it
        allowed |= {f"plan|{name}": changes for name in context.ledger.roster.writable if name != hold.channel}
    else:
        allowed[f"plan|{hold.channel}"] = changes
    before = context.holds.decide(hold, "approved", by, context.store.now_ms(), allowed)
    return _decided(context, hold, before, "approved")


def discard(context: Context, hold: HeldRun, by: str) -> bool:
    """Drop a held run. Doing it again changes nothing. Says whether this call has decided.

    Raises:
        Undecidable: it was approved or overtaken.
    """
    before = context.holds.decide(hold, "discarded", by, context.store.now_ms())
    return _decided(context, hold, before, "discarded")


def _decided(context: Context, hold: HeldRun, before: str, verdict: str) -> bool:
    if before not in ("open", verdict):
        raise Undecidable(f"hold {hold.id} is {before or 'gone'} already; see: celery -A sync holds --all")
    carry_out_all(context)
    return before == "open"


def carry_out_all(context: Context) -> None:
    """Do what follows from decisions whose process has died before it had done it."""
    for hold in context.holds.to_carry_out():
        if hold.channel in context.channels:
            carry_out(context, hold)
        context.holds.carried_out(hold)


def carry_out(context: Context, hold: HeldRun) -> None:
    """Do what follows from a decision. Doing it again changes nothing."""
    if hold.state == "approved" and hold.kind is Kind.READING:
        _read_again(context, hold)
    elif hold.state == "approved" and hold.kind is Kind.FILE:
        channel = context.channel(hold.channel)
        for chunk in context.holds.rows(hold).chunks():
            watch.merge(context, channel, chunk.levels, chunk.window, chunk.cause)
    elif hold.state == "discarded" and hold.kind in (Kind.PLAN, Kind.FIRST_CONTACT):
        _park(context, hold)


def _read_again(context: Context, hold: HeldRun) -> None:
    """Have all be read as it is now; what has recovered meanwhile simply agrees."""
    now_ms = context.store.now_ms()
    refs = context.holds.doubted_refs(hold)
    if context.channel(hold.channel).capabilities.read_batch:
        while chunk := list(islice(refs, CHUNK)):
            context.worklist.mark(hold.channel, chunk, now_ms)
    Pulls(context.store).want(hold.channel, now_ms)


def _park(context: Context, hold: HeldRun) -> None:
    """Leave alone what would have been written when it was decided."""
    words = f"a person has discarded this write (hold {hold.id}); write it after all: celery -A sync retry"
    found = to_write(context, hold.channel)
    while chunk := list(islice(found, CHUNK)):
        rows: dict[int, list[str | int]] = {}
        moved = context.ledger.last_movements([row.record for row in chunk])
        for row, movement in zip(chunk, moved, strict=True):
            if movement is None or movement.at.timestamp() * 1000 <= hold.decided_ms:
                mine = rows.setdefault(bucket_of(row.record.folded), [])
                mine += [row.record.folded, row.record.revision]
        calls = [Call([bucket_prefix(bucket)], [hold.channel, words, *mine]) for bucket, mine in rows.items()]
        context.store.run("park", calls)
