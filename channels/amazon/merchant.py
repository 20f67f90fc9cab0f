"""The merchant's own stock: the listings that he fulfils himself, and what Amazon shows of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from channels.amazon import models
from channels.amazon.client import SEARCH_PAGE, AmazonClient
from channels.amazon.limits import SEARCH_LISTINGS
from channels.amazon.models import Listing
from channels.amazon.reports import ListingsReport
from channels.contract import Page, Problem
from channels.errors import Rejected

#: The most listings that can be paged through in one search (model listings-items 2021-08-01).
SEARCH_LIMIT = 1000


class MerchantStock:
    """Reads the merchant's own stock of one account.

    Parameters:
        client: Who asks.
        report: What names the listings of an account too large for a search.
    """

    #: The most refs that one reading takes.
    read_batch = SEARCH_PAGE

    def __init__(self, client: AmazonClient, report: ListingsReport) -> None:
        self._client = client
        self._report = report

    def read_all(self, cursor: str | None) -> Iterator[Page]:
        """Every listing, page by page: up to 1,000 by search; above, by the SKUs of the listings report.

        Raises:
            Throttled: the listings report is being made; come again.
        """
        way, _, rest = (cursor or "").partition(":")
        if way == "report":
            document, _, offset = rest.rpartition(":")
            yield from self._reported(document, int(offset))
        elif not cursor and self._report.known:
            yield from self._reported(self._report.document(), 0)
        else:
            yield from self._searched(rest)

    def changed(self, since: datetime) -> Iterator[Page]:
        """The listings that were changed, by search, if it can be paged through.

        Raises:
            Rejected: they are too many for that.
        """
        token = ""
        while True:
            results = self._client.search(changed_after=since, page_token=token)
            if results.number_of_results > SEARCH_LIMIT:
                words = f"{results.number_of_results} listings have changed, and a search shows {SEARCH_LIMIT}"
                raise Rejected(self._client.channel, SEARCH_LISTINGS, words)
            levels, problems = models.reading(models.listings(results.items))
            yield Page(levels, problems)
            token = results.next_token
            if not token:
                return

    def read(self, refs: Sequence[str]) -> Page:
        """These listings. One that Amazon has come to fulfil is left out, with a word about it."""
        found = self.look_up(refs)
        levels, problems = models.reading(found)
        problems += [
            Problem(listing.sku, listing.obstacle)
            for listing in found
            if isinstance(listing, Listing) and listing.by_amazon and listing.by_merchant is None
        ]
        return Page(levels, problems)

    def look_up(self, skus: Sequence[str]) -> list[Listing | Problem]:
        """The listings of these SKUs, 20 by each call but for those with a comma, which a list cannot name."""
        listable = [sku for sku in skus if "," not in sku]
        found: list[Listing | Problem] = []
        for start in range(0, len(listable), SEARCH_PAGE):
            found += models.listings(self._client.look_up(listable[start : start + SEARCH_PAGE]).items)
        for sku in skus:
            if "," in sku:
                listing = self._client.get(sku)
                found += [listing] if listing else []
        return found

    def _searched(self, token: str) -> Iterator[Page]:
        while True:
            results = self._client.search(page_token=token)
            if results.number_of_results > SEARCH_LIMIT:
                # Amazon lets nobody page through them all, and a part must never be taken for the whole.
                yield from self._reported(self._report.document(), 0)
                return
            token = results.next_token
            levels, problems = models.reading(models.listings(results.items))
            yield Page(levels, problems, cursor=f"search:{token}" if token else None)
            if not token:
                return

    def _reported(self, document: str, start: int) -> Iterator[Page]:
        skus = self._report.skus(document)
        for offset in range(start, len(skus), SEARCH_PAGE):
            names = skus[offset : offset + SEARCH_PAGE]
            found = self.look_up(names)
            levels, problems = models.reading(found)
            problems += models.unreadable(names, found)
            end = offset + SEARCH_PAGE
            yield Page(levels, problems, cursor=f"report:{document}:{end}" if end < len(skus) else None)
