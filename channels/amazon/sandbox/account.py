"""The mock seller account itself: listings with their stock, and orders. Knows nothing of HTTP.

A quantity that was submitted takes effect after ``visible_after_s``, in one step, whatever was sold between:
that is how an absolute write swallows a sale. A sale lowers the stock at once.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, get_args

from channels.amazon.models import MERCHANT

#: The network code of listings that Amazon fulfils in North America.
FBA = "AMAZON_NA"

OrderStatus = Literal["PENDING", "UNSHIPPED", "SHIPPED", "CANCELLED"]
ORDER_STATUSES: tuple[OrderStatus, ...] = get_args(OrderStatus)


class SoldOut(Exception):
    """Amazon sells no more than it shows."""


@dataclass(slots=True)
class Refusal:
    """What Amazon finds wrong with every submission for a listing."""

    code: str
    message: str


@dataclass(slots=True)
class MockListing:
    """One listing. ``stock`` is what Amazon holds, by network; ``attributes`` is what was submitted."""

    sku: str
    created_at: float
    updated_at: float
    title: str = ""
    stock: dict[str, int | None] = field(default_factory=dict)
    #: Units at Amazon's warehouses that can be sold, for a listing that Amazon fulfils.
    fulfillable: int = 0
    #: Units on their way there.
    inbound: int = 0
    attributes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    #: Quantities on their way: when each takes effect.
    coming: list[tuple[float, int]] = field(default_factory=list)
    refusal: Refusal | None = None
    #: How many more accepted submissions never show; ``None`` for all.
    loses: int | None = 0

    @property
    def asin(self) -> str:
        """A made-up catalogue number that stays the same."""
        return "B0" + hashlib.sha256(self.sku.encode()).hexdigest()[:8].upper()


class MockLine(NamedTuple):
    """One line of an order."""

    number: str
    sku: str
    units: int


@dataclass(slots=True)
class MockOrder:
    """One order."""

    number: str
    lines: tuple[MockLine, ...]
    created_at: float
    updated_at: float
    status: OrderStatus = "PENDING"
    by_amazon: bool = False


class Account:
    """One seller in one marketplace. Safe across threads.

    Parameters:
        seller_id: The seller's merchant token.
        marketplace_id: The one marketplace there is.
        clock: The time in seconds since 1970.
        visible_after_s: How long a submitted quantity takes to have its effect.
    """

    def __init__(
        self, seller_id: str, marketplace_id: str, clock: Callable[[], float], visible_after_s: float = 0.0
    ) -> None:
        self.seller_id = seller_id
        self.marketplace_id = marketplace_id
        self.visible_after_s = visible_after_s
        #: Whether a sale, or one that is given back, touches the date of its listing's last change.
        self.stock_touches_date = False
        #: How the seller stands in the marketplace.
        self.is_participating = True
        self.has_suspended_listings = False
        #: Whether the application may ask for that.
        self.tells_participation = True
        self.clock = clock
        self.lock = threading.RLock()
        #: Work of Amazon's own that is due before anyone looks.
        self.upkeep: list[Callable[[], None]] = []
        #: Told of every listing whose merchant's quantity changed, and of every order that is new or changed.
        self.on_stock: list[Callable[[MockListing], None]] = []
        self.on_order: list[Callable[[MockOrder], None]] = []
        self._listings: dict[str, MockListing] = {}
        self._orders: dict[str, MockOrder] = {}

    def put(self, sku: str, units: int | None, *, network: str = MERCHANT, title: str = "") -> None:
        """Create a listing, or count it anew. ``None`` units: its quantity is not stated.

        A listing of a network of Amazon's own (``AMAZON_NA``) never states a quantity; ``units`` are then what
        Amazon's warehouses can sell.
        """
        with self.lock:
            now = self.clock()
            listing = self._listings.setdefault(sku, MockListing(sku, now, now, title or f"The {sku}"))
            listing.updated_at = now
            listing.coming.clear()
            if network == MERCHANT:
                listing.stock = {MERCHANT: units}
                entry: dict[str, Any] = {"fulfillment_channel_code": MERCHANT}
                listing.attributes["fulfillment_availability"] = [
                    entry | ({} if units is None else {"quantity": units})
                ]
            else:
                listing.stock = {network: None}
                listing.fulfillable = units or 0
                listing.attributes["fulfillment_availability"] = [{"fulfillment_channel_code": network}]
            self._tell_stock(listing)

    def remove(self, sku: str) -> None:
        """Take a listing away."""
        with self.lock:
            self._listings.pop(sku, None)

    def count(self, sku: str, units: int) -> None:
        """The seller counts a listing anew, by hand; what was on its way is overtaken."""
        with self.lock:
            self.put(sku, units, network=next(iter(self._listings[sku].stock)))

    def restock(self, sku: str, units: int) -> None:
        """The seller adds units by hand."""
        with self.lock:
            self.count(sku, (self.shown(sku) or 0) + units)

    def shown(self, sku: str) -> int | None:
        """What Amazon holds for sale of a SKU at this moment."""
        with self.lock:
            self._catch_up()
            return self._held(self.current(self._listings[sku]))

    def listing(self, sku: str) -> MockListing | None:
        """A listing as it stands now."""
        with self.lock:
            self._catch_up()
            listing = self._listings.get(sku)
            return listing and self.current(listing)

    def listings(self) -> list[MockListing]:
        """All listings as they stand now."""
        with self.lock:
            self._catch_up()
            return [self.current(listing) for listing in self._listings.values()]

    def orders(self) -> list[MockOrder]:
        """All orders, oldest first."""
        with self.lock:
            return list(self._orders.values())

    def sell(self, sku: str, units: int) -> str:
        """A customer orders; answers the order's number.

        Raises:
            SoldOut: Amazon shows fewer.
            KeyError: there is no such listing.
        """
        with self.lock:
            self._catch_up()
            listing = self.current(self._listings[sku])
            held = self._held(listing) or 0
            if units > held:
                raise SoldOut(f"{sku}: {units} wanted, {held} shown")
            by_amazon = MERCHANT not in listing.stock
            self._take(listing, units)
            now = self.clock()
            number = f"{len(self._orders) + 1:03}-{uuid.uuid4().int % 10**7:07}-{uuid.uuid4().int % 10**7:07}"
            line = MockLine(number.replace("-", ""), sku, units)
            self.add_order(MockOrder(number, (line,), now, now, by_amazon=by_amazon))
            return number

    def add_order(self, order: MockOrder) -> None:
        """An order that takes no stock, as it came about elsewhere."""
        with self.lock:
            self._orders[order.number] = order
            self._tell_order(order)

    def advance(self, number: str, status: OrderStatus) -> None:
        """Move an order on. A cancelled one gives its stock back."""
        with self.lock:
            order = self._orders[number]
            if status == "CANCELLED" and order.status != "CANCELLED":
                for line in order.lines:
                    if line.sku in self._listings:
                        self._take(self.current(self._listings[line.sku]), -line.units)
            order.status, order.updated_at = status, self.clock()
            self._tell_order(order)

    def refuse(self, sku: str, code: str = "90220", message: str = "'Item Name' is required but missing.") -> None:
        """Answer every submission for this SKU with ``INVALID``, until :meth:`relent`."""
        with self.lock:
            self._listings[sku].refusal = Refusal(code, message)

    def relent(self, sku: str) -> None:
        """Take submissions for this SKU again, and show them."""
        with self.lock:
            self._listings[sku].refusal, self._listings[sku].loses = None, 0

    def lose(self, sku: str, times: int | None = None) -> None:
        """Accept the next submissions for this SKU and never show them; ``None``: all of them."""
        with self.lock:
            self._listings[sku].loses = times

    def submit(self, listing: MockListing, at: float | None = None) -> None:
        """Take what now stands in the attributes as submitted (``at`` a moment before, if given).

        Its quantity has its effect later, or never.
        """
        with self.lock:
            now = self.clock() if at is None else at
            listing.updated_at = now
            if listing.loses != 0:
                listing.loses = listing.loses and listing.loses - 1
                return
            for element in listing.attributes.get("fulfillment_availability", []):
                if element.get("fulfillment_channel_code") == MERCHANT and "quantity" in element:
                    listing.coming.append((now + self.visible_after_s, element["quantity"]))
            self.current(listing)

    def current(self, listing: MockListing) -> MockListing:
        """The listing once what was due has had its effect."""
        now = self.clock()
        while listing.coming and listing.coming[0][0] <= now:
            _, units = listing.coming.pop(0)
            listing.stock[MERCHANT] = units
            self._tell_stock(listing)
        return listing

    def clear(self) -> None:
        """Forget all listings and orders."""
        with self.lock:
            self._listings.clear()
            self._orders.clear()

    def _catch_up(self) -> None:
        for work in self.upkeep:
            work()

    def _held(self, listing: MockListing) -> int | None:
        return listing.stock.get(MERCHANT, listing.fulfillable)

    def _take(self, listing: MockListing, units: int) -> None:
        if self.stock_touches_date:
            listing.updated_at = self.clock()
        if MERCHANT in listing.stock:
            listing.stock[MERCHANT] = (listing.stock[MERCHANT] or 0) - units
        else:
            listing.fulfillable -= units
        self._tell_stock(listing)

    def _tell_stock(self, listing: MockListing) -> None:
        for tell in self.on_stock:
            tell(listing)

    def _tell_order(self, order: MockOrder) -> None:
        for tell in self.on_order:
            tell(order)


def iso(moment: float) -> str:
    """A moment as the API writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
