"""Telling the till of sales elsewhere: files of adjustments in ``out/``, each booked by the till once.

An adjustment is relative (``units - base``), so what the till sold in between stays sold. The price is that it must
never be counted twice, nor thought lost while it waits. Three invariants see to that:

1. **A level is given out only from a snapshot that was counted after the till had booked every adjustment that was
   ever sent for that SKU.** A snapshot from before is silent about the SKU: its row is left out. That costs time and
   nothing else, because the next snapshot tells the whole level again.
2. **One adjustment for a SKU at a time.** Until a snapshot that shows the last one has been applied, a further write
   of the SKU is put off. So a write that is repeated after a crash, because its outcome was lost, sends nothing.
3. **An adjustment is published by one rename.** Before it, nobody can have booked it; after it, somebody may have.

The way of one file::

    .state/staged/<id>.csv  ->  out/<id>.csv  ->  out/done/<id>.csv, or removed (``acknowledge``)
              (ours)             (waiting)             (booked by the till)

and of its record ``.state/sent/<id>.json``, which names the SKUs: written after the file was staged, before it is
published; kept until a snapshot counted after the booking was applied. A crash leaves one of

- a staged file without a record: never published, no effect, dropped after the lease;
- a staged file with a record: never published, its SKUs silent until it is dropped after the lease. The dropping
  is a rename of the staged file as the publishing is, so only one of the two can come about;
- a published file with its record: as if nothing had happened.

When did the till book it? At the latest when we first see the file gone from ``out/``. Where it was moved to
``out/done/`` the rename has stamped its change time (ctime), which is closer; that is believed only if the change
time differs from the one noted when the file was published, so not on file systems where a rename leaves no stamp.
A till must therefore move or remove a file *after* it has booked it, never before. As the clocks that are compared
here are coarse, and a file's modification time is later than its count, a snapshot must be younger by
``settings.slack`` to count.

All of this happens under the folder's lock, which is also held from the judging of a snapshot until its last page
was applied: no adjustment can come into being between the two.
"""

from __future__ import annotations

import csv
import logging
import os
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from channels.pos_csv import times
from channels.pos_csv.models import BusinessTime
from channels.pos_csv.settings import PosCsvSettings
from channels.pos_csv.state import damaged, load, save

logger = logging.getLogger(__name__)


class Adjustment(NamedTuple):
    """Units to add to one SKU's stock at the till; negative to take away."""

    key: str
    sku: str
    change: int


@dataclass(frozen=True, slots=True)
class Sent:
    """One file of adjustments, as far as we know its fate."""

    id: str
    #: The compared SKUs in it.
    keys: tuple[str, ...]
    #: Its change time in ``out/`` just after it was published, where that could be seen.
    published_ctime_ns: int | None = None
    #: By when the till had booked it; ``None`` while it may still do so.
    booked_by: datetime | None = None


