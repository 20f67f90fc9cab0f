"""A plan in a file: one JSON object a line, first what it is, then the rows. Lines of rows may be taken out by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from sync.errors import SyncError
from sync.views.plan import PlanRow

#: The form of the file; another number is another form.
FORM = 1

_ROW = TypeAdapter(PlanRow)


def write_plan(file: Path, channels: Sequence[str], rows: Iterable[PlanRow], now_ms: int) -> Iterator[PlanRow]:
    """Write a plan as its rows pass through. The file is there, whole, once the last has passed.

    Raises:
        SyncError: it cannot be written.
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise SyncError(f"{file}: is a link or a device, which a plan would replace; name a file")
    partial = file.with_name(f".{file.name}.part")
    made_at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    try:
        with partial.open("w", encoding="utf-8") as out:
            out.write(json.dumps({"plan": FORM, "made_at": made_at, "channels": list(channels)}) + "\n")
            for row in rows:
                out.write(json.dumps(row._asdict(), ensure_ascii=False) + "\n")
                yield row
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError as error:
        raise SyncError(f"{file}: the plan cannot be written there: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def read_plan(file: Path) -> Iterator[PlanRow]:
    """The rows of a plan, as they are read.

    Raises:
        SyncError: it is no plan, or a line of it is damaged.
    """
    try:
        with file.open(encoding="utf-8") as lines:
            _check_header(file, lines.readline())
            for number, line in enumerate(lines, 2):
                if line.strip():
                    yield _row(file, number, line)
    except OSError as error:
        raise SyncError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise SyncError(f"{file}: is no plan; make one: celery -A sync plan --out FILE") from error


def _check_header(file: Path, line: str) -> None:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("plan") != FORM:
        raise SyncError(f"{file}: is no plan; make one: celery -A sync plan --out FILE")


def _row(file: Path, number: int, line: str) -> PlanRow:
    try:
        return _ROW.validate_python(PlanRow(**json.loads(line)), strict=True)
    except (ValueError, TypeError, ValidationError) as error:
        raise SyncError(f"{file}: line {number} is damaged; make the plan anew") from error
