"""What a notification of Amazon's asks to look at. No I/O.

A notification is a hint: it may come twice, late or never, and no level is taken from it. Shapes: the schemas
OrderChangeNotification and ListingsItemMfnQuantityChange of selling-partner-api-models.
"""

from __future__ import annotations

import logging
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from channels.amazon.models import MERCHANT
from channels.amazon.settings import AmazonSettings
from channels.shape import fault
from channels.webhooks import Event

logger = logging.getLogger(__name__)

ORDER_CHANGE = "ORDER_CHANGE"
QUANTITY_CHANGE = "LISTINGS_ITEM_MFN_QUANTITY_CHANGE"

#: How an order change says who ships it, by the stock that the settings ask for.
SHIPPERS = {"merchant": "MFN", "amazon": "AFN"}


class BadNotification(Exception):
    """The message is no notification that Amazon documents. It will not get better by being read again."""


class Shape(BaseModel):
    """A part of a notification. Only what is used is named."""

    model_config = ConfigDict(alias_generator=to_pascal, extra="ignore", frozen=True, hide_input_in_errors=True)


class Metadata(Shape):
    """Who sent it and which it is."""

    notification_id: str = Field(min_length=1)


class Notification(Shape):
    """What all notifications have in common."""

    notification_type: str
    payload: dict[str, Any]
    notification_metadata: Metadata


class QuantityChange(Shape):
    """The payload of ``LISTINGS_ITEM_MFN_QUANTITY_CHANGE``."""

    seller_id: str
    fulfillment_channel_code: str
    sku: str = Field(min_length=1)


class OrderedItem(Shape):
    """One line of a changed order."""

    seller_sku: str = Field(alias="SellerSKU", min_length=1)


class OrderSummary(Shape):
    """What a changed order is about."""

    marketplace_id: str
    fulfillment_type: str
    order_items: list[OrderedItem]


class OrderChange(Shape):
    """The payload of ``ORDER_CHANGE``, below its name."""

    seller_id: str
    summary: OrderSummary


def hint(settings: AmazonSettings, body: str) -> Event:
    """What a message asks of the channel with these settings.

    Raises:
        BadNotification: it is none.
    """
    try:
        notification = Notification.model_validate_json(body)
        refs = _refs(settings, notification)
    except ValidationError as error:
        raise BadNotification(fault(error)) from error
    key = notification.notification_metadata.notification_id
    return Event(notification.notification_type, key, 0, refs, message=key)


def _refs(settings: AmazonSettings, notification: Notification) -> tuple[str, ...]:
    if notification.notification_type == QUANTITY_CHANGE:
        change = QuantityChange.model_validate(notification.payload)
        ours = change.seller_id == settings.seller_id and change.fulfillment_channel_code == MERCHANT
        return (change.sku,) if ours and settings.stock == "merchant" else ()
    if notification.notification_type == ORDER_CHANGE:
        order = OrderChange.model_validate(notification.payload.get("OrderChangeNotification"))
        summary = order.summary
        if (
            order.seller_id == settings.seller_id
            and summary.marketplace_id == settings.marketplace_id
            and summary.fulfillment_type == SHIPPERS[settings.stock]
        ):
            return tuple(dict.fromkeys(item.seller_sku for item in summary.order_items))
        return ()
    logger.debug("a notification of the kind %s asks for nothing", notification.notification_type)
    return ()
