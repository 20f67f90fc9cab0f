"""What travels between the parts of the adapter: what was read from a file, and why one could not be read."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

#: The longest ref that the contract allows.
REF_LIMIT = 64


class RowReport(NamedTuple):
    """A row about which people should know something: mostly that it gives no level, and why."""

    line: int
    reason: str


class Unreadable(Exception):
    """A file that is set aside whole. The message is for a shopkeeper: what is wrong and what would be right."""

    def __init__(self, reason: str, reports: Sequence[RowReport] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reports = tuple(reports)


class BusinessTime(NamedTuple):
    """When a snapshot was counted."""

    at: datetime
    #: Whether the file says so itself; otherwise it is the file's modification time.
    stated: bool


@dataclass(slots=True)
class Table:
    """The levels of one snapshot, kept small: two parallel columns."""

    skus: list[str] = field(default_factory=list)
    units: array[int] = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.skus)


class SkipRule(NamedTuple):
    """A column that tells which rows are no products."""

    column: int
    words: frozenset[str]
    #: Whether any text at all tells so.
    any_text: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in one file."""

    #: Physical lines up to and including the header.
    lines: int
    delimiter: str
    #: Number of columns.
    width: int
    sku: tuple[int, ...]
    quantity: tuple[int, ...]
    location: int | None = None
    time: int | None = None
    #: Of a journal: what identifies a line, and what kind of movement it is.
    line_id: tuple[int, ...] = ()
    movement: int | None = None
    skip: tuple[SkipRule, ...] = ()
    #: The record about the file itself, where there is one.
    header_record: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that was read whole and found good."""

    name: str
    sha256: str
    table: Table
    #: Rows that give no level, or not the one they were meant to, in the order of the file.
    reports: Sequence[RowReport]
    #: Rows of data that the file holds, good, bad and skipped.
    rows: int
    encoding: str
    layout: Layout
    #: When it was counted, where its content states that.
    stated: datetime | None


class Line(NamedTuple):
    """One line of a journal."""

    #: The till's own id of it, unique for ever.
    id: str
    #: The SKU as it is compared, and as the till writes it.
    key: str
    sku: str
    #: What it adds to the stock; below zero what it takes away.
    units: int
    #: When it happened, in unix seconds; ``None`` where lines do not say.
    at: int | None
    #: Where it stands in its file.
    line: int


@dataclass(frozen=True, slots=True)
class Lines:
    """A journal's file that was read whole and found good. Its lines are in the spool."""

    name: str
    sha256: str
    #: How many lines there are to be counted.
    lines: int
    #: Rows that give no line, in the order of the file; ``bad``: how many of them could not be read.
    reports: Sequence[RowReport]
    bad: int
    #: Rows of data that the file holds, good, bad and skipped.
    rows: int
    encoding: str
    layout: Layout


def key(sku: str) -> str:
    """A SKU as it is compared: trimmed and case-folded."""
    return sku.strip().casefold()


def ref(sku: str) -> str:
    """The till's id of a listing, by its SKU."""
    return ref_of_key(key(sku))


def ref_of_key(folded: str) -> str:
    """The till's id of a listing: the compared SKU itself, or a digest of one that is too long for a ref."""
    if len(folded) <= REF_LIMIT:
        return folded
    return "sha256-" + hashlib.sha256(folded.encode()).hexdigest()[:56]
