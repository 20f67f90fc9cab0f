"""Why a channel shows what it shows of a SKU: from on hand to its target, rule by rule, and how the listing stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from sync.context import Context
from sync.policy.targets import Target
from sync.stock.ledger import Movement
from sync.stock.records import Record, State
from sync.storage.store import fold
from sync.views.drift import ADVICE, differs, held_runs, judge
from sync.views.stock import ListingView, listing_views, movement_row, uncounted


class Ingredient(NamedTuple):
    """A component of a bundle, and how many of the bundle it allows."""

    sku: str
    #: ``None``: the authority has not counted it.
    on_hand: int | None
    #: In each bundle.
    units: int
    allows: int | None


class Explanation(NamedTuple):
    """All that is to be said of one SKU on one channel."""

    record: Record
    channel: str
    #: What it is made of; empty where it is no bundle.
    made_of: list[Ingredient]
    target: Target
    #: The last movement of its stock.
    last: Movement | None
    #: ``None``: the channel has not shown it.
    view: ListingView | None
    #: When a reading last showed it, in ms by the store's clock; ``None``: never.
    read_ms: int | None
    #: How it stands, in words for a merchant.
    words: str

    def as_row(self) -> dict[str, Any]:
        """The row of ``explain --json``."""
        return {
            "sku": self.record.sku,
            "channel": self.channel,
            "on_hand": self.record.on_hand,
            "revision": self.record.revision,
            "made_of": [part._asdict() for part in self.made_of],
            "last": movement_row(self.last) if self.last else None,
            "steps": [
                {"rule": step.rule, "units": step.units, "words": step.words, "source": step.source}
                for step in self.target.steps
            ],
            "target": self.target.units,
            "level": self.view.level if self.view else None,
            "read": when(self.read_ms) if self.read_ms else None,
            "state": self.view.state.value if self.view else None,
            "words": self.words,
        }


def named(context: Context, sku: str, channel: str) -> str:
    """One of our SKUs, by our name or by the channel's."""
    return context.aliases.ours(channel).get(fold(sku), sku)


def explain(context: Context, record: Record, channel: str) -> Explanation:
    """What is to be said of a SKU on a channel."""
    now_ms, paused = context.store.now_ms(), context.pauses.all()
    target = context.policy.targets(record)[channel]
    view = listing_views(context, record, now_ms, paused).get(channel)
    (last,) = context.ledger.last_movements([record])
    words = _words(context, record, channel, target, view, last, now_ms)
    read_ms = context.ledger.read_ms(channel, record.folded) or None
    return Explanation(record, channel, _made_of(context, record), target, last, view, read_ms, words)


def _words(
    context: Context,
    record: Record,
    channel: str,
    target: Target,
    view: ListingView | None,
    last: Movement | None,
    now_ms: int,
) -> str:
    listing = record.listings.get(channel)
    if listing is None or view is None:
        return f"{channel} has not shown it"
    if not context.channel(channel).capabilities.writes:
        return "it is read here and never written"
    if record.on_hand is None:
        return f"it is not written: {uncounted(context, record)}"
    hold = listing.hold
    if target.units is None:
        return f"it is not written: {target.steps[-1].words}"
    if view.state is State.QUARANTINED and hold:
        return f"it is not written: {hold.words} has the same SKU; give one of them another"
    if not differs(listing, target.units):
        return "it shows its target"
    (marks,) = context.worklist.marks_of([(channel, record.folded)])
    pause = context.pauses.of(channel)
    (run,) = held_runs(context, [listing])
    verdict = judge(record, listing, marks=marks, last=last, pause=pause, run=run, now_ms=now_ms)
    return f"{verdict.kind.value}: {verdict.words}; {ADVICE[verdict.kind]}"


def _made_of(context: Context, record: Record) -> list[Ingredient]:
    recipe = context.ledger.roster.recipes.bundles.get(record.folded)
    if recipe is None:
        return []
    known = {part.folded: part.on_hand for part in record.parts}
    counts = ((part, known.get(part.folded)) for part in recipe.parts)
    return [
        Ingredient(part.sku, there, part.units, None if there is None else there // part.units)
        for part, there in counts
    ]


def when(at_ms: int) -> str:
    """A moment as programs read it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
