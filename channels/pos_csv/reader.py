"""Reading one file whole: strict, streaming, and all or nothing.

The invariant: a sheet comes out only when every byte of the file was decoded, every record parsed and every row
either understood or reported. So nothing of a cut, mixed-up or foreign file can be applied.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

from channels.pos_csv import cells, header, models
from channels.pos_csv.header import Header
from channels.pos_csv.models import RowReport, Sheet, Table, Unreadable
from channels.pos_csv.scan import scan, stamp
from channels.pos_csv.settings import PosCsvSettings

#: The most lines that one record may span; a longer one is a quotation mark that was never closed.
RECORD_LINES = 200

#: Reports of single rows that are kept; further ones are only counted.
KEPT_REPORTS = 10_000


class StillGrowing(Exception):
    """The file changed while it was read; it is no one's fault and it is read again later."""


def read_sheet(path: Path, name: str, settings: PosCsvSettings) -> Sheet:
    """Read and check a whole file.

    Parameters:
        path: Where it lies.
        name: How people know it.

    Raises:
        Unreadable: nothing of it may be applied.
        StillGrowing: it changed meanwhile.
        OSError: it cannot be read.
    """
    seen = scan(path, settings)
    with path.open(encoding=seen.encoding, newline="") as text:
        try:
            found = header.find(text, settings)
            text.seek(0)
            body = _Body(found, settings)
            body.read(text)
        except UnicodeError as error:
            raise Unreadable(
                f"its letters are not in {seen.encoding}; correct encoding for this till, or export as UTF-8"
            ) from error
    if stamp(path) != seen.stamp:
        raise StillGrowing(name)
    body.check(ends_with_newline=seen.ends_with_newline)
    return Sheet(name, seen.sha256, body.table, body.reports, body.rows, seen.encoding, found.delimiter)


class _Body:
    """The rows below the header, as they are being read."""

    def __init__(self, found: Header, settings: PosCsvSettings) -> None:
        self.found = found
        self.settings = settings
        self.table = Table()
        self.reports: list[RowReport] = []
        self.bad_count = 0
        self.rows = 0
        self.last_is_short = False
        self._position: dict[str, int] = {}
        self._lines: array[int] = array("q")
        #: Positions of SKUs that stand in the file with different quantities, with the lines of the later ones.
        self._clashes: dict[int, list[int]] = {}
        #: SKUs with a row that could not be read, and its line.
        self._unsure: dict[str, int] = {}

    def read(self, text: TextIO) -> None:
        for line, row in self._records(text):
            if not any(row):
                continue
            self.rows += 1
            self.last_is_short = len(row) < self.found.width
            try:
                self._take(line, row)
            except cells.BadCell as error:
                self._bad(line, str(error))
        self._drop_doubtful()

    def check(self, *, ends_with_newline: bool) -> None:
        """Raise :class:`Unreadable` where the file as a whole cannot be believed."""
        if self.rows == 0:
            raise Unreadable("it has a header but no rows; an empty list is not taken for an empty shop")
        if self.last_is_short and not ends_with_newline:
            raise Unreadable("its last line breaks off in the middle, so the file was cut; export it again")
        if not self.table:
            raise Unreadable("not one of its rows could be read", self.reports)
        allowed = max(self.settings.bad_rows, int(self.settings.bad_rows_share * self.rows))
        if self.bad_count > allowed:
            raise Unreadable(
                f"{self.bad_count} of its {self.rows} rows cannot be read, more than the {allowed} that are let pass; "
                "the reasons are listed beside the file",
                self.reports,
            )

    def _records(self, text: TextIO) -> Iterator[tuple[int, list[str]]]:
        """Every record below the header with the line on which it begins."""
        skipped = self.found.lines
        below = islice(header.lines(text), skipped, None)
        rows = csv.reader(below, delimiter=self.found.delimiter, strict=True)
        begins = skipped + 1
        try:
            for row in rows:
                ends = skipped + rows.line_num
                if ends - begins >= RECORD_LINES:
                    raise Unreadable(f"a quotation mark is opened in line {begins} and not closed there")
                yield begins, row
                begins = ends + 1
        except csv.Error as error:
            raise Unreadable(_csv_words(begins, error)) from error

    def _take(self, line: int, row: list[str]) -> None:
        width = self.found.width
        if len(row) != width and (len(row) < width or any(row[width:])):
            raise cells.BadCell(
                f"the row has {len(row)} columns and the header {width}, so its numbers may belong elsewhere"
            )
        sku = self._sku(row)
        try:
            units = self._units(row)
        except cells.BadCell:
            self._unsure.setdefault(models.key(sku), line)
            raise
        if units is not None:
            self._level(line, sku, units)
        elif self.settings.blank == "report":
            self._note(line, f"the quantity of {sku} is blank; blank is not zero, so its stock stays as it was")

    def _sku(self, row: list[str]) -> str:
        for column in self.found.sku:
            sku = cells.sku(row[column])
            if sku:
                return sku
        raise cells.BadCell("the row has no SKU")

    def _units(self, row: list[str]) -> int | None:
        """The sum of the quantity columns; ``None`` where one is blank, or all are if blanks are to be skipped."""
        counted = [cells.units(row[column]) for column in self.found.quantity]
        stated = [units for units in counted if units is not None]
        if not stated or (len(stated) < len(counted) and self.settings.blank == "report"):
            return None
        return cells.within_limit(sum(stated))

    def _level(self, line: int, sku: str, units: int) -> None:
        table = self.table
        key = models.key(sku)
        position = self._position.setdefault(sku if key == sku else key, len(table))
        if position == len(table):
            table.skus.append(sku)
            table.units.append(units)
            self._lines.append(line)
        elif table.units[position] == units:
            self._note(line, f"{sku} stands in line {self._lines[position]} already, with the same quantity")
        else:
            self._clashes.setdefault(position, []).append(line)

    def _drop_doubtful(self) -> None:
        """Leave out each SKU of which no one can say which of its rows is right."""
        dropped = set(self._clashes)
        for position, later in self._clashes.items():
            lines = [self._lines[position], *later]
            named = ", ".join(map(str, lines[:5])) + ("…" if len(lines) > 5 else "")
            for line in lines:
                self._bad(line, f"{self.table.skus[position]} has different quantities in lines {named}; none is taken")
        for key, line in self._unsure.items():
            position = self._position.get(key, -1)
            if position >= 0 and position not in dropped:
                dropped.add(position)
                self._bad(self._lines[position], f"{self.table.skus[position]} is not taken: its line {line} is wrong")
        if dropped:
            kept = [position for position in range(len(self.table)) if position not in dropped]
            self.table = Table(
                [self.table.skus[position] for position in kept],
                array("q", (self.table.units[position] for position in kept)),
            )
        self.reports.sort()

    def _bad(self, line: int, reason: str) -> None:
        self.bad_count += 1
        self._note(line, reason)

    def _note(self, line: int, reason: str) -> None:
        if len(self.reports) < KEPT_REPORTS:
            self.reports.append(RowReport(line, reason))


def _csv_words(line: int, error: csv.Error) -> str:
    """What the parser stumbled over, for a shopkeeper."""
    words = str(error)
    if "unexpected end of data" in words:
        return f"a quotation mark is opened in line {line} and never closed, so the file was cut or is damaged"
    if "field limit" in words:
        return f"line {line} has a cell without end; a quotation mark is probably missing"
    if "expected after" in words:
        return f"line {line} has a quotation mark inside a quoted text; the file is damaged there"
    return f"line {line} cannot be split into columns ({words})"
