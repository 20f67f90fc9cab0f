"""A little till for the demo, the simulator and the tests: it sells, counts, exports and books adjustments.

It is a stock table in memory with a real folder: what it exports and what it takes are real files, written to a
temporary name and renamed, as a till should.
"""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from channels.pos_csv import times


def _now() -> datetime:
    return datetime.now(UTC)


class Till:
    """A till and its export folder. Safe to use from several threads.

    Parameters:
        path: The folder it exports into; created where it is missing.
        clock: The till's own clock, aware.
        keeps: Whether booked adjustment files are moved to ``out/done/`` (else they are removed).
    """

    def __init__(self, path: Path | str, *, clock: Callable[[], datetime] = _now, keeps: bool = True) -> None:
        self.path = Path(path)
        self.clock = clock
        self.keeps = keeps
        #: Units on the shelf, by SKU.
        self.stock: dict[str, int] = {}
        self._lock = threading.Lock()
        self.path.mkdir(parents=True, exist_ok=True)

    def count(self, sku: str, units: int) -> None:
        """Take a product in, or count it anew."""
        with self._lock:
            self.stock[sku] = units

    def sell(self, sku: str, units: int = 1) -> None:
        """Sell over the counter. What lies in a customer's hand is sold, whatever the table says."""
        with self._lock:
            self.stock[sku] -= units

    def restock(self, sku: str, units: int) -> None:
        """Receive goods, or take back a return."""
        with self._lock:
            self.stock[sku] += units

    def remove(self, sku: str) -> None:
        """Drop a product from the till."""
        with self._lock:
            self.stock.pop(sku, None)

    def snapshot(self) -> str:
        """The stock table as CSV text."""
        with self._lock:
            return _table(self.stock)

    def export(self, name: str | None = None) -> Path | None:
        """Drop a snapshot into the folder, whole at once; ``None`` where there is nothing to export.

        Parameters:
            name: The file's name; by default it states the moment of the count.
        """
        with self._lock:
            if not self.stock:
                return None
            # The time is taken before the table is: it must never claim to know what came later.
            name = name or f"stock-{times.stamp(self.clock())}.csv"
            text = _table(self.stock)
        return self.drop(name, text.encode())

    def drop(self, name: str, content: bytes) -> Path:
        """Drop any file into the folder, whole at once."""
        draft = self.path / f".{name}.tmp"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return draft.rename(self.path / name)

    def waiting(self) -> list[Path]:
        """Adjustment files that were not booked yet, oldest first."""
        return sorted((self.path / "out").glob("adjust-*.csv"))

    def take_adjustments(self) -> dict[str, int]:
        """Book every waiting adjustment file, each once; gives the change of each SKU."""
        changes: dict[str, int] = {}
        for file in self.waiting():
            with self._lock:
                for sku, change in _adjustments(file):
                    self.stock[sku] = self.stock.get(sku, 0) + change
                    changes[sku] = changes.get(sku, 0) + change
                # Only a file that was booked is moved away: that it is gone says that its units are counted.
                if self.keeps:
                    done = file.parent / "done"
                    done.mkdir(exist_ok=True)
                    file.rename(done / file.name)
                else:
                    file.unlink()
        return changes


def _table(stock: dict[str, int]) -> str:
    lines = ["sku,quantity", *(f"{_quoted(sku)},{units}" for sku, units in stock.items())]
    return "\r\n".join(lines) + "\r\n"


def _quoted(sku: str) -> str:
    return '"' + sku.replace('"', '""') + '"' if any(sign in sku for sign in ',"\r\n') else sku


def _adjustments(file: Path) -> list[tuple[str, int]]:
    with file.open(encoding="utf-8", newline="") as text:
        return [(sku, int(change)) for sku, change in list(csv.reader(text))[1:]]
