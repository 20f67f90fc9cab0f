"""One sheet of a workbook as lines of JSON: ``python sheet.py PATH [SHEET]``, each row a list of texts.

A program of its own, run by :mod:`channels.pos_csv.workbook`: two cells at the far corners of a sheet are a file of a
kilobyte and a table of half a terabyte, over which the package that reads them ends its process. In place of what
remains a text may come, which says in words for a shopkeeper why there is no more.
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time, timedelta

try:
    import resource
except ImportError:  # pragma: no cover - not a POSIX system, where nothing bounds it
    resource = None  # type: ignore[assignment]

#: The most memory in bytes, and the longest time on a processor in seconds, that a workbook is worth.
MEMORY = 2 << 30
PROCESSOR_S = 300

#: A cell as the package gives it.
Cell = int | float | str | bool | time | date | datetime | timedelta

#: Whole numbers beyond this are no longer exact in a workbook, which keeps every number as a float.
_EXACT = 2**53


def text(cell: Cell) -> str:
    """A cell as text. A number without decimals loses the ``.0`` that a workbook keeps it with."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell)) if abs(cell) < _EXACT else repr(cell)
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    return str(cell)


def say(line: list[str] | str) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(line) + "\n")


def main(path: str, name: str | None = None) -> None:
    """Write all rows of a sheet to standard output."""
    if resource is not None:
        for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, PROCESSOR_S), (resource.RLIMIT_CORE, 0)):
            _, hard = resource.getrlimit(what)
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    import python_calamine  # type: ignore[import-not-found, unused-ignore]  # within the limits

    try:
        with python_calamine.CalamineWorkbook.from_path(path) as book:
            sheet = book.get_sheet_by_name(name) if name else book.get_sheet_by_index(0)
            for row in sheet.to_python(skip_empty_area=False):
                say([text(cell) for cell in row])
    except python_calamine.WorksheetNotFound:
        say(f"it has no sheet {name}; correct sheet")
    except python_calamine.CalamineError as error:
        say(f"the workbook cannot be opened ({error}); save it again without a password")


if __name__ == "__main__":
    main(*sys.argv[1:])
