"""What the Selling Partner API answers, and what it means in the words of the contract. No I/O.

Shapes: the models listingsItems_2021-08-01 and orders_2026-01-01 of selling-partner-api-models.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictInt, ValidationError
from pydantic.alias_generators import to_camel

from channels.contract import MAX_UNITS, Level, Outcome, Problem, Result, Sale, Write
from channels.shape import fault

#: The code under which a merchant's own stock stands; Amazon's own networks are ``AMAZON_NA`` and the like.
MERCHANT = "DEFAULT"
AMAZON = "AMAZON"

#: The longest ref that the worker takes. Amazon allows SKUs of 40 characters.
REF_LIMIT = 64

Units = Annotated[StrictInt, Field(ge=0, le=MAX_UNITS)]


class Payload(BaseModel):
    """An answer's body. Only what is used is named; what else comes is let pass."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )


class Complaint(Payload):
    """One entry of ``errors[]``."""

    code: str
    message: str
    details: str | None = None


class Complaints(Payload):
    """The body of an error."""

    errors: list[Complaint]

    @property
    def words(self) -> str:
        """All of them on one line."""
        return "; ".join(
            f"{error.code}: {error.message}"
            + (f" ({error.details})" if error.details and error.details != error.message else "")
            for error in self.errors
        )


class Availability(Payload):
    """How many units one network holds for sale. Amazon's own networks state no quantity."""

    fulfillment_channel_code: str
    quantity: Units | None = None


class Listing(Payload):
    """One listing, as far as its stock goes."""

    sku: str = Field(min_length=1)
    fulfillment_availability: list[Availability] = []

    @property
    def by_amazon(self) -> bool:
        """Whether Amazon holds and counts stock of it (FBA)."""
        return any(entry.fulfillment_channel_code.startswith(AMAZON) for entry in self.fulfillment_availability)

    @property
    def by_merchant(self) -> Availability | None:
        """The merchant's own stock of it."""
        for entry in self.fulfillment_availability:
            if entry.fulfillment_channel_code == MERCHANT:
                return entry
        return None

    @property
    def obstacle(self) -> str:
        """Why no quantity may be written to it; empty where one may.

        A quantity written to a listing that Amazon fulfils does not change Amazon's count: it opens a second
        offer beside it, of stock that is not there.
        """
        if self.by_amazon:
            return "Amazon fulfils this listing (FBA) and counts its stock itself, so it is not written"
        if self.by_merchant is None:
            return "Amazon shows no merchant-fulfilled offer for this SKU, so there is nothing to write to"
        return ""


class Pagination(Payload):
    """Where a page stands among others."""

    next_token: str | None = None


class SearchResults(Payload):
    """A page of listings, each still as it came, so that a bad one stops only itself."""

    number_of_results: int
    items: list[dict[str, Any]]
    pagination: Pagination | None = None

    @property
    def next_token(self) -> str:
        """The token of the page after this one; empty on the last."""
        return (self.pagination and self.pagination.next_token) or ""


class Issue(Payload):
    """What Amazon has to say about a submission."""

    code: str
    message: str
    severity: str


class Submission(Payload):
    """The answer to a patch. ``INVALID`` comes with HTTP 200 too, ``VALID`` only for a preview."""

    sku: str
    status: Literal["ACCEPTED", "INVALID"]
    submission_id: str
    issues: list[Issue] = []


class Fulfillment(Payload):
    """How far an order or a line of it has come."""

    fulfillment_status: str = ""
    quantity_fulfilled: Units | None = None


class Cancellation(Payload):
    """Whether the cancellation of a line was asked for, and whether it was done."""

    cancellation_execution: dict[str, Any] | None = None


class Product(Payload):
    """What was ordered."""

    seller_sku: str | None = None


class OrderItem(Payload):
    """One line of an order."""

    order_item_id: str
    quantity_ordered: Units
    product: Product
    fulfillment: Fulfillment | None = None
    cancellation: Cancellation | None = None


class Order(Payload):
    """One order. ``fulfillment`` is there because it is asked for."""

    order_id: str
    created_time: AwareDatetime
    fulfillment: Fulfillment
    order_items: list[OrderItem]


class Orders(Payload):
    """A page of orders."""

    orders: list[Order]
    pagination: Pagination | None = None

    @property
    def next_token(self) -> str:
        """The token of the page after this one; empty on the last."""
        return (self.pagination and self.pagination.next_token) or ""


class Marketplace(Payload):
    """A place where Amazon sells."""

    id: str
    name: str = ""


class Participation(Payload):
    """How a seller stands in it."""

    is_participating: bool
    has_suspended_listings: bool = False


