"""The stock of record counted through: how many listings are in which state, and how far levels are from targets.

That needs a look at every record, so it is done now and then by a task, and metrics show what was last found and
when. What must be known at once (what waits, what was oversold) is counted where it happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import BaseModel, Field

from sync.context import Context
from sync.deadline import Deadline
from sync.stock.ledger import chunks
from sync.stock.records import Record
from sync.storage.store import PREFIX, Store
from sync.views.stock import ListingView, listing_views

_KEY = f"{PREFIX}census"

#: How many records are fetched together.
CHUNK = 500


class Tally(BaseModel):
    """What was counted on one channel."""

    #: Listings by their state.
    states: dict[str, int] = Field(default_factory=dict)
    #: By how many units levels differ from their targets where no write is on its way, whatever the direction.
    drift_units: int = 0
    #: When the oldest write under way was begun (ms); 0 where there is none.
    oldest_write_ms: int = 0


class Census(BaseModel):
    """What was counted at one time."""

    #: When it was begun, in milliseconds by the store's clock.
    at_ms: int
    skus: int = 0
    #: SKUs that the authority has never counted.
    uncounted: int = 0
    #: Units on hand, and units that were sold and were not there.
    units: int = 0
    oversold_units: int = 0
    channels: dict[str, Tally] = Field(default_factory=dict)

    def add(self, record: Record, views: Mapping[str, ListingView]) -> None:
        """Count one record, as people are shown it."""
        self.skus += 1
        if record.on_hand is None:
            self.uncounted += 1
        else:
            self.units += max(0, record.on_hand)
            self.oversold_units += max(0, -record.on_hand)
        for name, view in views.items():
            tally = self.channels.setdefault(name, Tally())
            tally.states[view.state.value] = tally.states.get(view.state.value, 0) + 1
            write = record.listings[name].write
            if write is not None:
                tally.oldest_write_ms = min(tally.oldest_write_ms or write.began_ms, write.began_ms)
            elif view.target is not None:
                tally.drift_units += abs(view.target - view.level)


def count(context: Context, deadline: Deadline) -> Census | None:
    """Count all records and keep what was found; ``None`` when there was no time to end it."""
    census = Census(at_ms=context.store.now_ms())
    for skus in chunks(context.ledger.scan(), CHUNK):
        if deadline.over:
            return None
        now_ms, paused = context.store.now_ms(), context.pauses.all()
        for record in context.ledger.records(skus):
            census.add(record, listing_views(context, record, now_ms, paused))
    context.store.client.set(_KEY, census.model_dump_json())
    return census


def last(store: Store) -> Census | None:
    """What was found when last counted through."""
    found = cast("str | None", store.client.get(_KEY))
    return Census.model_validate_json(found) if found else None
