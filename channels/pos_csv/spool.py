"""The lines of one file of a journal, on the disk until they are counted: a long file takes no more memory.

They lie in temporary tables of an SQLite connection, in files that no name leads to: whatever dies, nothing is left of
them. On the connection of a journal (:mod:`channels.pos_csv.journal`) they are counted without being read again.
"""

from __future__ import annotations

import sqlite3

from channels.pos_csv import cells
from channels.pos_csv.complaints import Complaints
from channels.pos_csv.database import transaction
from channels.pos_csv.models import Line

#: Stands between the parts of an id that is made of several columns; no cell has it.
ID_JOIN = "\x1f"

#: How many lines are written at once.
_TOGETHER = 2_000

#: ``draft``: the lines. ``twin``: ids that several lines have, and the first of these; ``clash``: those of them under
#: which the lines differ. ``again``: lines with an id that an earlier one has.
_TABLES = """
CREATE TEMP TABLE draft(line INTEGER PRIMARY KEY, id TEXT NOT NULL, key TEXT NOT NULL, sku TEXT NOT NULL,
                        units INTEGER NOT NULL, at INTEGER);
CREATE TEMP TABLE twin(id TEXT PRIMARY KEY, line INTEGER NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE clash(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP VIEW again AS SELECT draft.line, twin.line AS first FROM twin CROSS JOIN draft USING (id)
                          WHERE draft.line > twin.line;
"""


class Spool:
    """The lines of one file.

    Parameters:
        db: A connection without an open transaction, which has no spool yet.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._waiting: list[Line] = []
        db.executescript(_TABLES)

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM temp.draft").fetchone()[0])

    def add(self, line: Line) -> None:
        """One more line, below those before it."""
        self._waiting.append(line)
        if len(self._waiting) == _TOGETHER:
            self._write()

    def finish(self, complaints: Complaints) -> None:
        """Keep each id once. To be called once, after the last line.

        A line that stands in the file twice is kept once; of two that differ under one id none is, because either
        could be the wrong one.
        """
        self._write()
        with transaction(self._db):
            self._db.execute("CREATE INDEX temp.by_id ON draft(id)")
            twins = self._db.execute(
                "INSERT INTO temp.twin SELECT id, min(line) FROM temp.draft GROUP BY id HAVING count(*) > 1"
            ).rowcount
            if twins:
                self._part(complaints)

    def first(self, count: int) -> list[tuple[str, int]]:
        """The SKUs of the first lines, and what each adds."""
        return self._db.execute("SELECT sku, units FROM temp.draft ORDER BY line LIMIT ?", (count,)).fetchall()

    def _part(self, complaints: Complaints) -> None:
        db = self._db
        db.execute(
            "INSERT INTO temp.clash SELECT id FROM temp.twin CROSS JOIN temp.draft USING (id) GROUP BY id "
            "HAVING min(key) <> max(key) OR min(units) <> max(units)"
        )
        for line, identity in db.execute(
            "SELECT line, id FROM temp.draft WHERE id IN (SELECT id FROM temp.clash) ORDER BY line"
        ):
            shown = cells.shown(identity.replace(ID_JOIN, " "))
            complaints.reject(
                line, f"another line of this file has the same id ({shown}) and other content; none of them is counted"
            )
        db.execute("DELETE FROM temp.draft WHERE id IN (SELECT id FROM temp.clash)")
        for line, first in db.execute("SELECT line, first FROM temp.again ORDER BY line"):
            complaints.note(line, f"this line stands in line {first} already; it is counted once")
        db.execute("DELETE FROM temp.draft WHERE line IN (SELECT line FROM temp.again)")

    def _write(self) -> None:
        with transaction(self._db):
            self._db.executemany(
                "INSERT INTO temp.draft(id, key, sku, units, at, line) VALUES(?, ?, ?, ?, ?, ?)", self._waiting
            )
        self._waiting.clear()
