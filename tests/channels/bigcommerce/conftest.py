"""A sandbox store and channels to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from channels.bigcommerce import BigCommerceChannel, BigCommerceSettings
from channels.bigcommerce.sandbox import Sandbox, Store, sandbox

Connect = Callable[..., BigCommerceChannel]


@pytest.fixture
def shop() -> Iterator[Sandbox]:
    with sandbox(Store(quota=None)) as running:
        yield running


@pytest.fixture
def connect(shop: Sandbox) -> Iterator[Connect]:
    """Makes channels to the shop; keyword arguments are settings."""
    opened: list[BigCommerceChannel] = []

    def to_the_shop(**changes: object) -> BigCommerceChannel:
        channel = BigCommerceChannel("store", settings_for(shop, **changes))
        opened.append(channel)
        return channel

    yield to_the_shop
    for channel in opened:
        channel.close()


@pytest.fixture
def channel(connect: Connect) -> BigCommerceChannel:
    return connect()


def settings_for(shop: Sandbox, **changes: object) -> BigCommerceSettings:
    known = {
        "type": "bigcommerce",
        "api_url": shop.url,
        "store_hash": shop.store.store_hash,
        "access_token": shop.store.token,
    }
    return BigCommerceSettings.model_validate(known | changes)
