"""What to do after the Inventory API has refused an adjustment: a pure decision.

An adjustment of up to 2000 rows is refused as a whole. Some refusals name the rows they are about, others do
not; some come before anything is carried out, of others that is not documented. With differences that matters:
a difference that is sent twice is counted twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from channels.batches import outcomes_of
from channels.bigcommerce.client import ItemsRejected
from channels.bigcommerce.models import Ref
from channels.contract import Outcome, Result, Write
from channels.errors import Rejected

#: What the store says of an item that never had a level at the location.
_NEVER_SET = re.compile(r"requires? absolute adjustment", re.IGNORECASE)

#: Refusals of a request for what it says, before anything of it is carried out.
_INVALID = re.compile(r"requires? absolute adjustment|is tracked by|not found|invalid fields", re.IGNORECASE)

#: What the store says when the location itself is wrong, and so no row in particular.
_NO_LOCATION = re.compile(r"location not found", re.IGNORECASE)

#: The payload is too large: refused by its length alone.
_TOO_LARGE = 413


class Batch(NamedTuple):
    """The rows of one adjustment: their levels (absolute) or their differences."""

    writes: Sequence[Write]
    relative: bool


class Verdict(NamedTuple):
    """What is decided already, and what is to be sent next."""

    outcomes: Sequence[Outcome]
    batches: Sequence[Batch] = ()


def after_refusal(batch: Batch, error: Rejected) -> Verdict:
    """Refuse the rows that are named, send the others again, and halve where nobody is named.

    Differences are sent again only after a refusal that certainly came before anything was carried out. "Each
    operation is isolated and handled independently", the concurrency guide says of requests that ran short of
    stock in its stage C; whether the other rows of such a batch were applied is not documented, so they are
    unknown, and a reading tells.
    """
    writes = batch.writes
    if _NO_LOCATION.search(error.words):
        return Verdict(outcomes_of(writes, error))
    named = _named(writes, error)
    if batch.relative and _NEVER_SET.search(error.words) and (named or len(writes) == 1):
        return _open(writes, named or writes, error)
    if batch.relative and len(writes) > 1 and error.status != _TOO_LARGE and not _INVALID.search(error.words):
        reason = f"{error.reason} (which of the batch were applied is not certain)"
        return Verdict([Outcome(write.ref, Result.UNKNOWN, reason=reason) for write in writes])
    if named:
        others = _without(writes, named)
        return Verdict(outcomes_of(named, error), [Batch(others, batch.relative)] if others else [])
    if len(writes) == 1:
        return Verdict(outcomes_of(writes, error))
    middle = len(writes) // 2
    return Verdict([], [Batch(writes[middle:], batch.relative), Batch(writes[:middle], batch.relative)])


def _open(writes: Sequence[Write], named: Sequence[Write], error: Rejected) -> Verdict:
    """Give listings that never had a level their first one, absolutely, and the others their difference again.

    The store takes a difference only for stock that was set once. Setting it swallows no sale as long as there
    was nothing to sell: the store itself has just said that the level was never set, and the level we know
    (``base``) is the 0 that it shows for that. A listing of which we know another level is refused instead:
    then one of the two is wrong, and a person has to look. What remains is someone else who sets the first level
    in the instant between that answer and our call: theirs is overwritten, as by any absolute write, and the
    orders of that moment tell what was sold under it.
    """
    doubtful = [write for write in named if write.base != 0]
    outcomes = [
        Outcome(write.ref, Result.REFUSED, reason=f"{error.reason}, although it showed {write.base}")
        for write in doubtful
    ]
    parts = (Batch(_without(writes, named), relative=True), Batch(_without(named, doubtful), relative=False))
    return Verdict(outcomes, [part for part in parts if part.writes])


def _named(writes: Sequence[Write], error: Rejected) -> list[Write]:
    if not isinstance(error, ItemsRejected):
        return []
    return [write for write in writes if identity_of(write) in error.items]


def _without(writes: Sequence[Write], others: Sequence[Write]) -> list[Write]:
    gone = {write.ref for write in others}
    return [write for write in writes if write.ref not in gone]


def identity_of(write: Write) -> tuple[str, int]:
    """The one identifier by which the Inventory API wants to be told of a listing: its name and its value."""
    ref = Ref.parse(write.ref)
    assert ref is not None, "the channel lets only its own refs pass"
    return ("product_id", ref.product_id) if ref.variant_id is None else ("variant_id", ref.variant_id)
