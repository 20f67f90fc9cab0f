"""What every channel promises, kept by a till that exports whenever it is about to be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.contract import Outcome, Page, Result, Write
from channels.pos_csv import PosCsvChannel, PosCsvSettings
from channels.pos_csv.sandbox import Till
from channels.testing import ChannelContract, Fault, World


class TillWorld:
    """A till that is told of sales elsewhere, by the machine's own clock."""

    def __init__(self, path: Path) -> None:
        self.till = till = Till(path)

        class ExportedFirst(PosCsvChannel):
            """Has the till export just before it is read."""

            __slots__ = ()

            def read_all(self, cursor: str | None = None) -> Iterator[Page]:
                till.export()
                yield from PosCsvChannel.read_all(self, cursor)

        settings = PosCsvSettings(type="pos_csv", path=path, quiet_s=0, writes=True, slack_s=0)
        self.channel = ExportedFirst("till", settings)

    def put(self, sku: str, units: int) -> None:
        self.till.count(sku, units)

    def remove(self, sku: str) -> None:
        self.till.remove(sku)

    def shown(self, sku: str) -> int:
        return self.till.stock[sku]

    def sell(self, sku: str, units: int) -> None:
        self.till.sell(sku, units)

    def fault(self, kind: Fault) -> None:
        if kind != "nothing":
            raise NotImplementedError("a folder has no server that could fail")

    def settle(self) -> None:
        self.till.take_adjustments()


class TestTheContract(ChannelContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        return TillWorld(tmp_path / "pos")

    def test_a_row_that_cannot_be_written_stops_only_itself(self, world: World) -> None:
        # That a product is gone shows only when the till books the file. What cannot be written is a SKU that no
        # CSV file can hold.
        for sku in "ABC":
            world.put(sku, 10)
        names = {"A": "A", "B": "B\x00", "C": "C"}
        outcomes = world.channel.write([Write(sku, name, 4, 10) for sku, name in names.items()])
        assert outcomes[1].result is Result.REFUSED
        assert outcomes[1].reason
        assert [outcomes[0], outcomes[2]] == [Outcome(ref, Result.ACCEPTED) for ref in "AC"]
        world.settle()
        assert [world.shown(sku) for sku in "ABC"] == [4, 10, 4]
