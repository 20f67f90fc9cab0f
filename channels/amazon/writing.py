"""How quantities are written: what stops a row before it is sent, and by which way the rest goes.

Every row is looked at first, for a quantity must never reach a listing that has become Amazon's to fulfil since
it was read. Then few rows go as patches, one each, and many as one feed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from channels.amazon import models
from channels.amazon.client import AmazonClient
from channels.amazon.feeds import InventoryFeeds
from channels.amazon.models import Listing
from channels.batches import outcomes_of, write_split
from channels.contract import Outcome, Problem, Result, Write
from channels.errors import ChannelError, Denied, Incomprehensible, Rejected, Unanswered

#: Lost answers in a row after which the rest of a batch is put off: it is not the rows that are ill.
PATIENCE = 2

OVER = "the time for this write is over"

#: Reads listings by their SKUs, however many.
LookUp = Callable[[Sequence[str]], "list[Listing | Problem]"]


class Writer:
    """Writes quantities to one account.

    Parameters:
        client: Who sends patches.
        feeds: Who sends feeds.
        look_up: How listings are looked at.
        feed_from: From how many rows on a feed is sent; ``math.inf`` for never.
    """

    def __init__(self, client: AmazonClient, feeds: InventoryFeeds, look_up: LookUp, feed_from: float) -> None:
        self._client = client
        self._feeds = feeds
        self._look_up = look_up
        self._feed_from = feed_from

    def write(self, writes: Sequence[Write], until: float = math.inf) -> list[Outcome]:
        """See :meth:`channels.contract.Channel.write`."""
        return write_split(writes, lambda batch: self._batch(batch, until), until=until)

    def _batch(self, writes: Sequence[Write], until: float) -> list[Outcome]:
        try:
            stopped = self._stopped(writes)
        except (Unanswered, Incomprehensible) as error:
            # Only questions went unanswered: certainly nothing was written.
            return _deferred(writes, error.reason)
        going = [write for write in writes if write.ref not in stopped]
        sent = self._by_feed(going, until) if len(going) >= self._feed_from else self._by_patch(going, until)
        outcomes = stopped | {outcome.ref: outcome for outcome in sent}
        return [outcomes[write.ref] for write in writes]

    def _stopped(self, writes: Sequence[Write]) -> dict[str, Outcome]:
        """The rows that are not to be sent, by their refs."""
        stopped = {write.ref: outcome for write in writes if (outcome := self._feeds.objection(write.ref))}
        refs = [write.ref for write in writes if write.ref not in stopped]
        found = self._look_up(refs)
        obstacles = {listing.sku: listing.obstacle for listing in found if isinstance(listing, Listing)}
        for ref in refs:
            obstacle = obstacles.get(ref, f"Amazon shows no listing with the SKU {ref!r}")
            if obstacle:
                stopped[ref] = Outcome(ref, Result.REFUSED, reason=obstacle)
        return stopped

    def _by_feed(self, writes: Sequence[Write], until: float) -> list[Outcome]:
        if time.monotonic() >= until:
            return _deferred(writes, OVER)
        try:
            feed = self._feeds.submit(writes)
        except (Denied, Rejected):
            raise  # nothing was taken; a refused feed is tried in halves, and those at last as patches
        except ChannelError as error:
            return outcomes_of(writes, error)
        return [Outcome(write.ref, Result.ACCEPTED, reason=f"feed {feed}") for write in writes]

    def _by_patch(self, writes: Sequence[Write], until: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        sent = lost = 0
        for number, write in enumerate(writes):
            if time.monotonic() >= until:
                return outcomes + _deferred(writes[number:], OVER)
            try:
                outcomes.append(models.outcome(write, self._client.set_quantity(write.ref, write.units)))
                sent, lost = sent + 1, 0
            except Denied:
                if not sent:
                    raise
                return outcomes + _deferred(writes[number:], "Amazon stopped accepting the credentials")
            except Rejected as error:
                outcomes += outcomes_of([write], error)
                lost = 0
            except (Unanswered, Incomprehensible) as error:
                outcomes += outcomes_of([write], error)
                sent, lost = sent + 1, lost + 1
                if lost == PATIENCE:
                    return outcomes + _deferred(writes[number + 1 :], error.reason)
            except ChannelError as error:
                return outcomes + _deferred(writes[number:], error.reason)
        return outcomes


def _deferred(writes: Sequence[Write], reason: str) -> list[Outcome]:
    return [Outcome(write.ref, Result.DEFERRED, reason=reason) for write in writes]
