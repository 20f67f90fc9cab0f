"""What a till's journal adds up to: a level for each SKU, and every line that was ever counted.

The invariant: a SKU's level here is the sum of the lines remembered here, each id once. A file is counted into it in
one transaction, whole or not at all, before any of it is given out; what is given out are levels, so giving them out
again after a crash changes nothing. The memory lies in ``.state/journal.db`` (SQLite), on disk and not in memory.

Only whoever holds the folder's lock uses it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from channels.contract import MAX_UNITS, Level
from channels.pos_csv import cells, database, models
from channels.pos_csv.complaints import Complaints
from channels.pos_csv.models import Unreadable
from channels.pos_csv.pages import PAGE_ROWS
from channels.pos_csv.spool import Spool

#: ``level``: what the lines of a SKU add up to, and whether the worker knows the SKU at all (``opened``).
#: ``line``: what was counted. ``fact``: lines older than ``forgotten`` (unix seconds) are no longer remembered.
#: Of the file in the spool: ``known``: which of its lines were counted before, and whether they are the same, with both
#: (``before``); ``change``: what the others add.
_TABLES = """
PRAGMA synchronous = EXTRA;
PRAGMA cache_size = -16384;
CREATE TABLE IF NOT EXISTS level(key TEXT PRIMARY KEY, sku TEXT NOT NULL, units INTEGER NOT NULL,
                                 opened INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS unopened ON level(key) WHERE opened = 0;
CREATE TABLE IF NOT EXISTS line(id TEXT PRIMARY KEY, key TEXT NOT NULL, units INTEGER NOT NULL,
                                at INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dated ON line(at) WHERE at IS NOT NULL;
CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE known(line INTEGER PRIMARY KEY, same INTEGER NOT NULL);
CREATE TEMP TABLE change(key TEXT PRIMARY KEY, sku TEXT NOT NULL, units INTEGER NOT NULL,
                         line INTEGER NOT NULL) WITHOUT ROWID;
"""

#: To be made once the spool is there.
_VIEW = """
CREATE TEMP VIEW before AS SELECT draft.id, draft.line, same, line.at AS at_before, draft.at, line.key AS key_before,
                                  line.units AS units_before, draft.sku, draft.units
                           FROM known CROSS JOIN draft ON draft.line = known.line CROSS JOIN main.line USING (id)
"""


@dataclass(slots=True)
class Counted:
    """What became of the lines of one file."""

    #: Lines that were counted now, and lines that had been counted before.
    new: int = 0
    repeated: int = 0
    #: Lines that were not counted, of which people should know.
    complaints: Complaints = field(default_factory=Complaints)


class Journal:
    """The memory of one till's journal, while it is open.

    Parameters:
        db: A connection to it.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        #: The lines of the one file that may be read now.
        self.spool = Spool(db)
        db.execute(_VIEW)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, state: Path) -> Iterator[Journal]:
        """The journal that lies in the folder of what must survive.

        Raises:
            OSError: it cannot be read or written.
        """
        state.mkdir(parents=True, exist_ok=True)
        with database.opened(_file(state), "the memory of the journal") as db:
            db.executescript(_TABLES)
            yield cls(db)

    @classmethod
    def exists(cls, state: Path) -> bool:
        """Whether anything was ever counted there."""
        if not _file(state).exists():
            return False
        with cls.opened(state) as journal:
            return journal._db.execute("SELECT 1 FROM level LIMIT 1").fetchone() is not None

    def count(self, *, bad_allowed: int, remember: timedelta | None, now: datetime) -> Counted:
        """Count those lines of the spool that were not counted before; all of them or, where it raises, none.

        To be called once.

        Parameters:
            bad_allowed: So many lines may contradict what was counted under their ids.
            remember: For how long the id of a line is kept; ``None``: for ever.

        Raises:
            Unreadable: the file as a whole cannot be believed.
            OSError: the memory cannot be read or written.
        """
        counted = Counted()
        with database.transaction(self._db):
            self._leave_out_known(counted)
            self._leave_out_old(counted)
            if counted.complaints.bad > bad_allowed:
                raise Unreadable(
                    f"{counted.complaints.bad} of its lines have ids under which other lines were counted before, so "
                    "the till uses its ids again; name more columns in id_column, such as the date",
                    counted.complaints.reports,
                )
            self._add_up(counted)
            if remember is not None:
                self._forget(int((now - remember).timestamp()))
        return counted

    def unopened(self) -> Iterator[list[Level]]:
        """The SKUs that the worker was never shown, at zero: so their listings open there, and what follows moves them.

        They count as shown when the page after the last is asked for.
        """
        found = False
        for page in self._pages("SELECT key, sku, 0 FROM main.level WHERE opened = 0 AND key > ? ORDER BY key LIMIT ?"):
            found = True
            yield page
        if found:
            self._db.execute("UPDATE main.level SET opened = 1 WHERE opened = 0")

    def changed(self) -> Iterator[list[Level]]:
        """The levels that were changed by what was counted, page by page."""
        return self._pages(
            "SELECT key, level.sku, level.units FROM temp.change CROSS JOIN main.level USING (key) "
            "WHERE key > ? ORDER BY key LIMIT ?"
        )

    def all(self) -> Iterator[list[Level]]:
        """Every level, page by page."""
        return self._pages("SELECT key, sku, units FROM main.level WHERE key > ? ORDER BY key LIMIT ?")

    def _pages(self, question: str) -> Iterator[list[Level]]:
        """Levels in the order of their keys; between two pages nothing is being read."""
        after = ""
        while rows := self._db.execute(question, (after, PAGE_ROWS)).fetchall():
            yield [Level(sku, models.ref_of_key(key), units) for key, sku, units in rows]
            after = rows[-1][0]

    def _leave_out_known(self, counted: Counted) -> None:
        """Take lines out of the spool that were counted in an earlier file, and say which contradict it."""
        db = self._db
        found = db.execute(
            "INSERT INTO temp.known SELECT draft.line, draft.key = line.key AND draft.units = line.units "
            "FROM temp.draft CROSS JOIN main.line ON line.id = draft.id"
        ).rowcount
        if not found:
            return
        for number, *lines in db.execute(
            "SELECT line, key_before, units_before, sku, units FROM temp.before WHERE NOT same ORDER BY line"
        ):
            counted.complaints.reject(number, _contradiction(*lines))
        counted.repeated = found - counted.complaints.bad
        db.execute(
            "UPDATE main.line SET at = (SELECT draft.at FROM temp.draft WHERE draft.id = main.line.id) "
            "WHERE id IN (SELECT id FROM temp.before WHERE same AND at_before < at)"
        )
        db.execute("DELETE FROM temp.draft WHERE line IN (SELECT line FROM temp.known)")

    def _leave_out_old(self, counted: Counted) -> None:
        """Take lines out of the spool of which nobody can tell whether they were counted."""
        count, first = self._db.execute(
            "SELECT count(*), min(line) FROM temp.draft "
            "WHERE at < (SELECT value FROM main.fact WHERE name = 'forgotten')"
        ).fetchone()
        if count:
            counted.complaints.note(
                first,
                f"{count} lines, this one the first, are older than remember_days, so nobody can tell whether "
                "they were counted before; they are not counted",
            )
            self._db.execute("DELETE FROM temp.draft WHERE at < (SELECT value FROM main.fact WHERE name = 'forgotten')")

    def _add_up(self, counted: Counted) -> None:
        """Count what is left in the spool."""
        db = self._db
        counted.new = db.execute(
            "INSERT INTO main.line(id, key, units, at) SELECT id, key, units, at FROM temp.draft ORDER BY id"
        ).rowcount
        # of columns beside min() SQLite takes the row that has it: the first spelling of the SKU
        db.execute("INSERT INTO temp.change SELECT key, sku, sum(units), min(line) FROM temp.draft GROUP BY key")
        db.execute(
            "INSERT INTO main.level(key, sku, units) SELECT key, sku, units FROM temp.change WHERE true ORDER BY key "
            "ON CONFLICT(key) DO UPDATE SET units = units + excluded.units"
        )
        too_large = "SELECT 1 FROM temp.change CROSS JOIN main.level USING (key) WHERE abs(level.units) > ? LIMIT 1"
        if db.execute(too_large, (MAX_UNITS,)).fetchone():
            raise Unreadable(f"with it a level would be larger than {MAX_UNITS}, so its quantities are surely wrong")

    def _forget(self, before: int) -> None:
        self._db.execute(
            "INSERT INTO main.fact VALUES('forgotten', ?) "
            "ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)",
            (before,),
        )
        self._db.execute("DELETE FROM main.line WHERE at < (SELECT value FROM main.fact WHERE name = 'forgotten')")


def _file(state: Path) -> Path:
    return state / "journal.db"


def _contradiction(key_before: str, units_before: int, sku: str, units: int) -> str:
    return (
        f"its id stands for {units_before:+d} of {cells.shown(key_before)} already, which was counted, and now for "
        f"{units:+d} of {cells.shown(sku)}; this line is not counted"
    )
