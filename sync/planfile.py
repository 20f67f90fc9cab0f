"""A plan in a file: one JSON object a line, first what it is, then the rows. Lines of rows may be taken out by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sync.errors import SyncError
from sync.plan import PlanRow

#: The form of the file; another number is another form.
FORM = 1


def write_plan(file: Path, channels: Sequence[str], rows: Iterable[PlanRow], now_ms: int) -> Iterator[PlanRow]:
    """Write a plan as its rows pass through. The file is there, whole, once the last has passed.

    Raises:
        SyncError: it cannot be written.
    """
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
