"""A mock seller account that speaks the Selling Partner API over real HTTP, for the demo and for tests."""

from __future__ import annotations

from channels.amazon.sandbox.account import Account, SoldOut
from channels.amazon.sandbox.server import AmazonSandbox

__all__ = ["Account", "AmazonSandbox", "SoldOut"]
