"""The FBA Inventory API of the mock (model fbaInventory): getInventorySummaries."""

from __future__ import annotations

import base64
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from channels.amazon.models import MERCHANT
from channels.amazon.sandbox.account import Account, MockListing, iso
from channels.amazon.sandbox.wire import Query, Refused, answer

PARAMETERS = (
    "details",
    "granularityType",
    "granularityId",
    "startDateTime",
    "sellerSkus",
    "sellerSku",
    "nextToken",
    "marketplaceIds",
)

#: How many counts stand on a page, and for how long the token of the next one lives, in seconds.
PAGE = 50
TOKEN_LIVES_S = 30.0


def blueprint(account: Account) -> Blueprint:
    """The routes, over one account."""
    routes = Blueprint("fba", __name__)

    @routes.get("/fba/inventory/v1/summaries")
    def summaries() -> Response:
        query = Query(request, PARAMETERS)
        if query.text("granularityType", among=("Marketplace",)) != "Marketplace":
            raise Refused(400, "granularityType is missing.")
        if query.names("marketplaceIds", most=1) != [account.marketplace_id]:
            raise Refused(400, "Invalid 'marketplaceIds' provided.")
        if query.text("granularityId") != account.marketplace_id:
            raise Refused(400, "Invalid 'granularityId' provided.")
        detailed = query.text("details", among=("true", "false")) == "true"
        names = query.names("sellerSkus", most=50) or [name for name in [query.text("sellerSku")] if name]
        start = _offset(query.text("nextToken"), account.clock())
        found = [listing for listing in account.listings() if MERCHANT not in listing.stock]
        found = sorted((one for one in found if not names or one.sku in names), key=lambda one: one.sku)
        body: dict[str, Any] = {
            "payload": {
                "granularity": {"granularityType": "Marketplace", "granularityId": account.marketplace_id},
                "inventorySummaries": [_summary(one, detailed=detailed) for one in found[start : start + PAGE]],
            }
        }
        if start + PAGE < len(found):
            body["pagination"] = {"nextToken": _token(start + PAGE, account.clock())}
        return answer(body)

    return routes


def _summary(listing: MockListing, *, detailed: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "asin": listing.asin,
        "fnSku": "X0" + listing.asin[2:],
        "sellerSku": listing.sku,
        "condition": "NewItem",
        "lastUpdatedTime": iso(listing.updated_at),
        "productName": listing.title,
        "totalQuantity": listing.fulfillable + listing.inbound,
        "stores": [],
    }
    if detailed:
        body["inventoryDetails"] = {
            "fulfillableQuantity": listing.fulfillable,
            "inboundShippedQuantity": listing.inbound,
        }
    return body


def _token(offset: int, now: float) -> str:
    return base64.urlsafe_b64encode(f"{offset} {now}".encode()).decode()


def _offset(token: str, now: float) -> int:
    if not token:
        return 0
    try:
        offset, _, given = base64.urlsafe_b64decode(token).decode().partition(" ")
        if now - float(given) <= TOKEN_LIVES_S:
            return int(offset)
    except ValueError:
        pass
    raise Refused(400, "Invalid 'nextToken' provided.", "It may have expired.")
