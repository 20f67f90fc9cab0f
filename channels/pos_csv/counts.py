"""The rows of a snapshot: what was counted of each SKU."""

from __future__ import annotations

from datetime import datetime

from channels.pos_csv import cells, times
from channels.pos_csv.body import Body
from channels.pos_csv.models import Layout, Unreadable
from channels.pos_csv.settings import PosCsvSettings
from channels.pos_csv.tally import Tally


class Counts(Body):
    """The rows of one snapshot as they are being read."""

    def __init__(self, found: Layout, settings: PosCsvSettings) -> None:
        tally = Tally(cells.Quantities(settings))
        super().__init__(found, settings, tally)
        self.tally = tally
        #: The oldest time that a row states.
        self.oldest: datetime | None = None

    def take(self, line: int, row: list[str], sku: str, location: str) -> None:
        """See :meth:`Body.take`."""
        try:
            units = self.units(row)
            if self.found.time is not None:
                self._time(row[self.found.time])
        except cells.BadCell as error:
            self.tally.refuse(line, sku, str(error))
            return
        if units is None:
            self._uncounted(line, sku)
        elif self.found.location is None:
            self.tally.add(line, sku, units)
        else:
            self.tally.add_at(line, sku, units, location)

    def finish(self) -> None:
        """See :meth:`Body.finish`."""
        self.tally.finish()

    def check(self, *, ends_with_newline: bool) -> None:
        """See :meth:`Body.check`. What gives no level at all is no snapshot."""
        super().check(ends_with_newline=ends_with_newline)
        if self.rows == 0:
            raise Unreadable("it has a header but no rows; an empty list is not taken for an empty shop")
        if self.unseen_locations:
            raise Unreadable(f"no row is of the location {cells.shown(min(self.unseen_locations))}; correct locations")
        if not self.tally.table:
            raise Unreadable("not one of its rows gives a level", self.tally.reports)

    def _uncounted(self, line: int, sku: str) -> None:
        if self.settings.blank == "skip":
            return
        self.tally.note(line, f"the quantity of {sku} is blank; blank is not zero, so its stock stays as it was")
        if self.found.location is not None:
            self.tally.doubt(line, sku)

    def _time(self, text: str) -> None:
        if not text.strip():
            return
        try:
            at = times.parse(text, self.settings)
        except Unreadable as error:
            raise cells.BadCell(error.reason) from None
        self.oldest = at if self.oldest is None else min(self.oldest, at)
