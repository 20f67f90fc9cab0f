"""Workbooks (.xlsx, .xls, .ods) as rows of text. Needs the optional package ``python-calamine``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from channels.pos_csv import sheet
from channels.pos_csv.models import Unreadable
from channels.pos_csv.settings import PosCsvSettings


def available() -> bool:
    """Whether workbooks can be read here."""
    return find_spec("python_calamine") is not None


def rows(path: Path, settings: PosCsvSettings) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet with their numbers from 1, cells as they look in a CSV file.

    They are read by :mod:`channels.pos_csv.sheet` in a process of its own, so that none but that one ends over a file.

    Raises:
        Unreadable: it is damaged, locked by a password, far too large, or lacks the sheet.
    """
    if not available():
        raise Unreadable("it is an Excel workbook; export it as CSV, or install inventory-sync[excel]")
    command = [sys.executable, "-I", sheet.__file__, str(path), *([settings.sheet] if settings.sheet else [])]
    with subprocess.Popen(  # noqa: S603 - our own program, and a path that no shell looks at
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="ascii"
    ) as process:
        try:
            for number, line in enumerate(process.stdout or (), 1):
                row = json.loads(line) if line.endswith("\n") else None
                if isinstance(row, str):
                    raise Unreadable(row)
                if row is None:
                    break
                yield number, row
            ended = process.wait()
        finally:
            process.kill()
    if ended != 0:
        raise Unreadable(
            "the workbook cannot be opened: it is damaged, or far too large for what it is; delete what stands far "
            "below or beside the list, or export it as CSV"
        )
