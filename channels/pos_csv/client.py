"""The folder that a till exports into: which files are ready, who reads one, and where it goes afterwards.

A file is in one place at a time, and only a rename moves it::

    <path>/stock.csv -> processing/<claim>/stock.csv -> processed/2026/01/31/<time>_<hash>_stock.csv
                                                     \\-> failed/<time>_stock.csv, with its reasons beside it

Nothing is ever deleted. A rename that fails because the file is gone means that someone else has it.
"""

from __future__ import annotations

import contextlib
import fnmatch
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from channels.pos_csv import reasons, times
from channels.pos_csv.lock import being_written
from channels.pos_csv.models import BusinessTime, RowReport, Unreadable
from channels.pos_csv.reader import peek_time
from channels.pos_csv.scan import stamp
from channels.pos_csv.settings import PosCsvSettings

logger = logging.getLogger(__name__)

#: Names of files that their writers mean to rename once they are whole.
_UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".upload", ".swp", "~")

#: A file that is held open but has not changed for so long is taken all the same, in seconds: its writer hangs,
#: or the file system only claims that there is one.
HUNG_S = 600.0

#: What lies in the folder beside the till's files.
_OWN = frozenset({"out", "processing", "processed", "failed"})

#: The owner of a claim that was given back.
_FREE = "free"

#: The longest name of a file in an archive, in bytes; leaves room for the endings of the reports beside it.
_NAME_BYTES = 240


class Lost(Exception):
    """The claimed file is no longer where the claim had it: someone else took it over, or a person moved it."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is ready to be taken."""

    path: Path
    #: Its name as people know it, always valid text.
    name: str
    mtime_ns: int


