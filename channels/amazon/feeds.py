"""Many quantities at once: the listings feed, and what became of the listings that went with one.

Amazon works a feed off in its own time, so a listing in a feed is marked until the feed has ended: a patch
sent beside it could be overtaken by the older number. What the feed's report refuses is kept with the mark.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import requests
from pydantic import ValidationError

from channels.amazon.client import AmazonClient
from channels.amazon.documents import Document, lines
from channels.amazon.limits import CREATE_FEED, CREATE_FEED_DOCUMENT, GET_FEED, GET_FEED_DOCUMENT
from channels.amazon.models import Payload, quantity_patch
from channels.contract import Outcome, Result, Write
from channels.errors import ChannelError, Incomprehensible, Rejected, Unanswered, Unreachable
from channels.services import Memory

logger = logging.getLogger(__name__)

FEED_TYPE = "JSON_LISTINGS_FEED"
CONTENT_TYPE = "application/json; charset=UTF-8"
ROOT = "/feeds/2021-06-30"

#: For how long the state of a feed is believed before Amazon is asked again, in seconds.
POLL_S = 15.0

#: For how long it is known what an ended feed refused, in seconds.
KEPT_S = 24 * 3600.0

#: The most refusals of one feed that are kept; a listing beyond gets its words from its next write.
REFUSALS_KEPT = 1000

#: The value of a mark before its feed has a number.
UNSENT = "?"


class CreatedDocument(Payload):
    """The answer to ``createFeedDocument``."""

    feed_document_id: str
    url: str


class CreatedFeed(Payload):
    """The answer to ``createFeed``."""

    feed_id: str


class Feed(Payload):
    """The answer to ``getFeed``. ``FATAL``: some, none or all of it may have been done."""

    processing_status: Literal["IN_QUEUE", "IN_PROGRESS", "DONE", "CANCELLED", "FATAL"]
    result_feed_document_id: str | None = None


class FeedIssue(Payload):
    """One entry of the processing report; ``message_id`` is absent where it is about the feed as a whole."""

    message_id: int | None = None
    code: str = ""
    severity: str
    message: str


class ProcessingReport(Payload):
    """What became of a feed's messages."""

    issues: list[FeedIssue]


class Mark(NamedTuple):
    """That a listing went with a feed."""

    feed: str
    message: int


