"""The Feeds API of the mock (model feeds 2021-06-30), with the one feed that is used: JSON_LISTINGS_FEED.

A feed waits, is worked off when its time has come, and leaves a report. No one has to look at it for that.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import Blueprint, request
from werkzeug.wrappers import Response

from channels.amazon.sandbox.account import Account, iso
from channels.amazon.sandbox.documents import Documents
from channels.amazon.sandbox.listings import checked_patches, submitted
from channels.amazon.sandbox.wire import Refused, answer

PREFIX = "/feeds/2021-06-30"
FEED_TYPE = "JSON_LISTINGS_FEED"

#: The most messages in one feed (schema listings-feed v2).
MESSAGES = 25_000

Status = Literal["IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"]


@dataclass(slots=True)
class MockFeed:
    """One feed. ``messages`` counts those that were worked off."""

    number: str
    document: str
    created_at: float
    status: Status = "IN_QUEUE"
    result: str = ""
    messages: int = 0
    issues: list[dict[str, Any]] = field(default_factory=list)


class BadFeed(Exception):
    """A feed that cannot be worked off at all."""


class Feeds:
    """The feeds of an account.

    Parameters:
        account: Whose listings.
        documents: Where their documents are kept.
    """

    def __init__(self, account: Account, documents: Documents) -> None:
        #: How long a feed waits in the queue, and how long it is then worked on, in seconds.
        self.waits_s = 0.0
        self.takes_s = 0.0
        #: After how many messages a feed ends as FATAL, without a report; ``None``: it does not.
        self.fatal_after: int | None = None
        #: Whether reports are compressed.
        self.compressed = True
        self._account = account
        self._documents = documents
        self._numbers = itertools.count(90001)
        self._feeds: dict[str, MockFeed] = {}
        account.upkeep.append(self.work)

    def create(self, document: str, number: str = "") -> str:
        """Take a feed; answers its id."""
        with self._account.lock:
            number = number or str(next(self._numbers))
            self._feeds[number] = MockFeed(number, document, self._account.clock())
            return number

    def get(self, number: str) -> MockFeed | None:
        """A feed as it stands now."""
        with self._account.lock:
            self.work()
            return self._feeds.get(number)

    def all(self) -> list[MockFeed]:
        """All feeds as they stand now."""
        with self._account.lock:
            self.work()
            return list(self._feeds.values())

    def cancel(self, number: str) -> bool:
        """Cancel a feed that still waits."""
        feed = self.get(number)
        if feed is None or feed.status != "IN_QUEUE":
            return False
        feed.status = "CANCELLED"
        return True

    def work(self) -> None:
        """Work off what is due."""
        with self._account.lock:
            for feed in self._feeds.values():
                age = self._account.clock() - feed.created_at
                if feed.status == "IN_QUEUE" and age >= self.waits_s:
                    feed.status = "IN_PROGRESS"
                due_s = self.waits_s + self.takes_s
                if feed.status == "IN_PROGRESS" and age >= due_s:
                    feed.status = "DONE"  # said first: working it off looks at listings, and so comes by here again
                    self._work_off(feed, feed.created_at + due_s)

    def clear(self) -> None:
        """Forget all feeds."""
        with self._account.lock:
            self._feeds.clear()

    def _work_off(self, feed: MockFeed, at: float) -> None:
        try:
            messages = self._messages(feed)
        except BadFeed:
            feed.status = "FATAL"
            return
        accepted = 0
        for message in messages:
            if feed.messages == self.fatal_after:
                feed.status = "FATAL"
                return
            feed.messages += 1
            accepted += self._accepts(feed, message, at)
        report = {
            "header": {"sellerId": self._account.seller_id, "version": "2.0", "feedId": feed.number},
            "issues": feed.issues,
            "summary": {
                "errors": len(feed.issues),
                "warnings": 0,
                "messagesProcessed": feed.messages,
                "messagesAccepted": accepted,
                "messagesInvalid": feed.messages - accepted,
            },
        }
        content = json.dumps(report).encode()
        feed.result = self._documents.add(content, "application/json; charset=UTF-8", compressed=self.compressed)

    def _messages(self, feed: MockFeed) -> list[dict[str, Any]]:
        blob = self._documents.get(feed.document)
        try:
            body = json.loads(blob.content or b"") if blob else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise BadFeed("it is no JSON object")
        header, messages = body.get("header"), body.get("messages")
        if not isinstance(header, dict) or header.get("version") != "2.0":
            raise BadFeed("its header is wrong")
        if header.get("sellerId") != self._account.seller_id:
            raise BadFeed("it is someone else's")
        if not isinstance(messages, list) or not 1 <= len(messages) <= MESSAGES:
            raise BadFeed("it has too few or too many messages")
        numbers = [message.get("messageId") for message in messages]
        if len(set(numbers)) != len(numbers):
            raise BadFeed("two of its messages have one id")
        return messages

    def _accepts(self, feed: MockFeed, message: dict[str, Any], at: float) -> bool:
        sku = str(message.get("sku"))
        listing = self._account.listing(sku)
        found: list[dict[str, Any]] = []
        if message.get("operationType") != "PATCH":
            found = [{"code": "4000001", "message": "The mock takes messages of the operation PATCH alone."}]
        elif listing is None:
            found = [{"code": "13013", "message": f"This SKU does not exist: {sku}."}]
        else:
            try:
                _, found = submitted(self._account, listing, checked_patches(message), at=at)
            except Refused as refused:
                found = [{"code": "4000000", "message": str(refused.description)}]
        for issue in found:
            feed.issues.append(
                {
                    "messageId": message["messageId"],
                    "sku": sku,
                    "code": issue["code"],
                    "severity": "ERROR",
                    "message": issue["message"],
                }
            )
        return not found


def blueprint(account: Account, feeds: Feeds, documents: Documents) -> Blueprint:
    """The routes, over one account."""
    routes = Blueprint("feeds", __name__, url_prefix=PREFIX)

    @routes.post("/documents")
    def create_document() -> Response:
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("contentType"), str):
            raise Refused(400, "Invalid input", "'contentType' is missing.")
        number = documents.add(None, body["contentType"])
        described = documents.described(number, request.host_url) or {}
        return answer({"feedDocumentId": number, "url": described["url"]}, 201)

    @routes.post("/feeds")
    def create() -> Response:
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or body.get("feedType") != FEED_TYPE:
            raise Refused(400, "Invalid input", f"This account takes no feed but {FEED_TYPE}.")
        if account.marketplace_id not in (body.get("marketplaceIds") or []):
            raise Refused(400, "Invalid input", "'marketplaceIds' must name the account's marketplace.")
        blob = documents.get(str(body.get("inputFeedDocumentId")))
        if blob is None or blob.content is None:
            raise Refused(400, "Invalid input", "'inputFeedDocumentId' names no document that was uploaded.")
        return answer({"feedId": feeds.create(body["inputFeedDocumentId"])}, 202)

    @routes.get("/feeds/<number>")
    def get(number: str) -> Response:
        feed = feeds.get(number)
        if feed is None:
            raise Refused(400, "Invalid input", f"There is no feed {number}.")
        body = {
            "feedId": feed.number,
            "feedType": FEED_TYPE,
            "marketplaceIds": [account.marketplace_id],
            "createdTime": iso(feed.created_at),
            "processingStatus": feed.status,
        }
        return answer(body | ({"resultFeedDocumentId": feed.result} if feed.result else {}))

    @routes.delete("/feeds/<number>")
    def cancel(number: str) -> Response:
        if not feeds.cancel(number):
            raise Refused(400, "Invalid input", f"There is no feed {number} that still waits.")
        return answer({})

    @routes.get("/documents/<number>")
    def document(number: str) -> Response:
        body = documents.described(number, request.host_url)
        if body is None:
            raise Refused(400, "Invalid input", f"There is no document {number}.")
        return answer({"feedDocumentId": number} | body)

    return routes
