"""BigCommerce: a store's levels by its catalogue or its Inventory API, its orders and its webhooks."""

from __future__ import annotations

from channels.bigcommerce.channel import BigCommerceChannel
from channels.bigcommerce.settings import BigCommerceSettings

__all__ = ["BigCommerceChannel", "BigCommerceSettings"]
