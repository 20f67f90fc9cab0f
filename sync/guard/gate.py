"""The gate before a push (rule 8): a plan that is too large, or the very first one, waits for a person.

Small plans, which nearly all are, pass by their count alone. Only one that could be too large is worked out row by
row, and while it waits that is done again once a minute, so that the hold shows what would be written now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.context import Context
from sync.guard.holds import Kind
from sync.guard.judge import NOTHING, Figures, judge_plan
from sync.guard.watch import SAMPLE, hold, overtake
from sync.readings import Pulls
from sync.storage.store import PREFIX
from sync.views.plan import to_write

#: How old the figures of a plan that waits may be, in seconds.
FRESH_S = 60.0

#: How often listings are looked at that are not written because a reading is not believed, in seconds.
DOUBTED_S = 10.0


def passes(context: Context, name: str) -> bool:
    """Whether what is wrong on a channel may be written now. Where it may not, a hold says why, or soon will."""
    if context.holds.contacted(name):
        return _plan(context, name)
    return context.settings.guard.auto_approve_first or _first_contact(context, name)


def passed(context: Context, name: str) -> None:
    """A push has ended. Where nobody asks to approve the first one, it is over once nothing is left of it."""
    if not context.settings.guard.auto_approve_first or context.holds.contacted(name):
        return
    if not unread(context, name) and not context.worklist.dirty_count(name):
        _note_contact(context, name)


def rests(context: Context, name: str) -> bool:
    """Whether a push would only find that it must wait, so that nobody need ring for it.

    While a reading of the channel is not believed, listings stay marked that are not written; they are looked at now
    and then.
    """
    holds = context.holds
    if context.admissions.any(name):
        return False
    if not holds.contacted(name) and not context.settings.guard.auto_approve_first:
        return bool(unread(context, name)) or _waits(context, Kind.FIRST_CONTACT, name)
    if _waits(context, Kind.PLAN, name):
        return True
    if holds.doubted(name) is None:
        return False
    return not context.store.client.set(f"{PREFIX}doubted:{name}", "1", nx=True, px=round(DOUBTED_S * 1000))


def unread(context: Context, name: str) -> str:
    """The channel without whose first full reading the first plan of another is not known yet; empty: none."""
    pulls = Pulls(context.store)
    return next((one for one in (context.settings.authority, name) if not pulls.state(one).finished_ms), "")


def measure(context: Context, name: str) -> tuple[Figures, list[Mapping[str, Any]]]:
    """What a push would write now, in figures, and a sample of it. Reads every listing that may be wrong."""
    found, sample = NOTHING._replace(known=context.ledger.listings(name)), list[Mapping[str, Any]]()
    fell = zeroed = rose = gone = come = 0
    for row in to_write(context, name):
        units = row.units - row.listing.level
        if units < 0:
            fell, gone = fell + 1, gone - units
            zeroed += row.units == 0
        else:
            rose, come = rose + 1, come + units
        if len(sample) < SAMPLE:
            sample.append({"sku": row.record.sku, "was": row.listing.level, "is": row.units})
    return found._replace(fell=fell, zeroed=zeroed, rose=rose, gone=gone, come=come), sample


def _first_contact(context: Context, name: str) -> bool:
    """Whether the first push may begin."""
    if unread(context, name) or _waits(context, Kind.FIRST_CONTACT, name):
        return False
    found, sample = measure(context, name)
    if found.changed:
        words = [
            f"{found.changed} of {found.known} listings would be written for the first time: {found.rose} up,"
            f" {found.fell - found.zeroed} down, {found.zeroed} to zero"
        ]
        hold(context, Kind.FIRST_CONTACT, name, words, found, sample)
        return False
    if found.known and context.ledger.listings(context.settings.authority):
        _note_contact(context, name)  # all that is counted agrees already, so that there is nothing to approve
    return True


def _note_contact(context: Context, name: str) -> None:
    context.holds.note_contact(name, context.store.now_ms())
    overtake(context, Kind.FIRST_CONTACT, name)


def _plan(context: Context, name: str) -> bool:
    """Whether the plan of a channel is plausible, or approved."""
    limits, waiting = context.settings.guard.of(name), context.worklist.dirty_count(name)
    if waiting > limits.min_listings:
        now_ms, known = context.store.now_ms(), context.ledger.listings(name)
        approved = context.holds.allowed("plan", name, now_ms)
        at_most = NOTHING._replace(known=known, fell=waiting, zeroed=waiting)
        if judge_plan(at_most, limits, approved):
            if _waits(context, Kind.PLAN, name):
                return False
            found, sample = measure(context, name)
            words = judge_plan(found, limits, approved)
            if words:
                hold(context, Kind.PLAN, name, words, found, sample)
                return False
        if approved != NOTHING and judge_plan(at_most, limits):  # it may be what lets this pass
            context.holds.keep_allowed("plan", name, now_ms)
    overtake(context, Kind.PLAN, name)
    return True


def _waits(context: Context, kind: Kind, name: str) -> bool:
    """Whether a hold of this kind stands whose figures are fresh."""
    standing = context.holds.of(kind, name)
    return standing is not None and context.store.now_ms() < standing.seen_ms + FRESH_S * 1000
