"""The Reports API of the mock (model reports 2021-06-30), with the one report that is used: all listings."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, request
from werkzeug.wrappers import Response

from channels.amazon.models import MERCHANT
from channels.amazon.sandbox.account import Account, MockListing, iso
from channels.amazon.sandbox.documents import Documents
from channels.amazon.sandbox.wire import Refused, answer

PREFIX = "/reports/2021-06-30"
LISTINGS_REPORT = "GET_MERCHANT_LISTINGS_ALL_DATA"

#: The columns of the report that the mock fills; the real one has some twenty more, which stay empty.
COLUMNS = (
    "item-name",
    "item-description",
    "listing-id",
    "seller-sku",
    "price",
    "quantity",
    "open-date",
    "asin1",
    "fulfillment-channel",
    "merchant-shipping-group",
    "status",
)

Ending = Literal["DONE", "CANCELLED", "FATAL"]


@dataclass(slots=True)
class MockReport:
    """One report that was asked for."""

    number: str
    created_at: float
    document: str


class Reports:
    """The reports of an account. Each holds the listings as they were when it was asked for.

    Parameters:
        account: Whose listings.
        documents: Where their documents are kept.
    """

    def __init__(self, account: Account, documents: Documents) -> None:
        #: How long a report takes, in seconds; for the first half it waits in the queue.
        self.takes_s = 0.0
        #: How reports end.
        self.ending: Ending = "DONE"
        #: Whether documents are compressed.
        self.compressed = False
        self._account = account
        self._documents = documents
        self._lock = threading.Lock()
        self._numbers = itertools.count(50001)
        self._reports: dict[str, MockReport] = {}

    def create(self, number: str = "") -> str:
        """Ask for one; answers its id."""
        content = table(self._account.listings()).encode("cp1252", errors="replace")
        document = self._documents.add(content, "text/plain; charset=cp1252", compressed=self.compressed)
        with self._lock:
            number = number or str(next(self._numbers))
            self._reports[number] = MockReport(number, self._account.clock(), document)
            return number

    def described(self, number: str) -> dict[str, Any] | None:
        """How the API shows one."""
        with self._lock:
            report = self._reports.get(number)
        if report is None:
            return None
        body: dict[str, Any] = {
            "reportId": number,
            "reportType": LISTINGS_REPORT,
            "createdTime": iso(report.created_at),
            "marketplaceIds": [self._account.marketplace_id],
        }
        age = self._account.clock() - report.created_at
        if age < self.takes_s:
            return body | {"processingStatus": "IN_QUEUE" if age < self.takes_s / 2 else "IN_PROGRESS"}
        body["processingStatus"] = self.ending
        return body | ({"reportDocumentId": report.document} if self.ending == "DONE" else {})


def table(listings: list[MockListing]) -> str:
    """Listings as the report writes them; the quantity of what Amazon fulfils stays blank."""
    rows = ["\t".join(COLUMNS)]
    for listing in listings:
        network, units = next(iter(listing.stock.items()))
        cells = {
            "item-name": listing.title,
            "seller-sku": listing.sku,
            "quantity": "" if units is None else str(units),
            "open-date": iso(listing.created_at),
            "asin1": listing.asin,
            "fulfillment-channel": MERCHANT if MERCHANT in listing.stock else network,
            "status": "Active",
        }
        rows.append("\t".join(cells.get(name, "") for name in COLUMNS))
    return "\r\n".join(rows) + "\r\n"


def blueprint(account: Account, reports: Reports, documents: Documents) -> Blueprint:
    """The routes, over one account."""
    routes = Blueprint("reports", __name__, url_prefix=PREFIX)

    @routes.post("/reports")
    def create() -> Response:
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or body.get("reportType") != LISTINGS_REPORT:
            raise Refused(400, "Invalid input", "This account makes no report of this type.")
        if account.marketplace_id not in (body.get("marketplaceIds") or []):
            raise Refused(400, "Invalid input", "'marketplaceIds' must name the account's marketplace.")
        return answer({"reportId": reports.create()}, 202)

    @routes.get("/reports/<number>")
    def get(number: str) -> Response:
        body = reports.described(number)
        if body is None:
            raise Refused(400, "Invalid input", f"There is no report {number}.")
        return answer(body)

    @routes.get("/documents/<number>")
    def document(number: str) -> Response:
        body = documents.described(number, request.host_url)
        if body is None:
            raise Refused(400, "Invalid input", f"There is no document {number}.")
        return answer({"reportDocumentId": number} | body)

    return routes
