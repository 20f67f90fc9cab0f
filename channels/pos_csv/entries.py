"""The rows of a journal: what each line adds to the stock, or takes from it."""

from __future__ import annotations

from functools import lru_cache
from typing import NoReturn

from channels.pos_csv import cells, times
from channels.pos_csv.body import Body
from channels.pos_csv.complaints import Complaints
from channels.pos_csv.models import Layout, Line, Unreadable, key
from channels.pos_csv.settings import Movement, PosCsvSettings, fold
from channels.pos_csv.spool import ID_JOIN, Spool

#: The longest id that is believed to be one.
ID_LIMIT = 255

#: How many times of lines are remembered as they were last understood.
_TIMES = 1_000


class Entries(Body):
    """The rows of one file of a journal as they are being read. Cancellations are lines of their own.

    Parameters:
        spool: Where the lines go.
    """

    def __init__(self, found: Layout, settings: PosCsvSettings, spool: Spool) -> None:
        super().__init__(found, settings, Complaints())
        self._spool = spool
        self._movements: dict[str, Movement] = {fold(word): means for word, means in settings.movements.items()}
        #: In unix seconds. The lines of a receipt have one time, and those of a day one date.
        self._seconds = lru_cache(_TIMES)(lambda text: int(times.parse(text, settings).timestamp()))
        self._from = settings.lines_from.timestamp() if settings.lines_from else None

    def take(self, line: int, row: list[str], sku: str, location: str) -> None:
        """See :meth:`Body.take`."""
        means = self._means(row)
        if means == "skip":
            return
        at = self._at(row)
        if self._from is not None and at is not None and at < self._from:
            return
        identity = self._id(row)
        units = self.units(row)
        if units is None:
            if self.settings.blank == "report":
                self.complaints.note(line, f"the quantity of {sku} is blank, so this line is not counted")
            return
        self._spool.add(Line(identity, key(sku), sku, _change(units, means), at, line))

    def finish(self) -> None:
        """See :meth:`Body.finish`."""
        self._spool.finish(self.complaints)
        self.complaints.reports.sort()

    def check(self, *, ends_with_newline: bool) -> None:
        """See :meth:`Body.check`. A journal without lines is a quiet hour."""
        super().check(ends_with_newline=ends_with_newline)
        if self.complaints.bad and not len(self._spool):
            raise Unreadable("not one of its rows can be counted", self.complaints.reports)

    def _means(self, row: list[str]) -> Movement:
        if self.found.movement is None:
            assert self.settings.movement is not None
            return self.settings.movement
        word = row[self.found.movement]
        means = self._movements.get(fold(word))
        if means is None:
            raise cells.BadCell(f"{cells.shown(word)} is no kind of movement that is known; name it in movements")
        return means

    def _id(self, row: list[str]) -> str:
        identity = ID_JOIN.join([cells.text(row[column]) or self._no_id() for column in self.found.line_id])
        if len(identity) > ID_LIMIT:
            raise cells.BadCell(f"the id {cells.shown(identity)} is longer than {ID_LIMIT} characters")
        return identity

    def _no_id(self) -> NoReturn:
        raise cells.BadCell("the line has no id, so nobody could tell whether it was counted before")

    def _at(self, row: list[str]) -> int | None:
        if self.found.time is None:
            return None
        try:
            return self._seconds(row[self.found.time])
        except Unreadable as error:
            raise cells.BadCell(error.reason) from None


def _change(units: int, means: Movement) -> int:
    """What a quantity adds to the stock."""
    if units < 0 and means in ("out", "in"):
        raise cells.BadCell(
            f"the quantity {units} is below zero, and it is not clear which way that goes; "
            "name this kind of movement sold or change in movements"
        )
    return -units if means in ("out", "sold") else units
