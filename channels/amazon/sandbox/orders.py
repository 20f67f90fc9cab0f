"""The Orders API of the mock (model orders 2026-01-01): searchOrders."""

from __future__ import annotations

import base64
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from channels.amazon.sandbox.account import Account, MockLine, MockOrder, iso
from channels.amazon.sandbox.wire import Query, Refused, answer

STATUSES = (
    "PENDING_AVAILABILITY",
    "PENDING",
    "UNSHIPPED",
    "PARTIALLY_SHIPPED",
    "SHIPPED",
    "CANCELLED",
    "UNFULFILLABLE",
)
PARTS = (
    "BUYER",
    "RECIPIENT",
    "PROCEEDS",
    "EXPENSE",
    "PROMOTION",
    "CANCELLATION",
    "FULFILLMENT",
    "PACKAGES",
    "TAX",
    "PAYMENT",
    "FULFILLMENT_ORDERS",
)
SPANS = ("createdAfter", "createdBefore", "lastUpdatedAfter", "lastUpdatedBefore")
PARAMETERS = (
    *SPANS,
    "fulfillmentStatuses",
    "marketplaceIds",
    "fulfilledBy",
    "maxResultsPerPage",
    "paginationToken",
    "includedData",
)

#: How old the end of a span must be, in seconds.
LAG_S = 120.0


def blueprint(account: Account) -> Blueprint:
    """The routes, over one account."""
    routes = Blueprint("orders", __name__)

    @routes.get("/orders/2026-01-01/orders")
    def search_orders() -> Response:
        query = Query(request, PARAMETERS)
        created_after, created_before, updated_after, updated_before = (query.moment(name) for name in SPANS)
        if (created_after is None) == (updated_after is None):
            raise Refused(400, "Exactly one of createdAfter and lastUpdatedAfter must be given.")
        for end in (created_before, updated_before):
            if end is not None and end > account.clock() - LAG_S:
                raise Refused(400, "The end of the span must be at least two minutes before the request.")
        statuses = query.names("fulfillmentStatuses", among=STATUSES)
        networks = query.names("fulfilledBy", among=("MERCHANT", "AMAZON"))
        places = query.names("marketplaceIds", most=50)
        parts = query.names("includedData", among=PARTS)
        size = query.number("maxResultsPerPage", 100, most=100)
        # A token goes on only with the very parameters with which it was given.
        terms = "&".join(f"{name}={query.text(name)}" for name in PARAMETERS if name != "paginationToken")
        start = _offset(query.text("paginationToken"), terms)
        found = [
            order
            for order in account.orders()
            if (created_after is None or order.created_at >= created_after)
            and (created_before is None or order.created_at <= created_before)
            and (updated_after is None or order.updated_at >= updated_after)
            and (updated_before is None or order.updated_at <= updated_before)
            and (not statuses or order.status in statuses)
            and (not networks or _network(order) in networks)
            and (not places or account.marketplace_id in places)
        ]
        body: dict[str, Any] = {
            "orders": [document(account, order, parts) for order in found[start : start + size]],
            "pagination": {"nextToken": _token(start + size, terms)} if start + size < len(found) else {},
        }
        if updated_after is not None:
            body["lastUpdatedBefore"] = iso(updated_before or account.clock())
        else:
            body["createdBefore"] = iso(created_before or account.clock())
        return answer(body)

    return routes


def document(account: Account, order: MockOrder, parts: list[str]) -> dict[str, Any]:
    """An order as the API shows it."""
    body: dict[str, Any] = {
        "orderId": order.number,
        "createdTime": iso(order.created_at),
        "lastUpdatedTime": iso(order.updated_at),
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": account.marketplace_id},
        "orderItems": [_line(order, line, parts) for line in order.lines],
    }
    if "FULFILLMENT" in parts:
        body["fulfillment"] = {"fulfillmentStatus": order.status, "fulfilledBy": _network(order)}
    return body


def _line(order: MockOrder, line: MockLine, parts: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "orderItemId": line.number,
        "quantityOrdered": line.units,
        "product": {"sellerSku": line.sku},
    }
    if "FULFILLMENT" in parts:
        shipped = line.units if order.status == "SHIPPED" else 0
        left = 0 if order.status == "CANCELLED" else line.units - shipped
        body["fulfillment"] = {"quantityFulfilled": shipped, "quantityUnfulfilled": left}
    if "CANCELLATION" in parts and order.status == "CANCELLED":
        body["cancellation"] = {"cancellationExecution": {"cancelledBy": "BUYER"}}
    return body


def _network(order: MockOrder) -> str:
    return "AMAZON" if order.by_amazon else "MERCHANT"


def _token(offset: int, terms: str) -> str:
    return base64.urlsafe_b64encode(f"{offset} {terms}".encode()).decode()


def _offset(token: str, terms: str) -> int:
    if not token:
        return 0
    try:
        number, _, given = base64.urlsafe_b64decode(token).decode().partition(" ")
        offset = int(number)
    except ValueError:
        raise Refused(400, "Invalid 'paginationToken' provided.") from None
    if given != terms:
        raise Refused(400, "The parameters differ from those with which 'paginationToken' was given.")
    return offset