class Folder:
    """One till's folder on a disk.

    Parameters:
        settings: The till's settings.
        clock: The time now, aware.
        pause: Waits for so many seconds.
    """

    def __init__(self, settings: PosCsvSettings, clock: Callable[[], datetime], pause: Callable[[float], None]) -> None:
        self.settings = settings
        self.clock = clock
        self.pause = pause
        self.path = settings.path
        self.processing = self.path / "processing"
        self.processed = self.path / "processed"
        self.failed = self.path / "failed"
        self.state = self.path / ".state"
        self._host = socket.gethostname().replace("~", "-").replace("/", "-") or "unnamed"

    def ready(self) -> list[Found]:
        """The files that can be taken now, oldest count first; empty while another machine reads one.

        To be called by whoever holds the folder's lock.
        """
        left_behind = self._left_behind()
        if left_behind is None:
            return []
        dropped = [entry for entry in _files(self.path) if self._wanted(entry.name)]
        return sorted(map(_found, self._finished([*left_behind, *dropped])), key=self._order)

    def waiting(self) -> list[Found]:
        """The files that lie there to be taken, whole or not. A look, which waits for nothing."""
        return [_found(entry) for entry in _files(self.path) if self._wanted(entry.name)]

    def takes(self, name: str) -> bool:
        """Whether a file of this name from elsewhere may be put into the folder, and would be taken there."""
        plain = "/" not in name and all(sign >= " " and sign != "\x7f" for sign in name)
        return (
            bool(name) and plain and len(os.fsencode(name)) <= _NAME_BYTES and name not in _OWN and self._wanted(name)
        )

    def holds(self, name: str) -> bool:
        """Whether a file of this name has yet to be read."""
        places = (Path(place.path) for place in _entries(self.processing))
        return any(os.path.lexists(place / name) for place in (self.path, *places))

    def time(self, found: Found, stated: datetime | None) -> BusinessTime:
        """See :meth:`Claim.time`."""
        return times.business_time(found.name, found.mtime_ns, stated, self.settings, self.clock())

    def claim(self, found: Found) -> Claim | None:
        """Take a file, so that nobody else does; ``None`` where somebody was faster."""
        place = self.processing / f"{self._host}~{secrets.token_hex(4)}"
        place.mkdir(parents=True)
        target = place / found.path.name
        try:
            found.path.rename(target)
        except FileNotFoundError:
            place.rmdir()
            return None
        if found.path.parent.parent == self.processing:
            _remove_if_empty(found.path.parent)
        return Claim(self, target, found)

    def _order(self, found: Found) -> tuple[datetime, int, str]:
        peeks = self.settings.time_from in ("header", "column")
        try:
            at = self.time(found, peek_time(found.path, self.settings) if peeks else None).at
        except Unreadable:
            at = times.from_ns(found.mtime_ns)
        return at, found.mtime_ns, found.name

    def _wanted(self, name: str) -> bool:
        folded = name.casefold()
        if folded.startswith((".", "~")) or folded.endswith(_UNFINISHED):
            return False
        return fnmatch.fnmatchcase(folded, self.settings.pattern.casefold())

    def _left_behind(self) -> list[os.DirEntry[str]] | None:
        """Files whose reader is gone; ``None`` where a reader on another machine is still at work.

        A claim of this machine has no living reader, because that one would hold the lock.
        """
        files: list[os.DirEntry[str]] = []
        for place in _entries(self.processing):
            owner = place.name.partition("~")[0]
            if owner not in (self._host, _FREE):
                silent_s = self.clock().timestamp() - place.stat().st_mtime
                if silent_s < self.settings.lease_s:
                    return None
            inside = _files(Path(place.path))
            files += inside
            if not inside:
                _remove_if_empty(Path(place.path))
        return files

    def _finished(self, entries: Sequence[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        """Those files whose writer is done, after a short wait where only time can tell."""
        finished, fresh, longest_s = [], [], 0.0
        for entry in entries:
            wait_s = self._wait_s(entry)
            if wait_s == 0:
                finished.append(entry)
            elif wait_s is not None:
                fresh.append((entry, stamp(Path(entry.path))))
                longest_s = max(longest_s, wait_s)
        if fresh:
            self.pause(longest_s)
        for entry, before in fresh:
            with contextlib.suppress(FileNotFoundError):
                if stamp(Path(entry.path)) == before and not being_written(Path(entry.path)):
                    finished.append(entry)
        return finished

    def _wait_s(self, entry: os.DirEntry[str]) -> float | None:
        """Seconds until a file counts as complete; ``None``: not now."""
        quiet_s = self.settings.quiet_s
        if quiet_s == 0:
            return 0.0
        status = entry.stat(follow_symlinks=False)
        age_s = self.clock().timestamp() - status.st_mtime
        if being_written(Path(entry.path)) and age_s < HUNG_S:
            return None
        # Writing sets both times, renaming only the second: whoever renames a file has finished writing it.
        if status.st_ctime_ns > status.st_mtime_ns or age_s >= quiet_s:
            return 0.0
        return quiet_s - max(age_s, 0.0)


@dataclass(slots=True)
class Claim:
    """A file that one reader has to itself, until it is archived, set aside or given back."""

    folder: Folder
    #: Where it lies now.
    path: Path
    #: What it was found as.
    found: Found
    open: bool = True

    def time(self, stated: datetime | None) -> BusinessTime:
        """When the file was counted.

        Parameters:
            stated: What its content says, where it is to say so.

        Raises:
            Unreadable: its name does not say, or says what cannot be right.
        """
        return self.folder.time(self.found, stated)

    def renew(self) -> None:
        """Show that the reader lives.

        Raises:
            Lost: the file is not there any more.
        """
        try:
            os.utime(self.path.parent)
            self.path.stat()
        except FileNotFoundError as error:
            raise Lost(self.found.name) from error

    def archive(self, sha256: str, reports: Sequence[RowReport] = ()) -> Path:
        """Put the file to those that were applied, with a list of its bad rows beside it."""
        now = self.folder.clock()
        day = self.folder.processed / f"{now:%Y}" / f"{now:%m}" / f"{now:%d}"
        target = _free_name(day, f"{times.stamp(now)}_{sha256[:8]}_", self.path.name)
        if reports:
            reasons.write_rows(target, reports)
        return self._move(target)

    def set_aside(self, reason: str, reports: Sequence[RowReport] = ()) -> Path:
        """Put the file to those that were not applied, with the reason beside it."""
        now = self.folder.clock()
        target = _free_name(self.folder.failed, f"{times.stamp(now)}_", self.path.name)
        reasons.write_reason(target, self.found.name, reason, now)
        if reports:
            reasons.write_rows(target, reports)
        logger.warning("%s was set aside; it lies in %s, the reason beside it", self.found.name, target)
        return self._move(target)

    def release(self) -> None:
        """Give the file back to whoever comes next. It stays below ``processing/``, where no other can replace it."""
        if self.open:
            self.open = False
            place = self.path.parent
            with contextlib.suppress(FileNotFoundError):
                place.rename(place.with_name(f"{_FREE}~{place.name.partition('~')[2]}"))

    def _move(self, target: Path) -> Path:
        try:
            self.path.rename(target)
        except FileNotFoundError as error:
            raise Lost(self.found.name) from error
        self.open = False
        _remove_if_empty(self.path.parent)
        return target


def _found(entry: os.DirEntry[str]) -> Found:
    name = os.fsencode(entry.name).decode("utf-8", "replace")
    return Found(Path(entry.path), name, entry.stat(follow_symlinks=False).st_mtime_ns)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        yield from entries


def _files(folder: Path) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(folder) if entry.is_file(follow_symlinks=False)]


def _remove_if_empty(place: Path) -> None:
    with contextlib.suppress(OSError):
        place.rmdir()


def _free_name(folder: Path, prefix: str, name: str) -> Path:
    """A name in a folder that nothing has yet, cut to what file systems bear, its ending kept."""
    folder.mkdir(parents=True, exist_ok=True)
    room = _NAME_BYTES - len(prefix)
    name = os.fsdecode(os.fsencode(name)[-room:]) if len(os.fsencode(name)) > room else name
    target = folder / f"{prefix}{name}"
    while target.exists():
        target = folder / f"{prefix}{secrets.token_hex(2)}_{name}"
    return target
