"""SQLite databases of ours: opened, closed, and their troubles named as what they are, those of a disk."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def opened(path: Path, what: str) -> Iterator[sqlite3.Connection]:
    """A connection to a file, whose open transaction, if any, is given up when the block ends.

    Raises:
        OSError: it cannot be used; ``what`` says what that is.
    """
    with _named(os.fspath(path), what), _connected(os.fspath(path)) as db:
        yield db


@contextlib.contextmanager
def nameless(what: str) -> Iterator[sqlite3.Connection]:
    """A database that is gone when the block ends, on the disk as far as it is large.

    Raises:
        OSError: it cannot be used; ``what`` says what that is.
    """
    with _named(tempfile.gettempdir(), what), _connected("") as db:
        yield db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All that the block writes, or, where it raises, nothing."""
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # of some troubles SQLite has given it up itself
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextlib.contextmanager
def _connected(path: str) -> Iterator[sqlite3.Connection]:
    # the generators that give out pages may be closed by another thread than the one that began them
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
        db.execute("PRAGMA temp_store = FILE")
        yield db


@contextlib.contextmanager
def _named(path: str, what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise OSError(errno.EIO, f"{what} cannot be used ({error})", path) from error
