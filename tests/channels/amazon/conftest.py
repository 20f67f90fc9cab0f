"""A mock seller account on real HTTP, with a clock that tests turn by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from channels.amazon import AmazonChannel, AmazonSettings
from channels.amazon.sandbox import AmazonSandbox
from channels.contract import Write
from channels.services import Services


class Clock:
    """The time, until someone moves it."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Memory:
    """What processes share, by the clock of the test."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.values: dict[str, tuple[float, str]] = {}

    def get(self, key: str) -> str | None:
        until, value = self.values.get(key, (0.0, ""))
        return value if self.clock() < until else None

    def put(self, key: str, value: str, *, ttl_s: float) -> None:
        self.values[key] = (self.clock() + ttl_s, value)

    def forget(self, key: str) -> None:
        self.values.pop(key, None)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(clock: Clock) -> Memory:
    return Memory(clock)


@pytest.fixture
def sandbox(clock: Clock) -> AmazonSandbox:
    return AmazonSandbox(clock=clock, rate_scale=None)


@pytest.fixture
def url(sandbox: AmazonSandbox) -> Iterator[str]:
    with sandbox.serve() as url:
        yield url


@pytest.fixture
def connect(sandbox: AmazonSandbox, url: str, memory: Memory) -> Iterator[Callable[..., AmazonChannel]]:
    """Make a channel to the sandbox, as one process would; keywords change its settings."""
    with ExitStack() as closing:

        def make(services: Services | None = None, **settings: Any) -> AmazonChannel:
            table = AmazonSettings.model_validate(sandbox.settings(url) | settings)
            channel = AmazonChannel("amazon", table, services or Services(memory=memory))
            closing.callback(channel.close)
            return channel

        yield make


@pytest.fixture
def channel(connect: Callable[..., AmazonChannel]) -> AmazonChannel:
    return connect()


@pytest.fixture
def write() -> Callable[[AmazonChannel, dict[str, int]], list[str]]:
    """Write levels by SKU in one batch and give the results in their order."""

    def write(channel: AmazonChannel, wanted: dict[str, int]) -> list[str]:
        outcomes = channel.write([Write(sku, sku, units, 0) for sku, units in wanted.items()])
        assert [outcome.ref for outcome in outcomes] == list(wanted)
        return [outcome.result.value for outcome in outcomes]

    return write
