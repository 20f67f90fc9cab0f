"""A BigCommerce store in memory that speaks its API over real HTTP, for the demo and for tests."""

from __future__ import annotations

from channels.bigcommerce.sandbox.server import BigCommerceSandbox
from channels.bigcommerce.sandbox.store import OutOfStock, Store

__all__ = ["BigCommerceSandbox", "OutOfStock", "Store"]