class TakesPart(Payload):
    """One marketplace with the seller's standing."""

    marketplace: Marketplace
    participation: Participation


class Participations(Payload):
    """The answer to ``getMarketplaceParticipations`` (model sellers)."""

    payload: list[TakesPart]


def quantity_patch(units: int) -> dict[str, Any]:
    """The body of a patch that sets the merchant's quantity and leaves everything beside it as it is.

    ``merge``, because ``replace`` drops the handling time and the restock date that stand in the same element;
    ``PRODUCT`` is a type that fits every listing.
    """
    value = {"fulfillment_channel_code": MERCHANT, "quantity": units}
    return {
        "productType": "PRODUCT",
        "patches": [{"op": "merge", "path": "/attributes/fulfillment_availability", "value": [value]}],
    }


class Reading(NamedTuple):
    """What a page of listings says."""

    levels: list[Level]
    problems: list[Problem]


def listings(items: Iterable[Mapping[str, Any]]) -> Iterator[Listing | Problem]:
    """Each item by itself: a listing, or what is wrong with it."""
    for item in items:
        try:
            yield Listing.model_validate(item)
        except ValidationError as error:
            yield misshapen(item.get("sku"), error)


def misshapen(sku: object, error: ValidationError) -> Problem:
    """A row of an answer that is not what Amazon documents."""
    return Problem(str(sku or "a listing without SKU"), f"Amazon's answer: {fault(error)}")


def reading(found: Iterable[Listing | Problem]) -> Reading:
    """The levels of the listings that the merchant fulfils. Those that Amazon fulfils are left out."""
    levels: list[Level] = []
    problems: list[Problem] = []
    for listing in found:
        row = listing if isinstance(listing, Problem) else level(listing)
        if isinstance(row, Level):
            levels.append(row)
        elif row is not None:
            problems.append(row)
    return Reading(levels, problems)


def unreadable(asked: Sequence[str], found: Iterable[Listing | Problem]) -> list[Problem]:
    """The SKUs that a report has mangled, so that no listing answers to them.

    Reports are written in an alphabet of Western Europe; every other sign has become a question mark.
    """
    there = {row.sku if isinstance(row, Listing) else row.where for row in found}
    return [
        Problem(
            sku, "the listings report cannot spell this SKU, so its level is not read; use plain letters and digits"
        )
        for sku in asked
        if sku not in there and ("?" in sku or "\ufffd" in sku)
    ]


def level(listing: Listing) -> Level | Problem | None:
    """What a listing says of the merchant's stock; ``None`` where Amazon alone has stock of it.

    A quantity that is not stated is a problem to look at, never zero.
    """
    own = listing.by_merchant
    if listing.by_amazon:
        if own is None:
            return None
        return Problem(
            listing.sku, "sold from Amazon's stock and from the merchant's at once; end one of the two offers"
        )
    if own is None:
        return Problem(listing.sku, "Amazon shows no stock for it; complete its offer in Seller Central")
    if own.quantity is None:
        return Problem(listing.sku, "Amazon states no quantity for it; set one in Seller Central")
    if len(listing.sku) > REF_LIMIT:
        return Problem(listing.sku, f"its SKU is longer than {REF_LIMIT} characters")
    return Level(listing.sku, listing.sku, own.quantity)


def outcome(write: Write, submission: Submission) -> Outcome:
    """What is certain after a patch was answered."""
    words = "; ".join(f"{issue.code}: {issue.message}" for issue in submission.issues if issue.severity == "ERROR")
    if submission.status == "ACCEPTED":
        return Outcome(write.ref, Result.ACCEPTED, reason=words)
    words = words or "; ".join(f"{issue.code}: {issue.message}" for issue in submission.issues)
    return Outcome(write.ref, Result.REFUSED, reason=words or "Amazon calls the submission invalid and says no more")


def sales(order: Order) -> Iterator[Sale]:
    """What each line of an order takes from stock as the order stands now.

    A line takes its stock when the order is placed (``PENDING``), and gives back what was not shipped when
    the order or the line is cancelled.
    """
    for line in order.order_items:
        sku = line.product.seller_sku
        if not sku:
            continue
        cancelled = order.fulfillment.fulfillment_status == "CANCELLED" or (
            line.cancellation is not None and line.cancellation.cancellation_execution is not None
        )
        shipped = (line.fulfillment and line.fulfillment.quantity_fulfilled) or 0
        units = shipped if cancelled else line.quantity_ordered
        yield Sale(order.order_id, line.order_item_id, sku, sku, units, order.created_time)
