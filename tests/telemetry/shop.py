"""Settings of a shop with every kind of secret in them."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from channels import ChannelSettings
from channels.amazon.settings import AmazonSettings
from channels.bigcommerce.settings import BigCommerceSettings
from sync.settings import Settings

REDIS_URL = "redis://:pw-of-the-store@127.0.0.1:6379/0"


def shop_settings(**changes: Any) -> Settings:
    """Two channels and a store, with secrets that are easy to look for: each begins with what it is."""
    settings = Settings.model_construct(redis_url=SecretStr(REDIS_URL), log_format="text", **changes)
    settings._channels = dict[str, ChannelSettings](
        store=BigCommerceSettings.model_validate(
            {
                "type": "bigcommerce",
                "store_hash": "abc123",
                "access_token": "bc-access-token-1",
                "client_id": "bc-client",
                "client_secret": "bc-client-secret-1",
            }
        ),
        amazon=AmazonSettings.model_validate(
            {
                "type": "amazon",
                "seller_id": "SELLER",
                "marketplace_id": "ATVPDKIKX0DER",
                "client_id": "amzn1.client",
                "client_secret": "lwa-client-secret-1",
                "refresh_token": "Atzr|lwa-refresh-token-1",
            }
        ),
    )
    return settings


def secrets_of(settings: Settings) -> list[str]:
    """Every secret value, by itself."""
    found = [REDIS_URL, "pw-of-the-store"]
    for channel in settings.channel_settings.values():
        found += [value.get_secret_value() for _, value in channel if isinstance(value, SecretStr)]
    return found
