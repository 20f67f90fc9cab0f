"""Listings that have another SKU at their channel now: ids first, SKU second.

A full reading that misses a listing may have met it under another SKU. The channel is asked for the missing ones by
their ids, once, before they count as missing. One that it shows under a new SKU stays with its record, and so do its
open write and what was sold since the last reading. Unless the authority counts the new SKU: then that has the listing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from channels import Level
from sync.context import Context
from sync.legible import with_skus_fit
from sync.stock.records import Record
from sync.storage.store import Call, bucket_of, bucket_prefix, fold

log = logging.getLogger(__name__)

#: The most missing listings that are looked for after one reading. Where more vanish, they were hardly renamed.
MOST = 2000


def keep(context: Context, name: str, gone: Sequence[str]) -> list[str]:
    """Have those of these listings that were renamed stay with their records.

    Gives their refs: they are to be read again, under their old SKUs.

    Raises:
        channels.errors.ChannelError: the channel could not be asked; the next full reading does it again.
    """
    kept: list[str] = []
    for record, level in _renamed(context, name, context.ledger.records(gone)):
        new = fold(level.sku)
        call = Call([bucket_prefix(bucket_of(new))], [name, new, level.ref, record.folded])
        ((what,),) = context.store.run("rename", [call])
        if what == "kept":
            kept.append(level.ref)
            log.warning(
                "%s: %s is called %s there now; it stays %s. If that is its name from now on, write %s,%s,%s into the"
                " aliases, and the same for every channel that renames it",
                *(name, record.sku, level.sku, record.sku, name, level.sku, record.sku),
            )
        elif what == "counted":
            log.warning(
                "%s: %s is called %s there now, which the authority counts: that is what the listing shows from now on;"
                " %s keeps %s units on hand and no listing there",
                *(name, record.sku, level.sku, record.sku, record.on_hand),
            )
    return kept


def _renamed(context: Context, name: str, records: Sequence[Record]) -> Iterator[tuple[Record, Level]]:
    """Those of these listings that the channel shows under another SKU."""
    channel = context.channel(name)
    size = channel.capabilities.read_batch
    owners = {record.listings[name].ref: record for record in records if name in record.listings}
    refs = list(owners)
    for start in range(0, len(refs), size):
        page = with_skus_fit(context.aliases.translated(name, channel.read(refs[start : start + size])))
        for level in page.levels:
            owner = owners.get(level.ref)
            if owner is not None and fold(level.sku) != owner.folded:
                yield owner, level
