"""Amazon as a channel: levels by search, one patch for each write, sales from the merchant's orders."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from channels.amazon import models
from channels.amazon.client import SEARCH_PAGE, AmazonClient
from channels.amazon.reports import ListingsReport
from channels.amazon.settings import AmazonSettings
from channels.batches import outcomes_of, write_split
from channels.contract import Capabilities, Channel, ChannelSettings, Outcome, Page, Problem, Result, Sale, Write
from channels.errors import ChannelError, Denied, Incomprehensible, Rejected, Unanswered

#: The most listings that can be paged through in one search (model listings-items 2021-08-01).
SEARCH_LIMIT = 1000

#: Lost answers in a row after which the rest of a batch is put off: it is not the rows that are ill.
PATIENCE = 2


@dataclass(slots=True)
class AmazonChannel(Channel):
    """One seller account in one marketplace.

    A listing's ref is its seller SKU. Only the stock that the merchant fulfils himself is a level here;
    listings that Amazon fulfils (FBA) are left out of every reading, and no write ever reaches one.
    """

    Settings: ClassVar[type[ChannelSettings]] = AmazonSettings

    settings: AmazonSettings
    client: AmazonClient = field(init=False, repr=False)
    _report: ListingsReport = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the HTTP session; nothing is sent yet."""
        self.client = AmazonClient(self.name, self.settings, self.services)
        self._report = ListingsReport(self.client, self.services.memory, self.settings.report_keep_s)

    @property
    def capabilities(self) -> Capabilities:
        """See :attr:`Channel.capabilities`. A batch is what one look before the writes can check."""
        return Capabilities(
            writes=True,
            write_batch=SEARCH_PAGE,
            read_batch=SEARCH_PAGE,
            settle_s=self.settings.settle_s,
            visible_within_s=self.settings.visible_within_s,
            orders=True,
        )

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """See :meth:`Channel.read_all`. Up to 1,000 listings by search; above, by the SKUs of the listings report.

        Raises:
            Throttled: the listings report is being made; come again.
        """
        way, _, rest = (cursor or "").partition(":")
        if way == "report":
            document, _, offset = rest.rpartition(":")
            yield from self._read_reported(document, int(offset))
        elif not cursor and self._report.known:
            yield from self._read_reported(self._report.document(), 0)
        else:
            yield from self._read_searched(rest)

    def read(self, refs: Sequence[str]) -> Page:
        """See :meth:`Channel.read`. A listing that Amazon has come to fulfil is left out, with a word about it."""
        found = self._look_up(refs)
        levels, problems = models.reading(found)
        problems += [
            Problem(listing.sku, listing.obstacle)
            for listing in found
            if isinstance(listing, models.Listing) and listing.by_amazon and listing.by_merchant is None
        ]
        return Page(levels, problems)

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """See :meth:`Channel.write`. One look at the whole batch, then one patch for each listing that may be written.

        The look is what keeps a quantity from a listing that has become Amazon's to fulfil since it was read,
        and from a SKU that is gone.
        """
        return write_split(writes, lambda batch: self._write(batch, until), until=until)

    def sales(self, since: datetime) -> Iterator[Sale]:
        """See :meth:`Channel.sales`. Amazon gives one page of 100 orders every 179 seconds, after a burst of 20."""
        token = ""
        while True:
            orders = self.client.orders(since, page_token=token)
            for order in orders.orders:
                yield from models.sales(order)
            token = orders.next_token
            if not token:
                return

    def close(self) -> None:
        """See :meth:`Channel.close`."""
        self.client.close()

    def _read_searched(self, token: str) -> Iterator[Page]:
        while True:
            results = self.client.search(page_token=token)
            if results.number_of_results > SEARCH_LIMIT:
                # Amazon lets nobody page through them all, and a part must never be taken for the whole.
                yield from self._read_reported(self._report.document(), 0)
                return
            token = results.next_token
            levels, problems = models.reading(models.listings(results.items))
            yield Page(levels, problems, cursor=f"search:{token}" if token else None)
            if not token:
                return

    def _read_reported(self, document: str, start: int) -> Iterator[Page]:
        skus = self._report.skus(document)
        for offset in range(start, len(skus), SEARCH_PAGE):
            names = skus[offset : offset + SEARCH_PAGE]
            found = self._look_up(names)
            levels, problems = models.reading(found)
            problems += models.unreadable(names, found)
            end = offset + SEARCH_PAGE
            yield Page(levels, problems, cursor=f"report:{document}:{end}" if end < len(skus) else None)

    def _look_up(self, refs: Sequence[str]) -> list[models.Listing | Problem]:
        """The listings of these SKUs, by one call but for those with a comma, which a list cannot name."""
        listable = [ref for ref in refs if "," not in ref]
        found = list(models.listings(self.client.look_up(listable).items)) if listable else []
        for ref in refs:
            if "," in ref:
                listing = self.client.get(ref)
                found += [listing] if listing else []
        return found

    def _write(self, writes: Sequence[Write], until: float) -> list[Outcome]:
        try:
            found = self._look_up([write.ref for write in writes])
        except (Unanswered, Incomprehensible) as error:
            # Only a look went unanswered: certainly nothing was written.
            return [Outcome(write.ref, Result.DEFERRED, reason=error.reason) for write in writes]
        obstacles = {listing.sku: listing.obstacle for listing in found if isinstance(listing, models.Listing)}
        outcomes: list[Outcome] = []
        sent = lost = 0
        for number, write in enumerate(writes):
            obstacle = obstacles.get(write.ref, f"Amazon shows no listing with the SKU {write.ref!r}")
            if obstacle:
                outcomes.append(Outcome(write.ref, Result.REFUSED, reason=obstacle))
                continue
            if time.monotonic() >= until:
                return outcomes + self._put_off(writes[number:], "the time for this write is over")
            try:
                outcomes.append(models.outcome(write, self.client.set_quantity(write.ref, write.units)))
                sent, lost = sent + 1, 0
            except Denied:
                if not sent:
                    raise
                return outcomes + self._put_off(writes[number:], "Amazon stopped accepting the credentials")
            except Rejected as error:
                outcomes += outcomes_of([write], error)
                lost = 0
            except (Unanswered, Incomprehensible) as error:
                outcomes += outcomes_of([write], error)
                sent, lost = sent + 1, lost + 1
                if lost == PATIENCE:
                    return outcomes + self._put_off(writes[number + 1 :], error.reason)
            except ChannelError as error:
                return outcomes + self._put_off(writes[number:], error.reason)
        return outcomes

    def _put_off(self, writes: Sequence[Write], reason: str) -> list[Outcome]:
        return [Outcome(write.ref, Result.DEFERRED, reason=reason) for write in writes]
