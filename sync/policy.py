"""What a channel should show of a SKU: a pure function of the stock of record."""

from __future__ import annotations

from sync.records import Record


def target(record: Record) -> int | None:
    """The level that every channel should show, in units; ``None`` while the authority has not counted the SKU.

    On hand may be negative (more was sold than there was); what is shown never is.
    """
    return None if record.on_hand is None else max(0, record.on_hand)
