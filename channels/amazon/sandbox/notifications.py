"""Amazon's notifications as the mock sends them, and the SQS queue in which they arrive (its JSON protocol)."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from channels.amazon.models import MERCHANT
from channels.amazon.sandbox.account import Account, MockListing, MockOrder, iso

#: How an order's status is called in a notification.
STATUSES = {"PENDING": "Pending", "UNSHIPPED": "Unshipped", "SHIPPED": "Shipped", "CANCELLED": "Canceled"}

#: For how long a message that was received is hidden, in seconds.
HIDDEN_S = 30.0

#: The path of the one queue.
QUEUE = "/000000000000/amazon-notifications"


@dataclass(slots=True)
class Message:
    """One message; ``visible_at`` moves whenever it is received."""

    body: str
    visible_at: float
    receipt: str = ""


class Notifications:
    """One queue with the notifications of one account. Safe across threads.

    Parameters:
        account: Whose changes are told, once someone listens.
    """

    def __init__(self, account: Account) -> None:
        #: How often each notification is put into the queue; 0: nobody listens.
        self.copies = 0
        self._account = account
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._messages: dict[int, Message] = {}
        account.on_stock.append(self._stock_changed)
        account.on_order.append(self._order_changed)

    @property
    def waiting(self) -> int:
        """How many messages are in the queue, hidden ones among them."""
        with self._lock:
            return len(self._messages)

    def put(self, body: str) -> None:
        """Put any message into the queue."""
        with self._lock:
            self._messages[next(self._numbers)] = Message(body, self._account.clock())

    def receive(self, most: int) -> list[dict[str, str]]:
        """Messages as SQS gives them, the newest first: no order is promised."""
        now = self._account.clock()
        given: list[dict[str, str]] = []
        with self._lock:
            for number, message in reversed(self._messages.items()):
                if message.visible_at > now or len(given) == most:
                    continue
                message.visible_at, message.receipt = now + HIDDEN_S, uuid.uuid4().hex
                digest = hashlib.md5(message.body.encode(), usedforsecurity=False).hexdigest()
                given.append(
                    {
                        "MessageId": str(number),
                        "ReceiptHandle": message.receipt,
                        "MD5OfBody": digest,
                        "Body": message.body,
                    }
                )
        return given

    def delete(self, receipt: str) -> None:
        """Take a message off the queue, by the receipt with which it was last given."""
        with self._lock:
            for number, message in list(self._messages.items()):
                if message.receipt == receipt:
                    del self._messages[number]

    def clear(self) -> None:
        """Empty the queue."""
        with self._lock:
            self._messages.clear()

    def _stock_changed(self, listing: MockListing) -> None:
        if MERCHANT not in listing.stock:
            return
        payload: dict[str, Any] = {
            "SellerId": self._account.seller_id,
            "FulfillmentChannelCode": MERCHANT,
            "Sku": listing.sku,
            "Quantity": listing.stock[MERCHANT] or 0,
        }
        self._tell("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", payload)

    def _order_changed(self, order: MockOrder) -> None:
        shipped = order.status == "SHIPPED"
        summary: dict[str, Any] = {
            "MarketplaceId": self._account.marketplace_id,
            "OrderStatus": STATUSES[order.status],
            "PurchaseDate": iso(order.created_at),
            "DestinationPostalCode": None,
            "FulfillmentType": "AFN" if order.by_amazon else "MFN",
            "OrderType": "StandardOrder",
            "OrderItems": [
                {
                    "OrderItemId": line.number,
                    "SellerSKU": line.sku,
                    "SupplySourceId": None,
                    "Quantity": line.units,
                    "QuantityShipped": line.units if shipped else 0,
                }
                for line in order.lines
            ],
        }
        change = {
            "NotificationLevel": "OrderLevel",
            "SellerId": self._account.seller_id,
            "AmazonOrderId": order.number,
            "OrderChangeType": "OrderStatusChange",
            "OrderChangeTrigger": {"TimeOfOrderChange": iso(order.updated_at), "ChangeReason": "Status changed"},
            "Summary": summary,
        }
        self._tell("ORDER_CHANGE", {"OrderChangeNotification": change})

    def _tell(self, kind: str, payload: dict[str, Any]) -> None:
        now = iso(self._account.clock())
        body = {
            "NotificationVersion": "1.0",
            "NotificationType": kind,
            "PayloadVersion": "1.0",
            "EventTime": now,
            "Payload": payload,
            "NotificationMetadata": {
                "ApplicationId": "amzn1.sellerapps.app.sandbox",
                "SubscriptionId": "sandbox",
                "PublishTime": now,
                "NotificationId": str(uuid.uuid4()),
            },
        }
        for _ in range(self.copies):
            self.put(json.dumps(body))


def blueprint(notifications: Notifications) -> Blueprint:
    """The route at which SQS is called; the operation stands in a header."""
    routes = Blueprint("sqs", __name__)
    operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "ReceiveMessage": lambda body: {"Messages": notifications.receive(int(body.get("MaxNumberOfMessages", 1)))},
        "GetQueueAttributes": lambda _: {"Attributes": {"ApproximateNumberOfMessages": str(notifications.waiting)}},
        "DeleteMessageBatch": lambda body: _deleted(notifications, body["Entries"]),
    }

    @routes.post("/")
    def call() -> Response:
        operation = operations.get(request.headers.get("X-Amz-Target", "").removeprefix("AmazonSQS."))
        body = request.get_json(force=True, silent=True)
        if operation is None or not isinstance(body, dict):
            return _sqs({"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": "Unsupported"}, 400)
        if not str(body.get("QueueUrl")).endswith(QUEUE):
            kind = "com.amazonaws.sqs#QueueDoesNotExist"
            return _sqs({"__type": kind, "message": "The specified queue does not exist."}, 400)
        return _sqs(operation(body), 200)

    return routes


def _deleted(notifications: Notifications, entries: list[dict[str, str]]) -> dict[str, Any]:
    for entry in entries:
        notifications.delete(entry["ReceiptHandle"])
    return {"Successful": [{"Id": entry["Id"]} for entry in entries], "Failed": []}


def _sqs(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/x-amz-json-1.0")
