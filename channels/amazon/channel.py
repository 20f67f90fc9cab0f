"""Amazon as a channel: levels by search, writes by patch or feed, sales from the merchant's orders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from channels.amazon import models
from channels.amazon.client import SEARCH_PAGE, AmazonClient
from channels.amazon.feeds import InventoryFeeds
from channels.amazon.models import Listing
from channels.amazon.reports import ListingsReport
from channels.amazon.settings import AmazonSettings
from channels.amazon.writing import Writer
from channels.contract import Capabilities, Channel, ChannelSettings, Outcome, Page, Problem, Sale, Write

#: The most listings that can be paged through in one search (model listings-items 2021-08-01).
SEARCH_LIMIT = 1000

#: The most listings in one feed. Amazon takes 25,000, but all are looked at first, 20 by each call and 5 calls a
#: second, and the claim on them must not end meanwhile.
FEED_BATCH = 2000


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
    _writer: Writer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Open the HTTP session; nothing is sent yet."""
        self.client = AmazonClient(self.name, self.settings, self.services)
        self._report = ListingsReport(self.client, self.services.memory, self.settings.report_keep_s)
        feeds = InventoryFeeds(self.client, self.services.memory, self.settings.feed_patience_s)
        self._writer = Writer(self.client, feeds, self._look_up, self.settings.feed_from or math.inf)

    @property
    def capabilities(self) -> Capabilities:
        """See :attr:`Channel.capabilities`. A batch is what one look before the writes can check."""
        feed_from = self.settings.feed_from
        return Capabilities(
            writes=True,
            write_batch=SEARCH_PAGE,
            bulk_from=feed_from,
            bulk_batch=max(feed_from, FEED_BATCH) if feed_from else 0,
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
            if isinstance(listing, Listing) and listing.by_amazon and listing.by_merchant is None
        ]
        return Page(levels, problems)

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """See :meth:`Channel.write` and :mod:`channels.amazon.writing`."""
        return self._writer.write(writes, until)

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

    def _look_up(self, refs: Sequence[str]) -> list[Listing | Problem]:
        """The listings of these SKUs, 20 by each call but for those with a comma, which a list cannot name."""
        listable = [ref for ref in refs if "," not in ref]
        found: list[Listing | Problem] = []
        for start in range(0, len(listable), SEARCH_PAGE):
            found += models.listings(self.client.look_up(listable[start : start + SEARCH_PAGE]).items)
        for ref in refs:
            if "," in ref:
                listing = self.client.get(ref)
                found += [listing] if listing else []
        return found
