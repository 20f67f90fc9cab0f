"""Amazon: one seller account in one marketplace, by the Selling Partner API."""

from __future__ import annotations

from channels.amazon.channel import AmazonChannel
from channels.amazon.settings import AmazonSettings

__all__ = ["AmazonChannel", "AmazonSettings"]
