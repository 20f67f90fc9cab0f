"""What must be right at a seller account so that its stock can be kept. Found out by reading alone, with few calls."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from channels.amazon import models
from channels.amazon.client import AmazonClient
from channels.amazon.fba import AmazonStock
from channels.amazon.limits import GET_PARTICIPATIONS
from channels.amazon.models import Listing, Participations
from channels.amazon.settings import AmazonSettings
from channels.contract import Problem
from channels.diagnosis import Check, Finding, Severity, clock, examine, some
from channels.errors import Denied

#: The most pages of 20 listings that are looked at.
PAGES = 5

#: How far back orders are asked for: far enough to be allowed, and too short for many to come.
ORDERS = timedelta(minutes=10)

#: How many messages in the queue are too many for one that is emptied every few seconds.
MANY_MESSAGES = 1000


def diagnose(client: AmazonClient, name: str, settings: AmazonSettings) -> Iterator[Finding]:
    """See :meth:`channels.contract.Channel.diagnose`. Some eight calls at the most."""
    doctor = _Doctor(client, name, settings)
    return examine(
        [
            Check("marketplace", doctor.marketplace, Severity.WARNING),
            Check("listings", doctor.listings if settings.stock == "merchant" else doctor.warehouse),
            Check("orders", doctor.orders),
            Check("queue", doctor.queue, Severity.WARNING),
        ]
    )


class _Doctor:
    """The checks of one account."""

    def __init__(self, client: AmazonClient, name: str, settings: AmazonSettings) -> None:
        self._client = client
        self._name = name
        self._settings = settings

    def marketplace(self) -> Iterator[Finding]:
        """Is a token given, and does the seller sell in the marketplace?"""
        asked_at = time.time()
        try:
            response = self._client.call(GET_PARTICIPATIONS, "GET", "/sellers/v1/marketplaceParticipations")
        except Denied as error:
            if error.status != 403:
                raise  # Login with Amazon gave no token
            what = "whether the seller sells there cannot be asked: the application lacks the role for it"
            yield Finding(Severity.NOTE, "marketplace", what)
            return
        yield Finding(Severity.OK, "token", "Login with Amazon gives one, and the API takes it")
        yield from clock(response.headers.get("Date"), asked_at, time.time())
        found = self._client.understood(GET_PARTICIPATIONS, response, Participations)
        yield from takes_part(found, self._settings.marketplace_id)

    def listings(self) -> Iterator[Finding]:
        """May listings be read, and which of them are not the merchant's to count?"""
        found: list[Listing | Problem] = []
        token, total = "", 0
        for _ in range(PAGES):
            page = self._client.search(page_token=token)
            total, token = page.number_of_results, page.next_token
            found += models.listings(page.items)
            if not token:
                break
        yield from counted(found, total)

    def warehouse(self) -> Iterator[Finding]:
        """May Amazon's own count be read?"""
        page = next(AmazonStock(self._client).read_all(None))
        yield Finding(Severity.OK, "listings", f"Amazon's count can be read: {len(page.levels)} SKUs on its first page")

    def orders(self) -> Iterator[Finding]:
        """May orders be read?"""
        since = datetime.now(UTC) - ORDERS
        self._client.orders(since, self._settings.stock)
        yield Finding(Severity.OK, "orders", "can be read")

    def queue(self) -> Iterator[Finding]:
        """Is the queue there, and is somebody emptying it?"""
        if self._settings.queue_url is None:
            what = "queue_url is not set, so changes are found by the schedule alone"
            yield Finding(Severity.NOTE, "queue", what, "Have Amazon put its notifications into an SQS queue.")
            return
        try:
            from channels.amazon.sqs import NotificationQueue  # boto3 is an extra
        except ImportError:
            advice = "Install inventory-sync[sqs]."
            yield Finding(Severity.ERROR, "queue", "queue_url is set, and boto3 is not installed", advice)
            return
        queue = NotificationQueue(self._name, self._settings, self._settings.queue_url)
        try:
            waiting = queue.waiting()
        finally:
            queue.close()
        if waiting > MANY_MESSAGES:
            what = f"{waiting} notifications wait in it"
            advice = "Check that beat and a worker run: the task sync.hints empties it every few seconds."
            yield Finding(Severity.WARNING, "queue", what, advice)
        else:
            yield Finding(Severity.OK, "queue", f"can be reached; {waiting} notifications wait in it")


def takes_part(found: Participations, marketplace_id: str) -> Iterator[Finding]:
    """Whether the seller sells in a marketplace."""
    about = "marketplace"
    known = {entry.marketplace.id: entry for entry in found.payload}
    mine = known.get(marketplace_id)
    if mine is None:
        what = f"the seller has no {marketplace_id} in this region; there are: {some(sorted(known)) or 'none'}"
        yield Finding(Severity.ERROR, about, what, "Correct marketplace_id, or api_url, which names the region.")
    elif not mine.participation.is_participating:
        what = f"the seller does not sell in {mine.marketplace.name}"
        yield Finding(Severity.ERROR, about, what, "Correct marketplace_id, or open the marketplace in Seller Central.")
    elif mine.participation.has_suspended_listings:
        what = f"listings in {mine.marketplace.name} are suspended"
        yield Finding(Severity.WARNING, about, what, "Seller Central says why, under Account Health.")
    else:
        yield Finding(Severity.OK, about, f"the seller sells in {mine.marketplace.name}")


def counted(found: list[Listing | Problem], total: int) -> Iterator[Finding]:
    """Which listings are kept, and which are not and why."""
    about = "listings"
    listings = [row for row in found if isinstance(row, Listing)]
    problems = [f"{row.where} ({row.reason})" for row in found if isinstance(row, Problem)]
    part = "" if len(found) >= total else f", of which {len(found)} were looked at"
    yield Finding(Severity.OK, about, f"{total} can be read{part}")
    by_amazon = [row.sku for row in listings if row.by_amazon and row.by_merchant is None]
    if by_amazon:
        what = f"{len(by_amazon)} fulfilled by Amazon: {some(by_amazon)}; left alone, for a quantity"
        yield Finding(Severity.NOTE, about, what + " would open an offer of the merchant's beside them")
    both = [row.sku for row in listings if row.by_amazon and row.by_merchant is not None]
    if both:
        what = f"{len(both)} fulfilled by Amazon, with an offer of the merchant's beside it: {some(both)}"
        advice = "Close one of the two offers; until then such a SKU is read and not written."
        yield Finding(Severity.WARNING, about, what, advice)
    neither = [row.sku for row in listings if not row.by_amazon and row.by_merchant is None]
    if neither:
        what = f"{len(neither)} without stock of anybody's: {some(neither)}"
        yield Finding(Severity.NOTE, about, what, "Give them a quantity in Seller Central once, if they are for sale.")
    if problems:
        yield Finding(Severity.WARNING, about, f"{len(problems)} not understood: {some(problems)}", "Report it.")
    twins = _twins(listings)
    if twins:
        what = f"{len(twins)} that differ from others in case alone: {some(twins)}"
        yield Finding(Severity.ERROR, "duplicate SKUs", what, "Rename one of each; until then none of them is written.")


def _twins(listings: list[Listing]) -> list[str]:
    """SKUs that are one here and two at Amazon."""
    spellings: dict[str, list[str]] = {}
    for listing in listings:
        spellings.setdefault(listing.sku.strip().casefold(), []).append(listing.sku)
    return [" and ".join(same) for same in spellings.values() if len(same) > 1]
