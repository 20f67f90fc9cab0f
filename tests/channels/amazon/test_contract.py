"""What every channel promises, kept by Amazon."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from channels.amazon import AmazonChannel
from channels.amazon.sandbox import AmazonSandbox
from channels.sandbox import Fault as Trouble
from channels.testing import ChannelContract, Fault, World

WRITES = "^PATCH|^POST /feeds/2021-06-30/feeds"

#: A full reading, or a write. The look before a write is let pass, so that trouble hits the write itself.
READINGS_AND_WRITES = rf"{WRITES}|^GET (?!.*identifiers)"

TROUBLE = {
    "throttle": Trouble("answer", match="^(GET|PATCH|POST /feeds)", status=429),
    "deny": Trouble("answer", match="^(GET|PATCH|POST /feeds)", status=403),
    "crash": Trouble("answer", match=READINGS_AND_WRITES, status=503),
    "hang up": Trouble("hang up", match=READINGS_AND_WRITES),
    "garbage": Trouble("garbage", match=READINGS_AND_WRITES),
    "drop the answer of a write": Trouble("drop", match=WRITES),
}


class AmazonWorld:
    """The mock account, whose writes take five minutes to show."""

    delay_s = 300.0
    network = "DEFAULT"

    def __init__(self, sandbox: AmazonSandbox, channel: AmazonChannel, advance: Callable[[float], None]) -> None:
        self.channel = channel
        self._sandbox = sandbox
        self._advance = advance
        sandbox.account.visible_after_s = self.delay_s

    def put(self, sku: str, units: int) -> None:
        self._sandbox.account.put(sku, units, network=self.network)

    def remove(self, sku: str) -> None:
        self._sandbox.account.remove(sku)

    def shown(self, sku: str) -> int:
        units = self._sandbox.account.shown(sku)
        assert units is not None
        return units

    def sell(self, sku: str, units: int) -> None:
        self._sandbox.account.sell(sku, units)

    def fault(self, kind: Fault) -> None:
        self._sandbox.faults.clear()
        if kind != "nothing":
            self._sandbox.faults.add(TROUBLE[kind])

    def settle(self) -> None:
        self._advance(self.delay_s)


class TestTheContract(ChannelContract):
    @pytest.fixture
    def world(self, sandbox: AmazonSandbox, connect, clock) -> World:
        return AmazonWorld(sandbox, connect(full_every_s=3600), clock.advance)


class Warehouse(AmazonWorld):
    """The same, of what Amazon holds in its warehouses."""

    network = "AMAZON_NA"


class TestTheContractOfAmazonsOwnStock(ChannelContract):
    @pytest.fixture
    def world(self, sandbox: AmazonSandbox, connect, clock) -> World:
        return Warehouse(sandbox, connect(stock="amazon"), clock.advance)


class TestTheContractByFeeds(ChannelContract):
    @pytest.fixture
    def world(self, sandbox: AmazonSandbox, connect, clock) -> World:
        return AmazonWorld(sandbox, connect(feed_from=1), clock.advance)
