"""Finding the header: which line it is, what separates its columns, and where each needed column stands."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TextIO

from channels.pos_csv.cells import shown
from channels.pos_csv.models import Layout, SkipRule, Unreadable
from channels.pos_csv.settings import PosCsvSettings, fold

#: Tried in this order where the settings name none. The one that yields the expected header is right; no counting.
DELIMITERS = (",", ";", "\t", "|")

#: Excel's own first line, which names the delimiter.
_SEP_LINE = re.compile(r"""["']?sep=(.)["']?\s*""", re.IGNORECASE)

#: The most characters of one line. What is longer has lost its line breaks.
LINE_LIMIT = 1 << 20

#: The most columns that a message lists.
_LISTED = 20


def find_in_text(text: TextIO, settings: PosCsvSettings) -> Layout:
    """Search the first lines of a file for its header. Leaves the file somewhere below it.

    Raises:
        Unreadable: no line has the needed columns, or one of them stands there twice.
    """
    head = list(islice(lines(text), settings.header_rows + 1))
    if not any(line.strip() for line in head):
        raise Unreadable("the file has only blank lines; nothing was changed")
    named = _SEP_LINE.fullmatch(head[0])
    delimiters = [settings.delimiter] if settings.delimiter else [named[1]] if named else list(DELIMITERS)
    heads = {delimiter: list(_split(head, delimiter)) for delimiter in delimiters}
    if settings.columns:
        heads = dict([max(heads.items(), key=lambda item: _fitting(item[1], settings))])
    for delimiter, rows in heads.items():
        layout = _search(rows, delimiter, settings)
        if layout is not None:
            return layout
    raise Unreadable(_missing([row for rows in heads.values() for _, row in rows], settings))


def find_in_rows(rows: Sequence[tuple[int, list[str]]], settings: PosCsvSettings) -> Layout:
    """The same for rows that are split already, each with its number from 1.

    Raises:
        Unreadable: no row has the needed columns, or one of them stands there twice.
    """
    layout = _search(rows, "", settings)
    if layout is None:
        raise Unreadable(_missing([row for _, row in rows], settings))
    return layout


def lines(text: TextIO) -> Iterator[str]:
    """The physical lines of a file, so that one without line breaks does not come into memory at once.

    Raises:
        Unreadable: a line is longer than :data:`LINE_LIMIT`.
    """
    while line := text.readline(LINE_LIMIT):
        if len(line) == LINE_LIMIT:
            raise Unreadable(f"it has a line of more than {LINE_LIMIT} characters, so it is no list of stock")
        yield line


def _split(head: Sequence[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the line on which each ends, as far as they can be split."""
    rows = csv.reader(head, delimiter=delimiter)
    try:
        for row in rows:
            yield rows.line_num, row
    except csv.Error:
        return


def _fitting(rows: Iterable[tuple[int, list[str]]], settings: PosCsvSettings) -> int:
    return sum(len(row) == len(settings.columns) for _, row in rows)


def _search(rows: Iterable[tuple[int, list[str]]], delimiter: str, settings: PosCsvSettings) -> Layout | None:
    record: tuple[str, ...] = ()
    for line, row in rows:
        if settings.header_record and row and row[0].strip() == settings.header_record:
            record = tuple(row)
        elif settings.columns:
            continue
        elif layout := _layout(row, line, delimiter, record, settings):
            return layout
    return _layout(settings.columns, 0, delimiter, record, settings) if settings.columns else None


def _layout(
    names: Sequence[str], line: int, delimiter: str, record: tuple[str, ...], settings: PosCsvSettings
) -> Layout | None:
    """The layout that a header gives; ``None`` where a needed column is not in it."""
    folded = [fold(name) for name in names]
    if _absent(folded, settings):
        return None
    return Layout(
        line,
        delimiter,
        len(names),
        tuple(_only(name, folded) for name in settings.sku_column),
        tuple(column for name in settings.quantity_column for column in _quantities(name, names, settings)),
        _only(settings.location_column, folded) if settings.location_column else None,
        _only(settings.time_column, folded) if settings.time_column else None,
        tuple(_only(name, folded) for name in settings.id_column),
        _only(settings.type_column, folded) if settings.type_column else None,
        tuple(
            SkipRule(_only(name, folded), frozenset(map(fold, words)) - {"*"}, "*" in words)
            for name, words in settings.skip_rows.items()
        ),
        record,
    )


def _needed(settings: PosCsvSettings) -> list[str]:
    single = (settings.location_column, settings.time_column, settings.type_column)
    return [
        *settings.id_column,
        *settings.sku_column,
        *settings.quantity_column,
        *(name for name in single if name),
        *settings.skip_rows,
    ]


def _absent(folded: Sequence[str], settings: PosCsvSettings) -> list[str]:
    return [name for name in _needed(settings) if not any(_wildcard(name).fullmatch(column) for column in folded)]


def _wildcard(name: str) -> re.Pattern[str]:
    return re.compile("(.+)".join(re.escape(part) for part in fold(name).split("*")), re.DOTALL)


def _only(name: str, folded: Sequence[str]) -> int:
    """The one column of this name."""
    if folded.count(fold(name)) > 1:
        raise Unreadable(f"the column {shown(name)} stands in the header twice; only one of them can be right")
    return folded.index(fold(name))


def _quantities(name: str, names: Sequence[str], settings: PosCsvSettings) -> list[int]:
    """The columns that a name stands for; where it has a ``*``, those of the locations that count."""
    folded = [fold(column) for column in names]
    if "*" not in name:
        return [_only(name, folded)]
    wanted = {fold(location): location for location in settings.locations}
    found = {}
    for position, column in enumerate(folded):
        match = _wildcard(name).fullmatch(column)
        if match and (not wanted or match[1].strip() in wanted):
            found[match[1].strip()] = _only(column, folded)
            assert found[match[1].strip()] == position
    lacking = [location for key, location in wanted.items() if key not in found]
    if lacking:
        raise Unreadable(f"the header has no column {shown(name.replace('*', lacking[0]))}; correct locations")
    return list(found.values())


def _missing(rows: Sequence[Sequence[str]], settings: PosCsvSettings) -> str:
    """Names the columns that no line has, beside those that the most header-like line has."""
    if settings.columns:
        return f"its rows do not have the {len(settings.columns)} columns that the settings name"
    best = min(rows, key=lambda row: (len(_absent([fold(name) for name in row], settings)), -len(row)))
    needs = " and ".join(f"a column {shown(name)}" for name in _absent([fold(name) for name in best], settings))
    has = ", ".join(shown(name.strip()) for name in best[:_LISTED])
    return f"the header lacks {needs}; it has {has}. Name the till's columns in sku_column and quantity_column"
