"""Which rules are in force: when a merchant has changed them, all listings of a channel are looked at again.

``is:rules:<channel>`` holds the digest of the rules by which every listing there is right or marked. It is set after
all of them are marked, so whoever dies in between leaves the work to the next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from sync.context import Context
from sync.deadline import Deadline
from sync.stock.ledger import chunks
from sync.storage.store import PREFIX

log = logging.getLogger(__name__)

#: How many listings are marked together.
GATHER = 1000


def have_changed(context: Context, channel: str) -> bool:
    """Whether listings of a channel may be wrong by the rules of this process, and are not marked yet."""
    return context.store.client.get(_key(channel)) != context.policy.digest(channel)


def doubt(context: Context, channel: str) -> None:
    """Have all listings of a channel looked at again, as if its rules had changed."""
    context.store.client.delete(_key(channel))


@contextmanager
def in_force(context: Context, channel: str, deadline: Deadline) -> Iterator[None]:
    """With every listing of a channel right or marked by the rules of this process.

    Workers with other rules may be at work meanwhile, while they are restarted one by one. What was written beside
    them is looked at again by the next.
    """
    if have_changed(context, channel):
        _mark_all(context, channel, deadline)
    try:
        yield
    finally:
        if have_changed(context, channel):
            doubt(context, channel)


def _mark_all(context: Context, channel: str, deadline: Deadline) -> None:
    marked = 0
    if context.ledger.listings(channel):
        for chunk in chunks(context.ledger.scan(), GATHER):
            marked += context.worklist.suspect(channel, chunk, context.store.now_ms())
            _ = deadline.over  # says that we are alive; half of it would have to be done again
    context.store.client.set(_key(channel), context.policy.digest(channel))
    if marked:
        log.info("%s: its rules are new or have changed; %d listings are looked at again", channel, marked)


def _key(channel: str) -> str:
    return f"{PREFIX}rules:{channel}"
