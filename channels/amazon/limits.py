"""The usage plans that Amazon documents for the operations used here.

Sources: the descriptions in the models of selling-partner-api-models (listings-items 2021-08-01, orders
2026-01-01, reports and feeds 2021-06-30, fbaInventory, sellers), and rate-limits.yml of selling-partner-api-sdk;
where they differ, the lower one stands here. The limit in force may be lower still: see the header
``x-amzn-RateLimit-Limit``.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Limit(NamedTuple):
    """The token bucket of one operation, one for each pair of seller and application."""

    #: What this adapter calls the operation, in budgets and errors.
    operation: str
    method: str
    #: A regular expression that the whole path matches.
    path: str
    #: Tokens that come back each second.
    per_s: float
    #: Tokens that the full bucket holds.
    burst: int


SEARCH_LISTINGS = "search listings"
GET_LISTING = "get listing"
PATCH_LISTING = "patch listing"
SEARCH_ORDERS = "search orders"
GET_INVENTORY = "get FBA inventory"
GET_PARTICIPATIONS = "get marketplace participations"
CREATE_REPORT = "create report"
GET_REPORT = "get report"
GET_REPORT_DOCUMENT = "get report document"
CREATE_FEED_DOCUMENT = "create feed document"
CREATE_FEED = "create feed"
GET_FEED = "get feed"
GET_FEED_DOCUMENT = "get feed document"

#: The slowest of all.
ORDERS = Limit(SEARCH_ORDERS, "GET", r"/orders/2026-01-01/orders", 0.0056, 20)

LIMITS = (
    Limit(SEARCH_LISTINGS, "GET", r"/listings/2021-08-01/items/[^/]+", 5, 5),
    Limit(GET_LISTING, "GET", r"/listings/2021-08-01/items/[^/]+/[^/]+", 5, 5),
    Limit(PATCH_LISTING, "PATCH", r"/listings/2021-08-01/items/[^/]+/[^/]+", 5, 5),
    ORDERS,
    Limit(GET_INVENTORY, "GET", r"/fba/inventory/v1/summaries", 2, 2),
    Limit(GET_PARTICIPATIONS, "GET", r"/sellers/v1/marketplaceParticipations", 0.016, 15),
    Limit(CREATE_REPORT, "POST", r"/reports/2021-06-30/reports", 0.0167, 15),
    Limit(GET_REPORT, "GET", r"/reports/2021-06-30/reports/[^/]+", 2, 15),
    Limit(GET_REPORT_DOCUMENT, "GET", r"/reports/2021-06-30/documents/[^/]+", 0.0167, 15),
    Limit(CREATE_FEED_DOCUMENT, "POST", r"/feeds/2021-06-30/documents", 0.5, 15),
    # Of the listings feed an account may make five in five minutes, fewer than the plan's burst of 15.
    Limit(CREATE_FEED, "POST", r"/feeds/2021-06-30/feeds", 0.0083, 5),
    Limit(GET_FEED, "GET", r"/feeds/2021-06-30/feeds/[^/]+", 2, 15),
    Limit(GET_FEED_DOCUMENT, "GET", r"/feeds/2021-06-30/documents/[^/]+", 0.0222, 10),
)


def limit_for(method: str, path: str) -> Limit | None:
    """The limit of a request, by its method and its path as sent (percent-encoded); ``None`` if none is known."""
    for limit in LIMITS:
        if limit.method == method and re.fullmatch(limit.path, path):
            return limit
    return None