class InventoryFeeds:
    """The listings feeds of one account, shared between processes.

    Parameters:
        client: Who sends them.
        memory: Where the marks are kept.
        patience_s: For how long a feed may take; after that its listings are written one by one again.
    """

    def __init__(self, client: AmazonClient, memory: Memory, patience_s: float) -> None:
        self._client = client
        self._memory = memory
        self._patience_s = patience_s
        self._prefix = f"amazon:feed:{client.seller_id}:{client.marketplace_id}"

    def submit(self, writes: Sequence[Write]) -> str:
        """Send one feed with all these quantities; answers its id. The listings are marked before it is sent.

        Raises:
            Unreachable: the feed could not be prepared; certainly nothing was sent.
            Unanswered, Incomprehensible: it may have been taken or not; the marks stay.
            Rejected, Denied, Throttled: it was not taken.
        """
        document = self._upload(feed_document(self._client, writes))
        self._mark(writes, UNSENT)
        body = {
            "feedType": FEED_TYPE,
            "marketplaceIds": [self._client.marketplace_id],
            "inputFeedDocumentId": document,
        }
        try:
            feed = self._client.ask(CREATE_FEED, "POST", f"{ROOT}/feeds", CreatedFeed, json=body).feed_id
        except (Unanswered, Incomprehensible):
            raise
        except ChannelError:
            for write in writes:
                self._memory.forget(self._key(write.ref))
            raise
        self._mark(writes, feed)
        return feed

    def objection(self, ref: str) -> Outcome | None:
        """What the feed that a listing last went with has to say before anything else is sent; told once.

        Raises:
            channels.errors.ChannelError: Amazon could not be asked.
        """
        mark = self._marked(ref)
        if mark is None:
            return None
        if not self._ended(mark.feed):
            return Outcome(ref, Result.DEFERRED, reason="it went with a feed that Amazon is still working on")
        self._memory.forget(self._key(ref))
        refused = json.loads(self._memory.get(f"{self._prefix}:refused:{mark.feed}") or "{}")
        words = refused.get(str(mark.message))
        return Outcome(ref, Result.REFUSED, reason=str(words)) if words else None

    def _upload(self, content: bytes) -> str:
        client = self._client
        path, body = f"{ROOT}/documents", {"contentType": CONTENT_TYPE}
        try:
            created = client.ask(CREATE_FEED_DOCUMENT, "POST", path, CreatedDocument, json=body)
            # The address carries its own right to write: no access token, and just the type that was announced.
            response = client.session.put(
                created.url,
                data=content,
                headers={"Content-Type": CONTENT_TYPE},
                timeout=client.timeout_s,
                allow_redirects=False,
            )
        except (Unanswered, Incomprehensible) as error:
            raise Unreachable(client.channel, CREATE_FEED_DOCUMENT, error.words, status=error.status) from error
        except requests.RequestException as error:
            words = client.failure(CREATE_FEED_DOCUMENT, error).words
            raise Unreachable(client.channel, CREATE_FEED_DOCUMENT, words) from error
        if response.status_code not in (200, 201, 204):
            words = f"the feed could not be uploaded: HTTP {response.status_code}"
            raise Unreachable(client.channel, CREATE_FEED_DOCUMENT, words)
        return created.feed_document_id

    def _ended(self, feed: str) -> bool:
        state = f"{self._prefix}:state:{feed}"
        known = self._memory.get(state)
        if feed == UNSENT or known:
            return known == "ended"
        try:
            answer = self._client.ask(GET_FEED, "GET", f"{ROOT}/feeds/{feed}", Feed)
        except Rejected:
            return True  # Amazon keeps no feed for ever
        if answer.processing_status in ("IN_QUEUE", "IN_PROGRESS"):
            self._memory.put(state, "running", ttl_s=POLL_S)
            return False
        refused = self._refused(answer.result_feed_document_id) if answer.result_feed_document_id else {}
        logger.info(
            "%s: feed %s ended as %s, %d refused", self._client.channel, feed, answer.processing_status, len(refused)
        )
        self._memory.put(f"{self._prefix}:refused:{feed}", json.dumps(refused), ttl_s=KEPT_S)
        self._memory.put(state, "ended", ttl_s=KEPT_S)
        return True

    def _refused(self, document_id: str) -> dict[int, str]:
        try:
            document = self._client.ask(GET_FEED_DOCUMENT, "GET", f"{ROOT}/documents/{document_id}", Document)
        except Rejected:
            return {}  # it is kept no longer; a listing that was refused shows at its next write
        text = "\n".join(lines(self._client, GET_FEED_DOCUMENT, document, "utf-8"))
        try:
            report = ProcessingReport.model_validate_json(text)
        except ValidationError as error:
            words = "the feed's report is not what Amazon documents"
            raise Incomprehensible(self._client.channel, GET_FEED_DOCUMENT, words) from error
        refused: dict[int, str] = {}
        for issue in report.issues:
            if issue.severity == "ERROR" and issue.message_id is not None:
                words = ": ".join(part for part in (issue.code, issue.message) if part)
                before = refused.get(issue.message_id)
                if before is not None:
                    refused[issue.message_id] = f"{before}; {words}"
                elif len(refused) < REFUSALS_KEPT:
                    refused[issue.message_id] = words
        return refused

    def _mark(self, writes: Sequence[Write], feed: str) -> None:
        for number, write in enumerate(writes, start=1):
            self._memory.put(self._key(write.ref), f"{feed} {number}", ttl_s=self._patience_s)

    def _marked(self, sku: str) -> Mark | None:
        value = self._memory.get(self._key(sku))
        if value is None:
            return None
        feed, _, number = value.partition(" ")
        return Mark(feed, int(number))

    def _key(self, sku: str) -> str:
        return f"{self._prefix}:sku:{sku}"


def feed_document(client: AmazonClient, writes: Sequence[Write]) -> bytes:
    """The body of a feed that sets these quantities: message 1 is the first write, and so on."""
    messages: list[dict[str, Any]] = [
        {"messageId": number, "sku": write.ref, "operationType": "PATCH"} | quantity_patch(write.units)
        for number, write in enumerate(writes, start=1)
    ]
    header = {"sellerId": client.seller_id, "version": "2.0", "issueLocale": "en_US"}
    return json.dumps({"header": header, "messages": messages}).encode()
