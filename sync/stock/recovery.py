"""Going on after the stock of record was set back: a backup was restored, or a power cut took its last seconds.

What the store has forgotten still happened: sales were seen, and other channels were written because of them. Read
as if nothing had been written, every such write would count as a sale of its own. So each listing that may have been
written is opened anew by the next certain reading, and the orders since it was last known tell what was sold. Until
that is done for all of them nothing is written anywhere.

``is:recovery`` holds ``marking <ms>`` while listings are being marked and ``looking <ms>`` until all is found out.
"""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple, cast

from sync.context import Context
from sync.readings import Pulls
from sync.stock.ledger import chunks
from sync.stock.records import Listing
from sync.storage.store import PREFIX, Call, Store, bucket_of, bucket_prefix

log = logging.getLogger(__name__)

KEY = f"{PREFIX}recovery"

#: How many SKUs are marked together.
CHUNK = 500

#: The most listings that are looked through to find whether all that still wait are gone.
LOOKED_THROUGH = 1000

#: More than any bucket's share of them.
FAR = 16 * LOOKED_THROUGH


class Recovery(NamedTuple):
    """How far it is."""

    phase: Literal["marking", "looking"]
    #: When it began, in milliseconds by the store's clock.
    began_ms: int


def under_way(store: Store) -> Recovery | None:
    """The recovery that is under way, if one is."""
    found = cast("str | None", store.client.get(KEY))
    if not found:
        return None
    phase, began_ms = found.split(" ")
    return Recovery(cast('Literal["marking", "looking"]', phase), int(began_ms))


def begin(context: Context) -> int:
    """Mark every listing that may have been written since, and ask for readings. No worker may run meanwhile.

    Returns how many listings there are. May be run again; one that died half-way must be.
    """
    store, began_ms = context.store, context.store.now_ms()
    store.client.set(KEY, f"marking {began_ms}")
    found = 0
    for name, channel in context.channels.items():
        Pulls(store).restart(name, began_ms)
        if not channel.capabilities.writes:
            continue
        can = channel.capabilities
        head: list[str | int] = [
            name,
            began_ms,
            began_ms + round(context.writes.lease_s * 1000),
            round(can.settle_s * 1000),
            int(can.orders),
            round(can.order_margin_s * 1000),
        ]
        for chunk in chunks(context.ledger.skus(), CHUNK):
            rows: dict[int, list[str]] = {}
            for folded in chunk:
                rows.setdefault(bucket_of(folded), []).append(folded)
            calls = [Call([bucket_prefix(bucket)], [*head, *skus]) for bucket, skus in rows.items()]
            found += sum(store.run("forget", calls))
    store.client.set(KEY, f"looking {began_ms}")
    return found


def end_if_over(context: Context) -> bool:
    """End the recovery that is under way if all has been found out. Whether one is still under way."""
    now = under_way(context.store)
    if now is None:
        return False
    if now.phase == "marking" or not all(_is_known(context, name, now.began_ms) for name in context.channels):
        return True
    context.store.client.delete(KEY)
    log.warning("all that happened since the stock of record was set back has been found; channels are written again")
    return False


def end(context: Context) -> bool:
    """End it, whatever has not been found out yet. Whether one was under way."""
    return bool(context.store.client.delete(KEY))


def _is_known(context: Context, name: str, began_ms: int) -> bool:
    """Whether a channel has been read whole since, and neither readings nor orders have more to tell."""
    if Pulls(context.store).state(name).finished_began_ms < began_ms:
        return False
    worklist, forever = context.worklist, 2**53
    waiting = worklist.waiting(name, context.store.now_ms())
    if waiting.open + waiting.audits > LOOKED_THROUGH:
        return False
    # a listing that is gone tells no more; it is not written until it is back
    left = {*worklist.due_writes(name, forever, FAR), *worklist.due_audits(name, forever, FAR)}
    return all(_is_gone(record.listings.get(name)) for record in context.ledger.records(sorted(left)))


def _is_gone(listing: Listing | None) -> bool:
    return listing is not None and listing.hold is not None and listing.hold.kind == "missing"
