"""Adding up the rows of one file to one level for each SKU, and leaving out what nobody can be sure of."""

from __future__ import annotations

from array import array

from channels.pos_csv import models
from channels.pos_csv.cells import BadCell, Quantities
from channels.pos_csv.complaints import Complaints
from channels.pos_csv.models import Table

#: The most lines that a message names.
_NAMED = 5


class Tally(Complaints):
    """The levels of one file as they are being read.

    A SKU with two rows that contradict each other, or with a row that could not be read beside one that could,
    is left out as a whole: whichever row was taken could be the wrong one, and a sum without it would be too low.
    """

    def __init__(self, quantities: Quantities) -> None:
        super().__init__()
        self.table = Table()
        self._quantities = quantities
        self._position: dict[str, int] = {}
        self._lines: array[int] = array("q")
        #: Lines and quantities by position and location, where a SKU has a row for each location.
        self._stocked: dict[tuple[int, str], tuple[int, int]] = {}
        #: Positions of SKUs whose rows contradict each other, with all their lines.
        self._clashes: dict[int, list[int]] = {}
        #: SKUs with a row that could not be read, and its line.
        self._unsure: dict[str, int] = {}

    def add(self, line: int, sku: str, units: int) -> None:
        """A row with the level of a SKU."""
        table, key = self.table, models.key(sku)
        position = self._position.setdefault(sku if key == sku else key, len(table))
        if position == len(table):
            self._open(line, sku, units)
        else:
            self._again(line, position, self._lines[position], table.units[position], units)

    def add_at(self, line: int, sku: str, units: int, location: str) -> None:
        """A row with what one location has of a SKU."""
        table, key = self.table, models.key(sku)
        position = self._position.setdefault(key, len(table))
        before = self._stocked.setdefault((position, location), (line, units))
        if position == len(table):
            self._open(line, sku, units)
        elif before[0] != line:
            self._again(line, position, *before, units)
        else:
            table.units[position] += units

    def refuse(self, line: int, sku: str, reason: str) -> None:
        """A row of this SKU that cannot be read."""
        self.doubt(line, sku)
        self.reject(line, reason)

    def doubt(self, line: int, sku: str) -> None:
        """A row without which the sum of this SKU would be wrong."""
        self._unsure.setdefault(models.key(sku), line)

    def finish(self) -> None:
        """Leave out what is doubtful. To be called once, after the last row."""
        dropped = set(self._clashes)
        for position, lines in self._clashes.items():
            named = ", ".join(map(str, lines[:_NAMED])) + ("…" if len(lines) > _NAMED else "")
            for line in lines:
                self.reject(
                    line, f"{self.table.skus[position]} has different quantities in lines {named}; none is taken"
                )
        for key, line in self._unsure.items():
            position = self._position.get(key, -1)
            if position >= 0 and position not in dropped:
                dropped.add(position)
                self.note(
                    self._lines[position],
                    f"{self.table.skus[position]} is not taken: its line {line} gives no quantity",
                )
        if self._stocked:
            dropped |= self._too_large()
        if dropped:
            kept = [position for position in range(len(self.table)) if position not in dropped]
            self.table = Table(
                [self.table.skus[position] for position in kept],
                array("q", (self.table.units[position] for position in kept)),
            )
        self.reports.sort()

    def _open(self, line: int, sku: str, units: int) -> None:
        self.table.skus.append(sku)
        self.table.units.append(units)
        self._lines.append(line)

    def _again(self, line: int, position: int, line_before: int, units_before: int, units: int) -> None:
        if units == units_before:
            self.note(line, f"{self.table.skus[position]} stands in line {line_before} already, with this quantity")
        else:
            self._clashes.setdefault(position, [line_before]).append(line)

    def _too_large(self) -> set[int]:
        """Sums over locations that are not believed; the others are capped where that is wanted."""
        refused = set()
        for position, units in enumerate(self.table.units):
            try:
                self.table.units[position] = self._quantities.believed(units)
            except BadCell as error:
                self.reject(self._lines[position], f"{self.table.skus[position]}, added up: {error}")
                refused.add(position)
        return refused
