"""Stock by the Inventory API: levels of one location, written by absolute or by relative adjustments.

Both kinds are asynchronous: a 200 says that the store took the adjustment, and shows nothing. Sources:
reference/inventory.v3.yml and docs/store-operations/catalog/inventory-adjustments.mdx of github.com/bigcommerce/docs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from channels.batches import outcomes_of
from channels.bigcommerce.adjustments import Batch, after_refusal, identity_of
from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.models import Item, Ref, asked_for, rows_of_items
from channels.bigcommerce.models import Page as Collection
from channels.bigcommerce.products import by_id, changed_since
from channels.contract import MAX_UNITS, Outcome, Page, Result, Write
from channels.errors import ChannelError, Denied, Incomprehensible, Rejected, Throttled, Unreachable

#: The most items on one page.
PAGE = 1000

#: The most refs of one reading: their ids have to fit into an address of 8 kB.
READ_BATCH = 500

#: The most items of one adjustment.
WRITE_BATCH = 2000

#: How long a safety stock learnt by a reading counts for a write, in seconds. The worker reads just before it
#: writes; whoever does not pays for one more reading.
SAFETY_STOCK_FOR_S = 30.0

#: What the store keeps as the reason of an adjustment, for the merchant to see.
REASON = "inventory-sync"


class InventoryStock:
    """The levels of one location of one store: ``available_to_sell``, which is on hand less the safety stock.

    Parameters:
        client: The store's session.
        location_id: The location whose stock counts.
        relative: Whether differences are written.
        clock: Seconds that never go back.
    """

    read_batch = READ_BATCH
    write_batch = WRITE_BATCH
    #: "If you call Get Stock immediately after the adjustment operation, you might find the stock level unchanged."
    settle_s = 5.0

    def __init__(
        self,
        client: BigCommerceClient,
        location_id: int,
        *,
        relative: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._location_id = location_id
        self._relative = relative
        self._clock = clock
        #: The safety stock of each listing that was read singly, and when; a write takes it out again.
        self._safety_stocks: dict[str, tuple[float, int]] = {}

    def read_all(self, cursor: str | None) -> Iterator[Page]:
        """Every listing; the cursor is the number of the next page, for this API can be paged by nothing else."""
        number = int(cursor) if cursor else 1
        while True:
            page = self._page("read inventory", {"page": number, "limit": PAGE})
            items, pagination = page.data, page.meta.pagination
            if number == 1 and pagination.total and not items:
                reason = f"{pagination.total} items are said to be there, and none was given"
                raise Incomprehensible(self._client.channel, "read inventory", reason)
            rows = rows_of_items(items, self._location_id)
            last = pagination.is_last(number, PAGE) or not items
            number += 1
            yield Page(rows.levels, rows.problems, cursor=None if last else str(number))
            if last:
                return

    def changed(self, since: datetime) -> Iterator[Page]:
        """The items of products that were changed: the catalogue names them, for this API has no such filter."""
        for part in by_id(self._client, "name changed products", {"include_fields": "id", **changed_since(since)}):
            for items in self._listed("product_id:in", [product.id for product in part.products]):
                rows = rows_of_items(items, self._location_id)
                yield Page(rows.levels, rows.problems)

    def split(self, cursor: str, parts: int) -> Sequence[str]:
        """The rest as it is: pages by number move when an item comes or goes, and the less the sooner they are read."""
        return [cursor]

    def read(self, refs: Sequence[str]) -> Page:
        """These listings: one call, or two where products and variants are mixed (more for thousands of variants)."""
        items = self._items(refs)
        rows = rows_of_items(items, self._location_id)
        if not self._relative:
            self._learn_safety_stocks(items)
        return Page(asked_for(rows.levels, refs), rows.problems)

    def write(self, writes: Sequence[Write], until: float = math.inf) -> list[Outcome]:
        """One adjustment for all of them, and more only where one was refused."""
        outcomes: dict[str, Outcome] = {}
        if self._relative:
            # A difference of nothing changes nothing whatever the level is: no call is needed to make it so.
            outcomes.update((write.ref, _accepted(write)) for write in writes if write.units == write.base)
        waiting = [Batch([write for write in writes if write.ref not in outcomes], self._relative)]
        applied = False
        trouble: Unreachable | None = None
        while waiting:
            batch = waiting.pop()
            if trouble is None and self._clock() >= until:
                trouble = Unreachable(self._client.channel, "adjustment", "the time for this write is over")
            if trouble is not None:
                results: Sequence[Outcome] = outcomes_of(batch.writes, trouble)
            else:
                try:
                    self._adjust(batch)
                    results = [_accepted(write) for write in batch.writes]
                    applied = True
                except Rejected as error:
                    results, more = after_refusal(batch, error)
                    waiting += more
                    applied |= any(outcome.result is Result.UNKNOWN for outcome in results)
                except Denied as error:
                    if not applied:
                        raise
                    trouble, results = _unsent(error), outcomes_of(batch.writes, error)
                except ChannelError as error:
                    trouble, results = _unsent(error), outcomes_of(batch.writes, error)
            outcomes.update((outcome.ref, outcome) for outcome in results)
        return [outcomes[write.ref] for write in writes]

    def _adjust(self, batch: Batch) -> None:
        """One call. An absolute quantity is on hand, so that what is to be sold comes on top of the safety stock."""
        if batch.relative:
            quantities = {write.ref: write.units - write.base for write in batch.writes}
        else:
            safety_stocks = self._take_safety_stocks([write.ref for write in batch.writes])
            quantities = {write.ref: write.units + safety_stocks.get(write.ref, 0) for write in batch.writes}
        items = []
        for write in batch.writes:
            name, value = identity_of(write)
            quantity = min(quantities[write.ref], MAX_UNITS)
            items.append({"location_id": self._location_id, name: value, "quantity": quantity})
        if not items:
            return
        kind = ("POST", "relative") if batch.relative else ("PUT", "absolute")
        body = {"reason": REASON, "items": items}
        self._client.call(f"{kind[1]} adjustment", kind[0], f"/v3/inventory/adjustments/{kind[1]}", json=body)

    def _learn_safety_stocks(self, items: Sequence[Item]) -> None:
        now = self._clock()
        for ref, (read_at, _) in list(self._safety_stocks.items()):
            if read_at < now - SAFETY_STOCK_FOR_S:
                self._safety_stocks.pop(ref, None)
        self._safety_stocks.update((ref, (now, units)) for ref, units in self._safety_of(items).items())

    def _take_safety_stocks(self, refs: Sequence[str]) -> dict[str, int]:
        """The safety stock of each listing, from the reading just before this write or from one made now.

        Raises:
            Denied, Throttled, Unreachable: it could not be learnt, so nothing was written.
        """
        fresh_since = self._clock() - SAFETY_STOCK_FOR_S
        known = {ref: found for ref in refs if (found := self._safety_stocks.pop(ref, None))}
        stocks = {ref: units for ref, (read_at, units) in known.items() if read_at >= fresh_since}
        missing = [ref for ref in refs if ref not in stocks]
        try:
            for start in range(0, len(missing), READ_BATCH):
                stocks.update(self._safety_of(self._items(missing[start : start + READ_BATCH])))
        except (Denied, Throttled, Unreachable):
            raise
        except ChannelError as error:
            raise _unsent(error) from error
        return stocks

    def _safety_of(self, items: Sequence[Item]) -> dict[str, int]:
        places = ((str(item.ref), item.at(self._location_id)) for item in items)
        return {ref: place.safety_stock for ref, place in places if place is not None}

    def _items(self, refs: Sequence[str]) -> list[Item]:
        parsed = [ref for text in refs if (ref := Ref.parse(text))]
        products = sorted({ref.product_id for ref in parsed if ref.variant_id is None})
        variants = sorted({ref.variant_id for ref in parsed if ref.variant_id is not None})
        named = (("product_id:in", products), ("variant_id:in", variants))
        return [item for name, ids in named for page in self._listed(name, ids) for item in page]

    def _listed(self, name: str, ids: Sequence[int]) -> Iterator[list[Item]]:
        """The items with these ids, a page at a time; no call where there are none."""
        number, last, some = 0, not ids, ",".join(map(str, ids))
        while not last:
            number += 1
            page = self._page("read some inventory", {name: some, "limit": PAGE, "page": number})
            yield page.data
            last = page.meta.pagination.is_last(number, PAGE) or not page.data

    def _page(self, operation: str, filters: dict[str, str | int]) -> Collection[Item]:
        params = {"location_id:in": self._location_id, **filters}
        return self._client.fetch(operation, "/v3/inventory/items", params, Collection[Item])


def _accepted(write: Write) -> Outcome:
    return Outcome(write.ref, Result.ACCEPTED)


def _unsent(error: ChannelError) -> Unreachable:
    words = f"not sent, because the call before it failed: {error.reason}"
    return Unreachable(error.channel, error.operation, words)
