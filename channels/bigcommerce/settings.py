"""The settings of one BigCommerce store."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from channels.contract import ChannelSettings
from channels.fields import OptionalSecret, Secret, Url

#: Where BigCommerce's own API lives; any other address is a sandbox or a gateway.
API_URL = "https://api.bigcommerce.com"

#: How levels are written: by the catalogue's products and variants, or by the Inventory API with absolute or
#: with relative adjustments.
WriteMode = Literal["catalog", "inventory", "relative"]

#: How a webhook proves that it comes from the store.
WebhookAuth = Literal["standard", "header", "body"]


class BigCommerceSettings(ChannelSettings):
    """One store: where it is, who we are there, how its levels are written and how its webhooks are verified."""

    api_url: Url = API_URL
    """Address of the API; only a sandbox or a gateway needs another than the default."""

    store_hash: str = Field(pattern=r"^[A-Za-z0-9]+$")
    """The store's permanent id: the part after ``stores/`` in the API path that the API account shows."""

    access_token: Secret
    """Access token of the store's API account, sent as ``X-Auth-Token``."""

    client_id: str = ""
    """Client id of the same API account, which tells our webhooks from those of others."""

    client_secret: OptionalSecret = None
    """Client secret of the same API account, which verifies webhooks; needed with ``webhook_url``."""

    client_secret_previous: OptionalSecret = None
    """The client secret before the current one, still accepted for webhooks while secrets are being changed."""

    write: WriteMode = "catalog"
    """How levels are written: ``catalog`` (product and variant PUTs), ``inventory`` or ``relative`` (adjustments)."""

    location_id: int = Field(default=1, ge=1)
    """The location whose stock the Inventory API reads and writes; 1 is the store's default location."""

    webhook_url: Url | None = None
    """Public address under which the store reaches ``serve``; without it no hooks are registered."""

    webhook_auth: WebhookAuth = "standard"
    """How webhooks are verified: ``standard`` (Standard Webhooks), ``header`` (our own secret) or ``body`` (HMAC)."""

    full_every_s: float = Field(default=0.0, ge=0)
    """Seconds after a full reading in which a scheduled one reads only what was changed; 0: each one reads everything.
    Sales may not count as changes: see ``docs/channels.md``."""

    settle_s: float | None = Field(default=None, ge=0)
    """Seconds after a write in which a reading may still show the level before it; unset: 2 (``catalog``) or 5."""

    read_timeout_s: float = Field(default=30.0, gt=0)
    """Seconds to wait for each part of an answer; pages of 250 products with many variants take the store a while."""

    @property
    def quota_owner(self) -> str:
        """See :attr:`ChannelSettings.quota_owner`. The quota is the store's, whichever of its API accounts calls."""
        return f"{self.api_url}/stores/{self.store_hash}"

    @property
    def stock_place(self) -> str:
        """See :attr:`ChannelSettings.stock_place`. The catalogue shows what all locations have together."""
        location = "" if self.write == "catalog" else f"locations/{self.location_id}/"
        return f"{self.quota_owner.casefold()}/{location}"

    @property
    def least_lease_s(self) -> float:
        """See :attr:`ChannelSettings.least_lease_s`."""
        return 2 * self.read_timeout_s

    @field_validator("api_url", "webhook_url")
    @classmethod
    def _without_slash(cls, url: str | None) -> str | None:
        return url.rstrip("/") if url else url

    @model_validator(mode="after")
    def _webhooks_can_work(self) -> Self:
        if self.webhook_url is None:
            return self
        if self.client_secret is None:
            raise ValueError("webhook_url needs client_secret: without it no webhook can be verified")
        address = urlsplit(self.webhook_url)
        if self.api_url == API_URL and (address.scheme != "https" or address.port not in (None, 443)):
            raise ValueError("webhook_url must be https on port 443: BigCommerce delivers nowhere else")
        return self