class Outbox:
    """The adjustments of one till. To be used by whoever holds the folder's lock.

    Parameters:
        settings: The till's settings.
        clock: The time now, aware.
    """

    def __init__(self, settings: PosCsvSettings, clock: Callable[[], datetime]) -> None:
        self.settings = settings
        self.clock = clock
        self.out = settings.path / "out"
        self.done = self.out / "done"
        self._staged = settings.path / ".state" / "staged"
        self._sent = settings.path / ".state" / "sent"

    def send(self, adjustments: Sequence[Adjustment]) -> str:
        """Publish one file with these adjustments; gives its name. An error means that it was not published."""
        for place in (self._staged, self._sent, self.done):
            place.mkdir(parents=True, exist_ok=True)
        sent = Sent(f"adjust-{times.stamp(self.clock())}-{secrets.token_hex(4)}", tuple(row.key for row in adjustments))
        staged = self._staged / f"{sent.id}.csv"
        self._write(staged, adjustments)
        self._save(sent)
        published = self.out / staged.name
        try:
            staged.rename(published)
        except OSError:
            # A network file system may fail to say that it did rename.
            if staged.exists():
                raise
        self._note_ctime(sent, published)
        return published.name

    def unshown(self, applied: BusinessTime | None) -> list[Sent]:
        """Look after all files, and give those that no applied snapshot is known to show.

        Parameters:
            applied: The latest count of all snapshots that were applied.
        """
        unshown = []
        for record in sorted(_names(self._sent, ".json")):
            sent = self._looked_after(self._load(record))
            if sent is None:
                continue
            if applied is not None and self._shows(applied, sent):
                record.unlink()
            else:
                unshown.append(sent)
        self._drop_unrecorded()
        return unshown

    def silent(self, unshown: Collection[Sent], time: BusinessTime) -> frozenset[str]:
        """The compared SKUs about which a snapshot of this time says nothing (invariant 1)."""
        return frozenset(key for sent in unshown if not self._shows(time, sent) for key in sent.keys)

    def astray(self, unshown: Collection[Sent]) -> list[str]:
        """Names of files that are neither waiting nor booked: a person has to say which."""
        if self.settings.acknowledge == "removed":
            return []
        return [
            f"{sent.id}.csv"
            for sent in unshown
            if sent.booked_by is None and not any((place / f"{sent.id}.csv").exists() for place in self._places())
        ]

    def _shows(self, time: BusinessTime, sent: Sent) -> bool:
        if sent.booked_by is None:
            return False
        return time.at > sent.booked_by + timedelta(seconds=self.settings.slack(stated=time.stated))

    def _looked_after(self, sent: Sent) -> Sent | None:
        """What is known of a file now; ``None`` where it was never published and never will be."""
        if sent.booked_by is not None:
            return sent
        name = f"{sent.id}.csv"
        # In the order of its way, so that a file that moves meanwhile is not missed.
        if (self._staged / name).exists() and self._drop_if_dead(self._staged / name):
            (self._sent / f"{sent.id}.json").unlink()
            return None
        if any((place / name).exists() for place in (self._staged, self.out)):
            return sent
        now = self.clock()
        try:
            booked_by = self._booked_by((self.done / name).stat().st_ctime_ns, sent, now)
        except FileNotFoundError:
            if self.settings.acknowledge == "moved":
                return sent
            booked_by = now
        sent = replace(sent, booked_by=booked_by)
        self._save(sent)
        return sent

    def _booked_by(self, ctime_ns: int, sent: Sent, now: datetime) -> datetime:
        moved_at = times.from_ns(ctime_ns)
        stamped = sent.published_ctime_ns is not None and ctime_ns > sent.published_ctime_ns
        return min(moved_at, now) if stamped else now

    def _places(self) -> tuple[Path, ...]:
        return self._staged, self.out, self.done

    def _write(self, path: Path, adjustments: Sequence[Adjustment]) -> None:
        settings = self.settings
        with path.open("w", encoding=settings.encoding or "utf-8", newline="") as file:
            rows = csv.writer(file, delimiter=settings.delimiter or ",")
            rows.writerow(settings.adjustment_columns)
            rows.writerows((row.sku, row.change) for row in adjustments)
            file.flush()
            os.fsync(file.fileno())

    def _note_ctime(self, sent: Sent, published: Path) -> None:
        """Only sharpens ``booked_by`` later, so trouble here must not make a published file look unpublished."""
        try:
            self._save(replace(sent, published_ctime_ns=published.stat().st_ctime_ns))
        except OSError as error:
            logger.info("a change time was not noted", extra={"file": published.name, "error": str(error)})

    def _drop_if_dead(self, staged: Path) -> bool:
        """Take a staged file out of the way of a writer that has been silent for longer than the lease."""
        try:
            age_s = self.clock().timestamp() - staged.stat().st_mtime
            if age_s < self.settings.lease_s:
                return False
            dropped = staged.parent / "dropped"
            dropped.mkdir(exist_ok=True)
            staged.rename(dropped / staged.name)
        except FileNotFoundError:
            return False
        return True

    def _drop_unrecorded(self) -> None:
        for staged in _names(self._staged, ".csv"):
            if not (self._sent / f"{staged.stem}.json").exists():
                self._drop_if_dead(staged)

    def _save(self, sent: Sent) -> None:
        told = {
            "keys": sent.keys,
            "published_ctime_ns": sent.published_ctime_ns,
            "booked_by": sent.booked_by and sent.booked_by.isoformat(),
        }
        save(self._sent / f"{sent.id}.json", told)

    def _load(self, record: Path) -> Sent:
        told = load(record) or {}
        try:
            booked_by = told["booked_by"] and datetime.fromisoformat(told["booked_by"])
            return Sent(record.stem, tuple(told["keys"]), told["published_ctime_ns"], booked_by)
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(record) from error


def _names(folder: Path, ending: str) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.suffix == ending and not path.name.startswith(".")]
    except FileNotFoundError:
        return []
