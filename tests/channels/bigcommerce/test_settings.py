"""What a store's table may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from channels.bigcommerce import BigCommerceSettings

GOOD = {"type": "bigcommerce", "store_hash": "abc123", "access_token": "very-secret-token"}


def test_the_shortest_table_says_where_and_who() -> None:
    settings = BigCommerceSettings.model_validate(GOOD)
    assert settings.api_url == "https://api.bigcommerce.com"
    assert (settings.write, settings.location_id, settings.webhook_auth) == ("catalog", 1, "standard")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"store_hash": ""}, "store_hash"),
        ({"store_hash": "stores/abc"}, "store_hash"),
        ({"access_token": ""}, "access_token"),
        ({"access_token": None}, "access_token"),
        ({"access_token": "very-secret-token\n"}, "access_token"),
        ({"access_token": "very-secret-token\u2026"}, "access_token"),
        ({"api_url": "api.bigcommerce.com"}, "api_url"),
        ({"api_url": "https://gateway.example.com:port"}, "api_url"),
        ({"api_url": "https://gateway.example.com:99999"}, "api_url"),
        ({"api_url": "https://[::1"}, "api_url"),
        ({"api_url": "https://me:very-secret-token@gateway.example.com"}, "api_url"),
        ({"api_url": "https://gateway.example.com/?key=very-secret-token"}, "api_url"),
        ({"webhook_url": "https://me:hush-hush@sync.example.com", "client_secret": "hush-hush"}, "webhook_url"),
        ({"write": "absolute"}, "write"),
        ({"location_id": 0}, "location_id"),
        ({"webhook_auth": "none"}, "webhook_auth"),
        ({"acess_token": "x"}, "acess_token"),
        ({"settle_s": -1}, "settle_s"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"webhook_url": "https://sync.example.com"}, "needs client_secret"),
        ({"webhook_url": "https://sync.example.com", "client_secret": ""}, "needs client_secret"),
        ({"webhook_url": "http://sync.example.com", "client_secret": "hush-hush"}, "https on port 443"),
        ({"webhook_url": "https://sync.example.com:8443", "client_secret": "hush-hush"}, "https on port 443"),
    ],
)
def test_a_mistake_is_named_and_no_secret_with_it(changes: dict[str, object], place: str) -> None:
    with pytest.raises(ValidationError) as caught:
        BigCommerceSettings.model_validate(GOOD | changes)
    assert place in str(caught.value)
    assert "very-secret-token" not in str(caught.value)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("key", ["client_secret", "client_secret_previous"])
def test_an_empty_secret_is_none_and_proves_nothing(key: str) -> None:
    settings = BigCommerceSettings.model_validate(GOOD | {key: ""})
    assert getattr(settings, key) is None


def test_a_sandbox_may_deliver_webhooks_to_any_address() -> None:
    changes = {"api_url": "http://127.0.0.1:1/", "webhook_url": "http://127.0.0.1:2", "client_secret": "x"}
    settings = BigCommerceSettings.model_validate(GOOD | changes)
    assert settings.api_url == "http://127.0.0.1:1"


def test_every_key_is_described() -> None:
    fields = BigCommerceSettings.model_fields
    assert [name for name, field in fields.items() if not field.description] == []
