"""Tables that a merchant keeps beside the settings file, as CSV: rules, aliases, bundles."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sync.errors import SettingsError


class Row(NamedTuple):
    """One row of such a table."""

    #: ``file.csv:17``, for messages.
    where: str
    #: The cells by column, trimmed; those that are blank are left out.
    cells: Mapping[str, str]


def rows(file: Path, *, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The rows of a table, one by one. The first line names the columns, in any order; blank rows are skipped.

    Columns are separated by commas, or by semicolons where the first line has no comma.

    Raises:
        SettingsError: it cannot be read, or a column or a cell of it is missing; the message names the line.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            yield from _rows(file, lines, needed, optional)
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: is not UTF-8; save it as 'CSV UTF-8'") from None


def _rows(file: Path, lines: Iterator[str], needed: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    first = next(lines, "")
    delimiter = ";" if ";" in first and "," not in first else ","
    columns = [cell.strip().casefold() for cell in next(csv.reader([first], delimiter=delimiter), [])]
    known = [*needed, *optional]
    for column in needed:
        if column not in columns:
            raise SettingsError(f"{file}:1: there is no column {column!r}; the columns are: {', '.join(known)}")
    for column in columns:
        if column not in known or columns.count(column) > 1:
            what = "stands there twice" if column in known else f"is none; the columns are: {', '.join(known)}"
            raise SettingsError(f"{file}:1: column {column!r} {what}")
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for cells in reader:
            where = f"{file}:{reader.line_num + 1}"
            row = {column: text for column, cell in zip(columns, cells, strict=False) if (text := cell.strip())}
            if any(cell.strip() for cell in cells[len(columns) :]):
                raise SettingsError(
                    f"{where}: has more cells than columns; put quotes around a cell with a comma in it"
                )
            if not row:
                continue
            for column in needed:
                if column not in row:
                    raise SettingsError(f"{where}: {column} is blank")
            yield Row(where, row)
    except csv.Error as error:
        raise SettingsError(f"{file}:{reader.line_num + 1}: {error}") from None
