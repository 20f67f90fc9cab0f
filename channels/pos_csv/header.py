"""Finding the header: which line it is, what separates its columns, and where each needed column stands."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TextIO

from channels.pos_csv.cells import shown
from channels.pos_csv.models import Unreadable
from channels.pos_csv.settings import PosCsvSettings, fold

#: Tried in this order where the settings name none. The one that yields the expected header is right; no counting.
DELIMITERS = (",", ";", "\t", "|")

#: Excel's own first line, which names the delimiter.
_SEP_LINE = re.compile(r"""["']?sep=(.)["']?\s*""", re.IGNORECASE)

#: The most characters of one line. What is longer has lost its line breaks.
LINE_LIMIT = 1 << 20


class Header(NamedTuple):
    """Where the columns stand."""

    #: Physical lines up to and including the header.
    lines: int
    delimiter: str
    #: Number of columns.
    width: int
    sku: tuple[int, ...]
    quantity: tuple[int, ...]


def find(text: TextIO, settings: PosCsvSettings) -> Header:
    """Search the first lines of a file for its header. Leaves the file somewhere below it.

    Raises:
        Unreadable: no line has the needed columns, or one of them stands there twice.
    """
    head = list(islice(lines(text), settings.header_rows + 1))
    if not any(line.strip() for line in head):
        raise Unreadable("the file has only blank lines; nothing was changed")
    named = _SEP_LINE.fullmatch(head[0])
    delimiters = [settings.delimiter] if settings.delimiter else [named[1]] if named else DELIMITERS
    for delimiter in delimiters:
        rows = csv.reader(head, delimiter=delimiter)
        try:
            for row in rows:
                header = _header(row, rows.line_num, delimiter, settings)
                if header is not None:
                    return header
        except csv.Error:
            continue
    raise Unreadable(_missing(head, delimiters, settings))


def lines(text: TextIO) -> Iterator[str]:
    """The physical lines of a file, so that one without line breaks does not come into memory at once.

    Raises:
        Unreadable: a line is longer than :data:`LINE_LIMIT`.
    """
    while line := text.readline(LINE_LIMIT):
        if len(line) == LINE_LIMIT:
            raise Unreadable(f"it has a line of more than {LINE_LIMIT} characters, so it is no list of stock")
        yield line


def _header(row: Sequence[str], line: int, delimiter: str, settings: PosCsvSettings) -> Header | None:
    names = [fold(name) for name in row]
    needed = (*settings.sku_column, *settings.quantity_column)
    if not all(fold(name) in names for name in needed):
        return None
    for name in needed:
        if names.count(fold(name)) > 1:
            raise Unreadable(f"the column {shown(name)} stands in the header twice; only one of them can be right")
    return Header(
        line,
        delimiter,
        len(row),
        tuple(names.index(fold(name)) for name in settings.sku_column),
        tuple(names.index(fold(name)) for name in settings.quantity_column),
    )


def _missing(head: Sequence[str], delimiters: Sequence[str], settings: PosCsvSettings) -> str:
    """Names the columns that no line has, beside those that the most header-like line has."""
    best: list[str] = []
    for delimiter in delimiters:
        for row in _tolerant(head, delimiter):
            if len(row) > len(best):
                best = row
    there = {fold(name) for name in best}
    absent = [name for name in (*settings.sku_column, *settings.quantity_column) if fold(name) not in there]
    columns = ", ".join(shown(name.strip()) for name in best[:20])
    needs = " and ".join(f"a column {shown(name)}" for name in absent)
    return f"the header lacks {needs}; it has {columns}. Name the till's columns in sku_column and quantity_column"


def _tolerant(head: Sequence[str], delimiter: str) -> Iterable[list[str]]:
    try:
        yield from csv.reader(head, delimiter=delimiter)
    except csv.Error:
        return
