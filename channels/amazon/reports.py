"""Which SKUs an account with more listings than a search shows has: the listings report.

The report is made on request within minutes, and Amazon may serve one that is hours old. So it is used for
the names alone; every level is read from the live listings, whatever quantity the report states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from channels.amazon.client import AmazonClient
from channels.amazon.documents import Document, lines
from channels.amazon.limits import CREATE_REPORT, GET_REPORT, GET_REPORT_DOCUMENT
from channels.amazon.models import AMAZON, Payload
from channels.errors import Incomprehensible, Rejected, Throttled, Unanswered
from channels.services import Memory

#: The report of all listings, merchant-fulfilled or not, active or not.
REPORT_TYPE = "GET_MERCHANT_LISTINGS_ALL_DATA"

#: When to look again whether a report is ready, in seconds.
POLL_S = 30.0

#: After how long a report that was not made is given up and asked for anew, in seconds.
GIVE_UP_S = 3600.0

#: What Amazon writes these reports in where it does not say.
ENCODING = "cp1252"

SKU_COLUMN = "seller-sku"
NETWORK_COLUMN = "fulfillment-channel"


class Created(Payload):
    """The answer to ``createReport``."""

    report_id: str


class Report(Payload):
    """The answer to ``getReport``."""

    processing_status: Literal["IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"]
    report_document_id: str | None = None


class ListingsReport:
    """The current listings report of one account, shared between processes.

    Parameters:
        client: Who asks for it.
        memory: Where it is remembered which report is being made, and which is ready.
        keep_s: For how long a report is used before another one is asked for.
    """

    def __init__(self, client: AmazonClient, memory: Memory, keep_s: float) -> None:
        self._client = client
        self._memory = memory
        self._keep_s = keep_s
        account = f"{client.seller_id}:{client.marketplace_id}"
        self._asked, self._ready = f"amazon:report-asked:{account}", f"amazon:report-ready:{account}"

    @property
    def known(self) -> bool:
        """Whether there is a report, or one is being made: the account is known to need it."""
        return bool(self._memory.get(self._ready) or self._memory.get(self._asked))

    def document(self) -> str:
        """The id of the document of a report that is ready.

        Raises:
            Throttled: it is being made; come again.
            Unanswered: Amazon gave it up; the next call asks for another.
        """
        ready = self._memory.get(self._ready)
        if ready:
            return ready
        report_id = self._memory.get(self._asked)
        if not report_id:
            body = {"reportType": REPORT_TYPE, "marketplaceIds": [self._client.marketplace_id]}
            path = "/reports/2021-06-30/reports"
            report_id = self._client.ask(CREATE_REPORT, "POST", path, Created, json=body).report_id
            self._memory.put(self._asked, report_id, ttl_s=GIVE_UP_S)
            raise self._not_yet()
        report = self._client.ask(GET_REPORT, "GET", f"/reports/2021-06-30/reports/{report_id}", Report)
        if report.processing_status in ("IN_QUEUE", "IN_PROGRESS"):
            raise self._not_yet()
        self._memory.forget(self._asked)
        if report.processing_status != "DONE" or not report.report_document_id:
            words = f"Amazon ended the listings report {report_id} as {report.processing_status}"
            raise Unanswered(self._client.channel, GET_REPORT, words)
        self._memory.put(self._ready, report.report_document_id, ttl_s=self._keep_s)
        return report.report_document_id

    def skus(self, document_id: str) -> list[str]:
        """The SKUs of a report's document that Amazon does not fulfil, in the order of the report.

        Raises:
            Incomprehensible: it has no column that can be told to be the SKU.
        """
        path = f"/reports/2021-06-30/documents/{document_id}"
        try:
            document = self._client.ask(GET_REPORT_DOCUMENT, "GET", path, Document)
        except Rejected:
            self._memory.forget(self._ready)
            raise
        rows = lines(self._client, GET_REPORT_DOCUMENT, document, ENCODING)
        names = next(rows, "").split("\t")
        if SKU_COLUMN not in names:
            words = f"the listings report has no column {SKU_COLUMN!r}, but {', '.join(names)[:200]!r}"
            raise Incomprehensible(self._client.channel, GET_REPORT_DOCUMENT, words)
        network = names.index(NETWORK_COLUMN) if NETWORK_COLUMN in names else None
        return list(dict.fromkeys(_merchants(rows, names.index(SKU_COLUMN), network)))

    def _not_yet(self) -> Throttled:
        words = "Amazon is still making the listings report"
        return Throttled(self._client.channel, GET_REPORT, words, retry_after_s=POLL_S)


def _merchants(rows: Iterator[str], sku: int, network: int | None) -> Iterator[str]:
    for row in rows:
        cells = row.split("\t")
        if len(cells) <= sku or not cells[sku]:
            continue
        if network is None or len(cells) <= network or not cells[network].startswith(AMAZON):
            yield cells[sku]
