"""Reading one file whole: strict, streaming, and all or nothing.

The invariant: a sheet, or a journal's lines, come out only when every byte of the file was decoded, every record
parsed and every row either understood or reported. So nothing of a cut, mixed-up or foreign file can be applied.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO, TypeVar

from channels.pos_csv import layout, times, workbook
from channels.pos_csv.body import Body
from channels.pos_csv.counts import Counts
from channels.pos_csv.entries import Entries
from channels.pos_csv.models import Layout, Lines, Sheet, Unreadable
from channels.pos_csv.scan import WORKBOOK, Scan, scan, stamp
from channels.pos_csv.settings import PosCsvSettings
from channels.pos_csv.spool import Spool

#: The most lines that one record may span; a longer one is a quotation mark that was never closed.
RECORD_LINES = 200

_B = TypeVar("_B", bound=Body)


class StillGrowing(Exception):
    """The file changed while it was read; it is no one's fault and it is read again later."""


def read_sheet(path: Path, name: str, settings: PosCsvSettings) -> Sheet:
    """Read and check a whole snapshot.

    Parameters:
        path: Where it lies.
        name: How people know it.

    Raises:
        Unreadable: nothing of it may be applied.
        StillGrowing: it changed meanwhile.
        OSError: it cannot be read.
    """
    seen, body = _read(path, name, settings, Counts)
    tally = body.tally
    stated = _stated(body.found, body.oldest, settings)
    return Sheet(name, seen.sha256, tally.table, tally.reports, body.rows, seen.encoding, body.found, stated)


def read_lines(path: Path, name: str, settings: PosCsvSettings, spool: Spool) -> Lines:
    """Read and check a whole file of a journal; its lines are then in the spool. Raises as :func:`read_sheet` does."""
    seen, body = _read(path, name, settings, partial(Entries, spool=spool))
    return Lines(
        name,
        seen.sha256,
        len(spool),
        body.complaints.reports,
        body.complaints.bad,
        body.rows,
        seen.encoding,
        body.found,
    )


def _read(
    path: Path, name: str, settings: PosCsvSettings, kind: Callable[[Layout, PosCsvSettings], _B]
) -> tuple[Scan, _B]:
    seen = scan(path, settings)
    with _records(path, seen, settings) as (found, records):
        body = kind(found, settings)
        body.read(records)
    if stamp(path) != seen.stamp:
        raise StillGrowing(name)
    body.check(ends_with_newline=seen.ends_with_newline)
    return seen, body


def peek_time(path: Path, settings: PosCsvSettings) -> datetime | None:
    """The moment of the count by the first rows of a file, to put files in order; ``None`` where they do not say."""
    try:
        with _records(path, scan(path, settings), settings) as (found, records):
            body = Counts(found, settings)
            body.read(islice(records, 1))
        return _stated(found, body.oldest, settings)
    except (Unreadable, OSError):
        return None


def _stated(found: Layout, oldest: datetime | None, settings: PosCsvSettings) -> datetime | None:
    """The moment of the count that the file's content states, where it is to state one."""
    if settings.time_from == "header":
        position = (settings.header_time or 0) - 1
        if len(found.header_record) <= position:
            raise Unreadable(f"it has no {settings.header_record} record that states when it was counted")
        return times.parse(found.header_record[position], settings)
    if settings.time_from == "column" and oldest is None:
        raise Unreadable(f"no row states in {settings.time_column} when it was counted")
    return oldest


@contextmanager
def _records(
    path: Path, seen: Scan, settings: PosCsvSettings
) -> Iterator[tuple[Layout, Iterator[tuple[int, list[str]]]]]:
    """A file's layout, and its records below the header with the line on which each begins."""
    if seen.encoding == WORKBOOK:
        rows = workbook.rows(path, settings)
        head = list(islice(rows, settings.header_rows))
        found = layout.find_in_rows(head, settings)
        yield found, (row for part in (head, rows) for row in part if row[0] > found.lines)
        return
    with path.open(encoding=seen.encoding, newline="") as text:
        try:
            found = layout.find_in_text(text, settings)
            text.seek(0)
            yield found, _parsed(text, found)
        except UnicodeError as error:
            raise Unreadable(
                f"its letters are not in {seen.encoding}; correct encoding for this till, or export as UTF-8"
            ) from error


def _parsed(text: TextIO, found: Layout) -> Iterator[tuple[int, list[str]]]:
    below: Iterable[str] = islice(layout.lines(text), found.lines, None)
    rows = csv.reader(below, delimiter=found.delimiter, strict=True)
    begins = found.lines + 1
    try:
        for row in rows:
            ends = found.lines + rows.line_num
            if ends - begins >= RECORD_LINES:
                raise Unreadable(f"a quotation mark is opened in line {begins} and not closed there")
            yield begins, row
            begins = ends + 1
    except csv.Error as error:
        raise Unreadable(_csv_words(begins, error)) from error


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
