"""What a seller account's table in the settings file may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from channels.amazon.limits import LIMITS
from channels.contract import ChannelSettings
from channels.fields import OptionalSecret, Secret, Url
from channels.services import Quota

#: Where the Selling Partner API of North America lives, and where access tokens are fetched everywhere
#: (SP-API documentation, "SP-API endpoints" and "Connect to the Selling Partner API").
NORTH_AMERICA = "https://sellingpartnerapi-na.amazon.com"
TOKEN_URL = "https://api.amazon.com/auth/o2/token"  # noqa: S105 - an address, not a secret

#: From how many changed listings on a feed is sooner done than patches at 5 a second, if Amazon works on it for
#: five minutes (``benchmarks/amazon_patch_or_feed.py``; how long it does is not documented).
FEED_FROM = 1500

#: How long the claim on the listings of a feed must last: they are looked at first, for 20 s of its first half.
FEED_LEASE_S = 60.0

Name = Annotated[str, StringConstraints(min_length=1, pattern=r"^\S+$")]


class AmazonSettings(ChannelSettings):
    """One seller account in one marketplace."""

    api_url: Url = NORTH_AMERICA
    """The regional address of the Selling Partner API (North America ``-na``, Europe ``-eu``, Far East ``-fe``)."""

    auth_url: Url = TOKEN_URL
    """The address at which Login with Amazon gives access tokens."""

    seller_id: Name
    """The seller's merchant token, from Seller Central under Settings, Account Info."""

    marketplace_id: Name
    """The marketplace whose listings are kept in step, such as ``ATVPDKIKX0DER`` for amazon.com."""

    client_id: Name
    """The LWA client id of the application that the seller authorised."""

    client_secret: Secret
    """The LWA client secret of that application."""

    refresh_token: Secret
    """The refresh token that the seller's authorisation of the application gave."""

    stock: Literal["merchant", "amazon"] = "merchant"
    """Whose count is read: the merchant's own stock, or (only read, never written) what Amazon holds of his (FBA)."""

    full_every_s: float = Field(default=0.0, ge=0)
    """Seconds after a full reading in which a scheduled one reads only what was changed; 0: each one reads everything.
    Sales may not count as changes: see ``docs/channels.md``. Not for ``stock = "amazon"``."""

    settle_s: float = Field(default=120.0, ge=0)
    """For how many seconds after a write a reading is not believed (Amazon publishes no figure; people see minutes)."""

    feed_from: int = Field(default=FEED_FROM, ge=0)
    """From how many changed listings on they go to Amazon as one feed and not one by one; 0 for never."""

    feed_patience_s: float = Field(default=3600.0, gt=0)
    """For how many seconds a listing that went with a feed waits for the feed to end before it is written alone."""

    queue_url: Url | None = None
    """The address of the SQS queue into which Amazon puts notifications; without it, changes are found by readings."""

    aws_access_key_id: Name | None = None
    """The AWS key that may read the queue; without it, it is looked for where boto3 looks."""

    aws_secret_access_key: OptionalSecret = None
    """The secret of that key."""

    report_keep_s: float = Field(default=3600.0, gt=0)
    """For how many seconds a listings report tells which SKUs there are, in an account of more than 1,000 listings."""

    visible_within_s: float = Field(default=900.0, gt=0)
    """For how many seconds an accepted write may stay invisible before it counts as lost and is written again."""

    read_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds to wait for each part of an answer."""

    @property
    def quota_owner(self) -> str:
        """See :attr:`ChannelSettings.quota_owner`. Amazon counts by seller and application, region by region."""
        return f"{self.api_url} {self.seller_id} {self.client_id}"

    @property
    def stock_place(self) -> str:
        """See :attr:`ChannelSettings.stock_place`. What the merchant has and what Amazon has are two."""
        return f"{self.seller_id}/{self.marketplace_id}/{self.stock}/"

    @property
    def least_lease_s(self) -> float:
        """See :attr:`ChannelSettings.least_lease_s`. All rows of a feed are looked at before it is sent."""
        return max(2 * self.read_timeout_s, FEED_LEASE_S if self.feed_from else 0.0)

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """See :attr:`ChannelSettings.quotas`."""
        return {limit.operation: Quota(rate=limit.per_s, burst=limit.burst) for limit in LIMITS}

    @model_validator(mode="after")
    def _changes_are_offered(self) -> Self:
        if self.full_every_s and self.stock == "amazon":
            raise ValueError('full_every_s is not for stock = "amazon", which is always read whole')
        return self
