"""The rows below the header: which of them are stock at all, and what each of those says of it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

from channels.pos_csv import cells
from channels.pos_csv.complaints import Complaints
from channels.pos_csv.models import Layout, Unreadable
from channels.pos_csv.settings import PosCsvSettings, fold

#: Between and after the letters of a word such as "Total:" or "合 計".
_FILLERS = re.compile(r"[\s:：]+")


class Body(ABC):
    """The rows of one file as they are being read.

    Parameters:
        found: Where the columns stand.
        complaints: Where bad rows are told.
    """

    def __init__(self, found: Layout, settings: PosCsvSettings, complaints: Complaints) -> None:
        self.found = found
        self.settings = settings
        self.quantities = cells.Quantities(settings)
        #: Rows of data: good, bad and skipped, without header and trailer records.
        self.rows = 0
        self.complaints = complaints
        self._trailer: list[str] | None = None
        self._last_is_short = False
        self._locations = {fold(name) for name in settings.locations}
        self._locations_seen: set[str] = set()
        self._totals = {_compact(word) for word in settings.total_words}
        self._framed = {name for name in (settings.header_record, settings.trailer_record) if name}

    def read(self, records: Iterable[tuple[int, list[str]]]) -> None:
        """Take in every record."""
        width = self.found.width
        for line, row in records:
            if not any(row) or (self._framed and self._frames(row)):
                continue
            if self._trailer is not None:
                raise Unreadable(f"line {line} stands below the {self.settings.trailer_record} record that ends it")
            self.rows += 1
            self._last_is_short = len(row) < width
            if self._totals and _compact(next(filter(None, row))) in self._totals:
                continue
            try:
                self._take(line, row)
            except cells.BadCell as error:
                self.complaints.reject(line, str(error))
        self.finish()

    @abstractmethod
    def take(self, line: int, row: list[str], sku: str, location: str) -> None:
        """A row of a product.

        Parameters:
            location: Where it is, compared as settings are; empty where rows do not say.

        Raises:
            cells.BadCell: it cannot be read.
        """

    @abstractmethod
    def finish(self) -> None:
        """Leave out what is doubtful, after the last row."""

    def check(self, *, ends_with_newline: bool) -> None:
        """Raise :class:`Unreadable` where the file as a whole cannot be believed."""
        settings = self.settings
        if settings.trailer_record and self._trailer is None:
            raise Unreadable(f"it does not end with a {settings.trailer_record} record, so it was cut; export it again")
        if self._last_is_short and not ends_with_newline and self._trailer is None:
            raise Unreadable("its last line breaks off in the middle, so the file was cut; export it again")
        if settings.trailer_count:
            self._check_count(settings.trailer_count)
        bad, allowed = self.complaints.bad, settings.bad_allowed(self.rows)
        if bad > allowed:
            raise Unreadable(
                f"{bad} of its {self.rows} rows cannot be read, more than the {allowed} that are let pass; "
                "the reasons are listed beside the file",
                self.complaints.reports,
            )

    @property
    def unseen_locations(self) -> set[str]:
        """The locations that are to count and of which no row is."""
        return set() if self.found.location is None else self._locations - self._locations_seen

    def _frames(self, row: list[str]) -> bool:
        """Whether this is the record above or below the rows."""
        first = row[0].strip()
        if first == self.settings.trailer_record:
            self._trailer = row
        return first in self._framed

    def _check_count(self, column: int) -> None:
        stated = (self._trailer or [])[column - 1 : column]
        text = stated[0].strip() if stated else ""
        if not text or text.lstrip("0") != str(self.rows):
            raise Unreadable(
                f"its {self.settings.trailer_record} record counts {cells.shown(text)} rows and it has {self.rows}, "
                "so rows are missing or foreign; export it again"
            )

    def _take(self, line: int, row: list[str]) -> None:
        found = self.found
        if len(row) != found.width and (len(row) < found.width or any(row[found.width :])):
            raise cells.BadCell(
                f"the row has {len(row)} columns and the header {found.width}, so its numbers may belong elsewhere"
            )
        if found.skip and self._no_product(row):
            return
        location = ""
        if found.location is not None:
            location = fold(row[found.location])
            self._locations_seen.add(location)
            if self._locations and location not in self._locations:
                return
        sku = self._sku(row)
        if not sku:
            return
        self.take(line, row, sku, location)

    def _no_product(self, row: list[str]) -> bool:
        for rule in self.found.skip:
            word = fold(row[rule.column])
            if word in rule.words or (rule.any_text and word):
                return True
        return False

    def _sku(self, row: list[str]) -> str:
        for column in self.found.sku:
            sku = cells.sku(row[column])
            if sku:
                return sku
        if self.settings.blank_sku == "report":
            raise cells.BadCell("the row has no SKU")
        return ""

    def units(self, row: list[str]) -> int | None:
        """The sum of the quantity columns; ``None`` where one is blank, or all are if blanks are to be skipped."""
        if len(self.found.quantity) == 1:
            return self.quantities.units(row[self.found.quantity[0]])
        counted = [self.quantities.units(row[column]) for column in self.found.quantity]
        stated = [units for units in counted if units is not None]
        if not stated or (len(stated) < len(counted) and self.settings.blank == "report"):
            return None
        return self.quantities.believed(sum(stated))


def _compact(text: str) -> str:
    return _FILLERS.sub("", text).casefold()
