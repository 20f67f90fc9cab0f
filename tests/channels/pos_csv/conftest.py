"""A till with a real folder, and a clock that tests turn by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.contract import Page
from channels.pos_csv import PosCsvChannel, PosCsvSettings
from channels.pos_csv.sandbox import Till


class Clock:
    """The time, until someone moves it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


class Shop:
    """A till's folder as the tests handle it."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self.till = Till(path, clock=clock)
        self.pauses: list[float] = []

    def channel(self, **settings: object) -> PosCsvChannel:
        """A reader of the folder; ``quiet_s = 0`` unless told."""
        given = {"type": "pos_csv", "path": self.path, "quiet_s": 0} | settings
        return PosCsvChannel("till", PosCsvSettings.model_validate(given), clock=self.clock, pause=self.pauses.append)

    def drop(self, name: str, content: str | bytes, *, age_s: float = 0.0) -> Path:
        """Drop a file that was last written so many seconds ago by the test's clock."""
        file = self.till.drop(name, content.encode() if isinstance(content, str) else content)
        at = self.clock().timestamp() - age_s
        os.utime(file, (at, at))
        return file

    def read(self, **settings: object) -> list[Page]:
        """A full reading, every page acknowledged."""
        return list(self.channel(**settings).read_all())

    def levels(self, **settings: object) -> dict[str, int]:
        """The levels of a full reading; of later pages where there are several."""
        return {row.sku: row.units for page in self.read(**settings) for row in page.levels}

    def problems(self, **settings: object) -> list[tuple[str, str]]:
        """The problems of a full reading."""
        return [(told.where, told.reason) for page in self.read(**settings) for told in page.problems]

    def files(self, below: str = "") -> list[str]:
        """The names of all files below a folder, without the adapter's own memory."""
        root = self.path / below
        found = [file for file in root.rglob("*") if file.is_file() and ".state" not in file.parts]
        return sorted(file.name for file in found)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(tmp_path: Path, clock: Clock) -> Shop:
    return Shop(tmp_path / "pos", clock)


@pytest.fixture
def table() -> Callable[..., str]:
    """Plain CSV text of ``sku=units``."""

    def text(**units: int) -> str:
        return "".join(["sku,quantity\n", *(f"{sku},{count}\n" for sku, count in units.items())])

    return text
