"""Runs of rows that read as they did: known again by one note, not by a look at each record (``lua/lib_note.lua``).

What one page shows of one bucket is one run, or a few of the same length. A page that moves by a row, because an item
came or went before it, changes the runs of two buckets; all others are known again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import NamedTuple

from sync.storage.store import Call, Store, bucket_prefix

#: A shorter run has no note: its rows are as soon looked at one by one, and a reading of single listings would break
#: the notes of full readings to make its own.
SHORTEST = 8

#: A longer one is parted: one change in it costs a look at all of its rows, in this reading and in the next.
LONGEST = 32

#: Hexadecimal digits of the digest that name a note in its bucket; the others prove it.
NAME = 8


class Run(NamedTuple):
    """Rows of one bucket, as ``lua/merge.lua`` takes them."""

    bucket: int
    #: Four for each row: folded, shown, ref, units.
    rows: Sequence[str | int]
    #: The bundles and components among them.
    kin: Sequence[str | int]
    #: The rows as JSON.
    text: str
    #: Name and proof of its note; both empty where it has none.
    note: tuple[str, str]


def parted(rows: Sequence[str | int]) -> list[Sequence[str | int]]:
    """Rows of one bucket, four fields each, in runs of about the same length."""
    count = len(rows) // 4
    length = 4 * -(-count // -(-count // LONGEST)) if count else 1
    return [rows[start : start + length] for start in range(0, len(rows), length)]


def run(
    bucket: int, rows: Sequence[str | int], kin: Sequence[str | int], *, authority: bool, noted: bool = True
) -> Run:
    """A run and its note, if it is to have one: a digest of all that decides whether its rows are plainly the same."""
    text, note = json.dumps(rows), ("", "")
    if noted and len(rows) >= 4 * SHORTEST and 4 * len(set(rows[::4])) == len(rows):
        decides = f"{json.dumps([authority, kin])} {text}"
        digest = hashlib.blake2b(decides.encode(), digest_size=16).hexdigest()
        note = digest[:NAME], digest[NAME:]
    return Run(bucket, rows, kin, text, note)


def changed(store: Store, channel: str, runs: Sequence[Run], began_ms: int, ended_ms: int) -> list[Run]:
    """Note that the runs whose notes stand were read again; gives the others, in order."""
    noted = [run for run in runs if run.note[0]]
    calls = [Call([bucket_prefix(run.bucket)], [channel, began_ms, ended_ms, *run.note]) for run in noted]
    same = {(run.bucket, run.note) for run, answer in zip(noted, store.run("same", calls), strict=True) if answer}
    return [run for run in runs if (run.bucket, run.note) not in same]
