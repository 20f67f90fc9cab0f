"""What a till's journal adds up to: a level for each SKU, and every line that was ever counted.

The invariant: a SKU's level here is the sum of the lines remembered here, each id once. A file is counted into it in
one transaction, whole or not at all, before any of it is given out; what is given out are levels, so giving them out
again after a crash changes nothing. The memory lies in ``.state/journal.db`` (SQLite), on disk and not in memory.

Only whoever holds the folder's lock uses it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from channels.contract import MAX_UNITS, Level
from channels.pos_csv import cells, models
from channels.pos_csv.complaints import Complaints
from channels.pos_csv.models import Line, Unreadable
from channels.pos_csv.pages import PAGE_ROWS, batched

#: ``level``: what the lines of a SKU add up to, and whether the worker knows the SKU at all (``opened``).
#: ``line``: what was counted. ``fact``: lines older than ``forgotten`` (unix seconds) are no longer remembered.
_TABLES = """
CREATE TABLE IF NOT EXISTS level(key TEXT PRIMARY KEY, sku TEXT NOT NULL, units INTEGER NOT NULL,
                                 opened INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unopened ON level(key) WHERE opened = 0;
CREATE TABLE IF NOT EXISTS line(id TEXT PRIMARY KEY, key TEXT NOT NULL, units INTEGER NOT NULL,
                                at INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dated ON line(at) WHERE at IS NOT NULL;
CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Counted:
    """What became of the lines of one file."""

    #: The compared SKUs whose level changed, in the order of the file.
    keys: list[str] = field(default_factory=list)
    #: Lines that were counted now, and lines that had been counted before.
    new: int = 0
    repeated: int = 0
    #: Lines that were not counted, of which people should know.
    complaints: Complaints = field(default_factory=Complaints)


class Journal:
    """The memory of one till's journal.

    Parameters:
        state: The folder of what must survive.
    """

    def __init__(self, state: Path) -> None:
        self.path = state / "journal.db"

    @property
    def exists(self) -> bool:
        """Whether anything was ever counted."""
        if not self.path.exists():
            return False
        with self._open() as db:
            return db.execute("SELECT 1 FROM level LIMIT 1").fetchone() is not None

    def count(self, lines: Sequence[Line], *, bad_allowed: int, remember: timedelta | None, now: datetime) -> Counted:
        """Count those lines that were not counted before; all of them or, where it raises, none.

        Parameters:
            bad_allowed: So many lines may contradict what was counted under their ids.
            remember: For how long the id of a line is kept; ``None``: for ever.

        Raises:
            Unreadable: the file as a whole cannot be believed.
            OSError: the memory cannot be read or written.
        """
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            counted = self._count(db, lines)
            if counted.complaints.bad > bad_allowed:
                raise Unreadable(
                    f"{counted.complaints.bad} of its lines have ids under which other lines were counted before, so "
                    "the till uses its ids again; name more columns in id_column, such as the date",
                    counted.complaints.reports,
                )
            if remember is not None:
                self._forget(db, int((now - remember).timestamp()))
            db.execute("COMMIT")
        return counted

    def unopened(self) -> Iterator[list[Level]]:
        """The SKUs that the worker was never shown, at zero: so their listings open there, and what follows moves them.

        A page counts as shown when the next one is asked for.
        """
        while True:
            with self._open() as db:
                rows = db.execute("SELECT key, sku FROM level WHERE opened = 0 LIMIT ?", (PAGE_ROWS,)).fetchall()
            if not rows:
                return
            yield [Level(sku, models.ref(sku), 0) for _, sku in rows]
            with self._open() as db:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("UPDATE level SET opened = 1 WHERE key = ?", [(key,) for key, _ in rows])
                db.execute("COMMIT")

    def levels(self, keys: Iterable[str]) -> Iterator[list[Level]]:
        """The levels of these SKUs, page by page."""
        for page in batched(keys):
            with self._open() as db:
                rows = [db.execute("SELECT sku, units FROM level WHERE key = ?", (key,)).fetchone() for key in page]
            yield [Level(sku, models.ref(sku), units) for sku, units in rows]

    def all(self) -> Iterator[list[Level]]:
        """Every level, page by page."""
        after = ""
        while True:
            with self._open() as db:
                rows = db.execute(
                    "SELECT key, sku, units FROM level WHERE key > ? ORDER BY key LIMIT ?", (after, PAGE_ROWS)
                ).fetchall()
            if not rows:
                return
            yield [Level(sku, models.ref(sku), units) for _, sku, units in rows]
            after = rows[-1][0]

    def _count(self, db: sqlite3.Connection, lines: Sequence[Line]) -> Counted:
        counted = Counted()
        changes: dict[str, int] = {}
        skus: dict[str, str] = {}
        forgotten = db.execute("SELECT value FROM fact WHERE name = 'forgotten'").fetchone()
        too_old: list[int] = []
        for line in lines:
            key = models.key(line.sku)
            before = db.execute("SELECT key, units FROM line WHERE id = ?", (line.id,)).fetchone()
            if before is not None:
                if before == (key, line.units):
                    counted.repeated += 1
                    db.execute("UPDATE line SET at = max(at, ?) WHERE id = ? AND at < ?", (line.at, line.id, line.at))
                else:
                    counted.complaints.reject(line.line, _contradiction(line, *before))
            elif forgotten and line.at is not None and line.at < forgotten[0]:
                too_old.append(line.line)
            else:
                db.execute(
                    "INSERT INTO line(id, key, units, at) VALUES(?, ?, ?, ?)", (line.id, key, line.units, line.at)
                )
                counted.new += 1
                changes[key] = changes.get(key, 0) + line.units
                skus.setdefault(key, line.sku)
        if too_old:
            counted.complaints.note(
                too_old[0],
                f"{len(too_old)} lines, this one the first, are older than remember_days, so nobody can tell whether "
                "they were counted before; they are not counted",
            )
        db.executemany(
            "INSERT INTO level(key, sku, units) VALUES(?, ?, ?) "
            "ON CONFLICT(key) DO UPDATE SET units = units + excluded.units",
            [(key, skus[key], change) for key, change in changes.items()],
        )
        if db.execute("SELECT 1 FROM level WHERE abs(units) > ? LIMIT 1", (MAX_UNITS,)).fetchone():
            raise Unreadable(f"with it a level would be larger than {MAX_UNITS}, so its quantities are surely wrong")
        counted.keys = list(changes)
        return counted

    def _forget(self, db: sqlite3.Connection, before: int) -> None:
        db.execute(
            "INSERT INTO fact VALUES('forgotten', ?) "
            "ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)",
            (before,),
        )
        db.execute("DELETE FROM line WHERE at < (SELECT value FROM fact WHERE name = 'forgotten')")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose open transaction, if any, is given up when the block ends."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as db:
                db.execute("PRAGMA synchronous = EXTRA")
                db.executescript(_TABLES)
                yield db
        except sqlite3.DatabaseError as error:
            raise OSError(
                errno.EIO, f"the memory of the journal cannot be used ({error})", os.fspath(self.path)
            ) from error


def _contradiction(line: Line, key: str, units: int) -> str:
    return (
        f"its id stands for {units:+d} of {cells.shown(key)} already, which was counted, and now for "
        f"{line.units:+d} of {cells.shown(line.sku)}; this line is not counted"
    )
