"""Workbooks (.xlsx, .xls, .ods) as rows of text. Needs the optional package ``python-calamine``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

from channels.pos_csv.models import Unreadable
from channels.pos_csv.settings import PosCsvSettings

try:
    import python_calamine  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    python_calamine = None  # type: ignore[assignment, unused-ignore]

#: A cell as the package gives it.
Cell = int | float | str | bool | time | date | datetime | timedelta

#: Whole numbers beyond this are no longer exact in a workbook, which keeps every number as a float.
_EXACT = 2**53


def available() -> bool:
    """Whether workbooks can be read here."""
    return python_calamine is not None


def rows(path: Path, settings: PosCsvSettings) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet with their numbers from 1, cells as they look in a CSV file.

    Raises:
        Unreadable: it is damaged, locked by a password, or lacks the sheet.
    """
    if python_calamine is None:
        raise Unreadable("it is an Excel workbook; export it as CSV, or install inventory-sync[excel]")
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            sheet = book.get_sheet_by_name(settings.sheet) if settings.sheet else book.get_sheet_by_index(0)
            cells: list[list[Cell]] = sheet.to_python(skip_empty_area=False)
    except python_calamine.WorksheetNotFound as error:
        raise Unreadable(f"it has no sheet {settings.sheet}; correct sheet") from error
    except python_calamine.CalamineError as error:
        raise Unreadable(f"the workbook cannot be opened ({error}); save it again without a password") from error
    for number, row in enumerate(cells, 1):
        yield number, [text(cell) for cell in row]


def text(cell: Cell) -> str:
    """A cell as text. A number without decimals loses the ``.0`` that a workbook keeps it with."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell)) if abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell)
