"""Amazon as a channel: the contract, put together from the parts of this package."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from channels.amazon import models
from channels.amazon.client import SEARCH_PAGE, AmazonClient
from channels.amazon.diagnosis import diagnose
from channels.amazon.fba import AmazonStock
from channels.amazon.feeds import InventoryFeeds
from channels.amazon.limits import ORDERS
from channels.amazon.merchant import MerchantStock
from channels.amazon.reports import ListingsReport
from channels.amazon.settings import AmazonSettings
from channels.amazon.writing import Writer
from channels.contract import Capabilities, Channel, ChannelSettings, Outcome, Page, Result, Sale, Write
from channels.diagnosis import Finding
from channels.errors import Throttled, Unreachable
from channels.webhooks import Event

#: The most listings in one feed. Amazon takes 25,000, but all are looked at first, 20 by each call and 5 calls a
#: second, and the claim on them must not end meanwhile.
FEED_BATCH = 2000


@dataclass(slots=True)
class AmazonChannel(Channel):
    """One seller account in one marketplace.

    A listing's ref is its seller SKU. Unless the settings say otherwise, only the stock that the merchant fulfils
    himself is a level here: listings that Amazon fulfils (FBA) are left out of every reading. No write ever
    reaches one of those.
    """

    Settings: ClassVar[type[ChannelSettings]] = AmazonSettings

    settings: AmazonSettings
    client: AmazonClient = field(init=False, repr=False)
    _stock: MerchantStock | AmazonStock = field(init=False, repr=False)
    #: Only the merchant's own stock can be written.
    _writer: Writer | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Open the HTTP session; nothing is sent yet."""
        settings, memory = self.settings, self.services.memory
        self.client = AmazonClient(self.name, settings, self.services)
        if settings.stock == "amazon":
            self._stock = AmazonStock(self.client)
            return
        stock = MerchantStock(self.client, ListingsReport(self.client, memory, settings.report_keep_s))
        feeds = InventoryFeeds(self.client, memory, settings.feed_patience_s)
        self._stock = stock
        self._writer = Writer(self.client, feeds, stock.look_up, settings.feed_from or math.inf)

    @property
    def capabilities(self) -> Capabilities:
        """See :attr:`Channel.capabilities`. A batch is what one look before the writes can check."""
        feed_from = self.settings.feed_from
        return Capabilities(
            writes=self._writer is not None,
            write_batch=SEARCH_PAGE,
            bulk_from=feed_from,
            bulk_batch=max(feed_from, FEED_BATCH) if feed_from else 0,
            read_batch=self._stock.read_batch,
            full_every_s=self.settings.full_every_s,
            settle_s=self.settings.settle_s,
            visible_within_s=self.settings.visible_within_s,
            orders=True,
            queue=self.settings.queue_url is not None,
        )

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """See :meth:`Channel.read_all`."""
        return self._stock.read_all(cursor)

    def changed(self, since: datetime) -> Iterator[Page]:
        """See :meth:`Channel.changed`. Whether a sale counts as a change of its listing is not documented."""
        if isinstance(self._stock, AmazonStock):
            return Channel.changed(self, since)
        return self._stock.changed(since)

    def read(self, refs: Sequence[str]) -> Page:
        """See :meth:`Channel.read`."""
        return self._stock.read(refs)

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """See :meth:`Channel.write` and :mod:`channels.amazon.writing`."""
        if self._writer is None:
            reason = "Amazon counts the stock in its warehouses itself, so it is not written"
            return [Outcome(write.ref, Result.REFUSED, reason=reason) for write in writes]
        return self._writer.write(writes, until)

    def sales(self, since: datetime) -> Iterator[Sale]:
        """See :meth:`Channel.sales`. Amazon gives one page of 100 orders every 179 seconds, after a burst of 20."""
        token, pages = "", 0
        while True:
            try:
                orders = self.client.orders(since, self.settings.stock, page_token=token)
            except Throttled as error:
                # The next try begins at the first page again. Come as soon as one call is free, it would spend it
                # there and never reach the end: it is to come when there is leave for as many pages, and one more.
                error.retry_after_s += min(pages, ORDERS.burst - 1) * self.client.interval_s(ORDERS)
                raise
            pages += 1
            for order in orders.orders:
                yield from models.sales(order)
            token = orders.next_token
            if not token:
                return

    def hints(self, wait_s: int = 0) -> Iterator[list[Event]]:
        """See :meth:`Channel.hints`: Amazon's notifications, ten at a time; none where no queue is configured."""
        if self.settings.queue_url is None:
            return
        try:
            from channels.amazon.sqs import NotificationQueue  # boto3 is an extra
        except ImportError as error:
            words = "queue_url is set, and boto3 is not installed"
            advice = "Install inventory-sync[sqs]."
            raise Unreachable(self.name, "receive notifications", words, advice=advice) from error
        queue = NotificationQueue(self.name, self.settings, self.settings.queue_url)
        try:
            yield from queue.hints(wait_s)
        finally:
            queue.close()

    def diagnose(self) -> Iterator[Finding]:
        """See :meth:`Channel.diagnose`."""
        return diagnose(self.client, self.name, self.settings)

    def close(self) -> None:
        """See :meth:`Channel.close`."""
        self.client.close()
