"""A town whose guard is tested: everything is known and at rest, until something implausible is read."""

from __future__ import annotations

from collections.abc import Iterable

from sync.deadline import Deadline
from sync.guard.holds import HeldRun
from sync.pull import pull
from sync.push import push
from sync.readings import Pulls
from sync.refresh import refresh
from tests.conftest import Town


def at_rest(town: Town, skus: Iterable[str]) -> Town:
    """All of these are at 10 everywhere, and that is known. Readings have pages of 8."""
    for sku in skus:
        town.put(sku, 10)
    for channel in town.everywhere:
        channel.page = 8
        pull_all(town, channel.name)
    for name in ("store", "market"):
        push(town.context, name, Deadline(60))
    return town


def pull_all(town: Town, name: str) -> None:
    """A reading from its begin to its end."""
    while not pull(town.context, name, Deadline(60)):
        pass


def look_again(town: Town, name: str = "store") -> None:
    """What follows from an approval, done by a worker."""
    refresh(town.context, name, Deadline(60))
    if Pulls(town.context.store).state(name).wanted_ms:
        pull_all(town, name)


def held(town: Town) -> HeldRun:
    """The one hold that is open."""
    (hold,) = town.context.holds.open_ones()
    return hold


def units(town: Town) -> int:
    """All that is on hand."""
    return sum(record.on_hand or 0 for record in town.context.ledger.every_record())
