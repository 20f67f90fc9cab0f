"""What people and programs are shown of the stock of record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from sync.context import Context
from sync.stock.ledger import Movement
from sync.stock.records import Record, State, state_of


class ListingView(NamedTuple):
    """One listing as it stands. ``target`` is ``None`` where the channel is only read or nothing was counted."""

    level: int
    target: int | None
    state: State


def listing_views(context: Context, record: Record, now_ms: int, paused: Collection[str]) -> dict[str, ListingView]:
    """The listings of a record, by channel in the order of the settings. ``paused``: the channels that are."""
    views, targets = {}, context.policy.targets(record)
    for name in context.channels:
        listing = record.listings.get(name)
        if listing is not None:
            wanted = targets[name].units
            state = state_of(record, listing, wanted, paused=name in paused, now_ms=now_ms)
            views[name] = ListingView(listing.level, wanted, state)
    return views


def stock_rows(context: Context, records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """Rows of ``stock --json``."""
    now_ms, paused = context.store.now_ms(), context.pauses.all()
    for record in records:
        views = listing_views(context, record, now_ms, paused)
        yield {
            "sku": record.sku,
            "on_hand": record.on_hand,
            "revision": record.revision,
            "channels": {
                name: {"level": view.level, "target": view.target, "state": view.state.value}
                for name, view in views.items()
            },
        }


class HeldView(NamedTuple):
    """A listing that is not written, and why."""

    sku: str
    channel: str
    state: State
    level: int
    target: int | None
    #: The channel's own words, or the id of the other listing with this SKU.
    words: str
    #: Units that the channel offers and that may not be there: those above the target, and all where nobody knows.
    at_risk: int


def held(context: Context, records: Iterable[Record]) -> Iterator[HeldView]:
    """Every listing that is parked, quarantined or missing."""
    now_ms, paused = context.store.now_ms(), context.pauses.all()
    for record in records:
        for name, view in listing_views(context, record, now_ms, paused).items():
            if view.state in (State.PARKED, State.QUARANTINED, State.MISSING):
                hold = record.listings[name].hold
                words = hold.words if hold else uncounted(context, record)
                yield HeldView(record.sku, name, view.state, view.level, view.target, words, _at_risk(view))


def uncounted(context: Context, record: Record) -> str:
    """Why a SKU has no on hand."""
    recipe = context.ledger.roster.recipes.bundles.get(record.folded)
    if recipe is None:
        return "the authority has never counted it"
    known = {part.folded: part.on_hand for part in record.parts}
    missing = [part.sku for part in recipe.parts if known.get(part.folded) is None]
    return f"the authority has never counted {' and '.join(missing)}, of which it is made"


def _at_risk(view: ListingView) -> int:
    covered = 0 if view.state is State.QUARANTINED else view.target or 0
    return max(0, view.level - covered)


def held_row(view: HeldView) -> dict[str, Any]:
    """A row of ``parked --json``."""
    return view._asdict() | {"state": view.state.value}


def movement_row(movement: Movement) -> dict[str, Any]:
    """A row of ``history --json``."""
    return {
        "id": movement.id,
        "sku": movement.sku,
        "at": movement.at.isoformat(timespec="milliseconds"),
        "units": movement.units,
        "on_hand": movement.on_hand,
        "revision": movement.revision,
        "channel": movement.channel,
        "why": movement.why,
        "cause": movement.cause,
        "level": movement.level,
    }
