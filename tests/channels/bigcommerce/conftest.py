"""A sandbox store with a clock that tests turn by hand, and channels to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from channels.bigcommerce import BigCommerceChannel, BigCommerceSettings
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.services import Services

Connect = Callable[..., BigCommerceChannel]


class Clock:
    """The time, until someone moves it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> BigCommerceSandbox:
    return BigCommerceSandbox(Store(quota=None, clock=clock))


@pytest.fixture
def store(sandbox: BigCommerceSandbox) -> Store:
    return sandbox.store


@pytest.fixture
def url(sandbox: BigCommerceSandbox) -> Iterator[str]:
    with sandbox.serve(deliver=False) as url:
        yield url


@pytest.fixture
def connect(sandbox: BigCommerceSandbox, url: str) -> Iterator[Connect]:
    """Makes channels to the store; keyword arguments are settings."""
    opened: list[BigCommerceChannel] = []

    def to_the_store(services: Services | None = None, **changes: object) -> BigCommerceChannel:
        settings = BigCommerceSettings.model_validate(sandbox.settings(url) | changes)
        channel = BigCommerceChannel("store", settings, services or Services())
        opened.append(channel)
        return channel

    yield to_the_store
    for channel in opened:
        channel.close()


@pytest.fixture
def channel(connect: Connect) -> BigCommerceChannel:
    return connect()
