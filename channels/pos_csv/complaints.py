"""What people should know about the rows of one file, gathered while it is read."""

from __future__ import annotations

from channels.pos_csv.models import RowReport

#: Reports of single rows that are kept; further ones are only counted.
KEPT_REPORTS = 10_000


class Complaints:
    """The rows of one file that could not be read, or are understood but doubtful."""

    def __init__(self) -> None:
        #: What people should know, in the order of the file once it was read to its end.
        self.reports: list[RowReport] = []
        #: Rows that could not be read.
        self.bad = 0

    def reject(self, line: int, reason: str) -> None:
        """A row that cannot be read, of whatever SKU."""
        self.bad += 1
        self.note(line, reason)

    def note(self, line: int, reason: str) -> None:
        """A row that is understood but of which people should know."""
        if len(self.reports) < KEPT_REPORTS:
            self.reports.append(RowReport(line, reason))
