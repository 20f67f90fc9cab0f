"""What is written beside a file that was set aside, or had bad rows: for people, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from channels.pos_csv.models import RowReport

#: With one of these at its beginning a cell is a formula to a spreadsheet (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_reason(file: Path, name: str, reason: str, at: datetime) -> None:
    """Write ``<file>.reason.json``."""
    told = {"file": name, "reason": reason, "set_aside_at": at.isoformat()}
    beside = file.with_name(f"{file.name}.reason.json")
    beside.write_text(json.dumps(told, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def write_rows(file: Path, reports: Sequence[RowReport]) -> None:
    """Write ``<file>.errors.csv``: one line for each row that people should know about."""
    beside = file.with_name(f"{file.name}.errors.csv")
    # The byte order mark makes Excel read it as what it is.
    with beside.open("w", encoding="utf-8-sig", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("line", "reason"))
        rows.writerows((report.line, harmless(report.reason)) for report in reports)


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell
