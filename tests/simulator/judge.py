"""The judge: what must be true once the world is calm, and which moments nobody can be asked to see through."""

from __future__ import annotations

from collections.abc import Sequence

from sync.context import Context
from sync.stock.ledger import Movement
from sync.stock.records import Record, State, state_of
from tests import notes
from tests.simulator.plan import Edit, Return
from tests.simulator.world import World

#: Why on hand may rise though nobody brought anything: the first count, and the end of an assumption.
RISES = ("opened", "not sold after all", "components changed")


def good_moment(world: World, context: Context, event: Edit | Return) -> bool:
    """Whether a change that no sale explains may happen now (``docs/correctness.md`` says why not always)."""
    place = world.places[event.channel]
    if place.site.kind == "till":
        return True
    if any(
        worker.name.startswith("push") and worker.name.endswith(f" {place.site.name}") for worker in world.engine.live
    ):
        return False
    for record in context.ledger.records([event.sku]):
        listing = record.listings.get(place.site.name)
        if listing is None or listing.write is not None:
            return False
    if isinstance(event, Edit):
        return True
    return event.sku.lower() not in context.worklist.due_audits(place.site.name, world.engine.now + 10**9, 100)


def faults(world: World, context: Context) -> list[str]:
    """Everything that is wrong; empty when the rules held."""
    found = list(world.violations)
    for name in context.channels:
        waiting = context.worklist.waiting(name, world.engine.now)
        if any(waiting):
            found.append(f"{name}: not done with everything: {waiting}")
    if marks := context.ledger.bundles.marks():
        found.append(f"not done with bundles: {marks}")
    found += notes.faults(context.store.client)
    for record in context.ledger.records(world.plan.skus):
        found += _stock(world, context, record)
        for name, listing in record.listings.items():
            shelf, wanted = world.shelf(name, record.sku), context.policy.target(record, name)
            state = state_of(record, listing, wanted, paused=False, now_ms=world.engine.now)
            if state is not State.SETTLED:
                found.append(f"{name}: {record.sku}: is {state}, not settled")
            if wanted is not None and shelf.actual != wanted:
                found.append(f"{name}: {record.sku}: has {shelf.actual}, its target is {wanted}")
            if listing.level != shelf.actual:
                found.append(f"{name}: {record.sku}: has {shelf.actual}, is known to have {listing.level}")
    return found


def _truth(world: World, sku: str) -> int:
    """What is really on hand: of a bundle, as many as its components allow."""
    recipe = world.plan.recipes.bundles.get(sku.lower())
    if recipe:
        return min(_truth(world, part.sku) // part.units for part in recipe.parts)
    return world.shelf_at_start(world.plan.authority, sku) + sum(_happened(world, name, sku) for name in world.places)


def _happened(world: World, channel: str, sku: str) -> int:
    """Units of a SKU that really came or went at a channel, in bundles too."""
    each = _bundles(world, sku)
    return world.moved[channel, sku] + sum(units * world.moved[channel, bundle] for bundle, units in each.items())


def _bundles(world: World, sku: str) -> dict[str, int]:
    """The bundles that a SKU is in, and how many of it each has."""
    recipes = world.plan.recipes.bundles.values()
    return {recipe.sku: part.units for recipe in recipes for part in recipe.parts if part.sku == sku}


def _written(world: World, context: Context, record: Record, movements: Sequence[Movement]) -> list[str]:
    """For any write that was sent, the history and the rules reproduce the number that was written."""
    found = []
    for sent in world.sent:
        if sent.sku == record.folded:
            on_hand = next((m.on_hand for m in reversed(movements) if m.revision <= sent.revision), None)
            then = record._replace(on_hand=on_hand, revision=sent.revision)
            wanted = context.policy.targets(then)[sent.channel]
            if wanted.units != sent.units:
                way = " > ".join(f"{step.rule} {step.units}" for step in wanted.steps)
                what = f"{sent.units} at revision {sent.revision}, but {on_hand} on hand make {wanted.units}: {way}"
                found.append(f"{sent.channel}: {sent.sku}: was sent {what}")
            world.counts["explained"] += 1
    return found


def _stock(world: World, context: Context, record: Record) -> list[str]:
    found = []
    movements = context.ledger.history(record.sku)
    booked = sum(movement.units for movement in movements)
    if booked != record.on_hand:
        found.append(f"{record.sku}: on hand is {record.on_hand}, its movements make {booked}")
    expected = _truth(world, record.sku)
    if record.on_hand != expected:
        found.append(f"{record.sku}: on hand is {record.on_hand}, should be {expected}")
    for name in world.places:
        mine = sum(m.units for m in movements if m.channel == name and m.why != "opened")
        happened = _happened(world, name, record.sku)
        if mine != happened:
            found.append(f"{record.sku}: {mine:+d} booked from {name}, {happened:+d} happened")
    found += _written(world, context, record, movements)
    before = 0
    for movement in movements:
        before += movement.units
        if movement.on_hand != before:
            found.append(f"{record.sku}: a movement says {movement.on_hand} on hand, it was {before}")
        if not movement.why or not movement.cause or (movement.units == 0 and movement.why != "opened"):
            found.append(f"{record.sku}: a movement without a cause: {movement.why!r} {movement.cause!r}")
        came = any(world.raised[movement.channel, sku] for sku in (record.sku, *_bundles(world, record.sku)))
        if movement.units > 0 and movement.why not in RISES and not came:
            found.append(f"{record.sku}: {movement.units:+d} from nowhere at {movement.channel}: {movement.why}")
        world.counts[f"why {movement.why}"] += 1
        world.counts["in bundles"] += movement.channel != "" and movement.cause.startswith(
            tuple(_bundles(world, record.sku))
        )
    return found
