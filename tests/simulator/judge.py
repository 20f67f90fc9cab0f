"""The judge: what must be true once the world is calm, and which moments nobody can be asked to see through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sync.context import Context
from sync.ledger import Movement
from sync.records import Record, State, state_of
from tests.simulator.plan import Edit, Return
from tests.simulator.world import World

#: Why on hand may rise though nobody brought anything: the first count, and the end of an assumption.
RISES = ("opened", "not sold after all")


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


def _written(world: World, context: Context, record: Record, movements: Sequence[Movement]) -> list[str]:
    """For any write that was sent, the history and the rules reproduce the number that was written."""
    found = []
    for sent in world.sent:
        if sent.sku == record.folded:
            on_hand = next((m.on_hand for m in reversed(movements) if m.revision <= sent.revision), None)
            then = replace(record, on_hand=on_hand, revision=sent.revision)
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
    opened = world.shelf_at_start(world.plan.authority, record.sku)
    expected = opened + sum(world.moved[name, record.sku] for name in world.places)
    if record.on_hand != expected:
        found.append(f"{record.sku}: on hand is {record.on_hand}, should be {expected}")
    for name in world.places:
        mine = sum(m.units for m in movements if m.channel == name and m.why != "opened")
        if mine != world.moved[name, record.sku]:
            found.append(f"{record.sku}: {mine:+d} booked from {name}, {world.moved[name, record.sku]:+d} happened")
    found += _written(world, context, record, movements)
    before = 0
    for movement in movements:
        before += movement.units
        if movement.on_hand != before:
            found.append(f"{record.sku}: a movement says {movement.on_hand} on hand, it was {before}")
        if not movement.why or not movement.cause or (movement.units == 0 and movement.why != "opened"):
            found.append(f"{record.sku}: a movement without a cause: {movement.why!r} {movement.cause!r}")
        if movement.units > 0 and movement.why not in RISES and not world.raised[movement.channel, record.sku]:
            found.append(f"{record.sku}: {movement.units:+d} from nowhere at {movement.channel}: {movement.why}")
        world.counts[f"why {movement.why}"] += 1
    return found
