"""What must be right at a till's folder so that its files are taken. A look moves no file, and claims none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from channels.diagnosis import Check, Finding, Severity, examine, some
from channels.pos_csv.client import Folder
from channels.pos_csv.history import History
from channels.pos_csv.inspection import inspect
from channels.pos_csv.journal import Journal
from channels.pos_csv.settings import PosCsvSettings
from channels.pos_csv.sources import source_of

#: From which age on the newest count is old. A till that closes over a weekend exports on Monday.
OLD = timedelta(days=3)

#: For how long a file may wait before somebody should ask why nobody takes it.
WAITING = timedelta(hours=1)

#: The largest file that is read on trial.
TRIAL_BYTES = 16 * 1024 * 1024


def diagnose(
    name: str,
    settings: PosCsvSettings,
    clock: Callable[[], datetime],
    outside: Callable[[str], AbstractContextManager[None]],
) -> Iterator[Finding]:
    """See :meth:`channels.contract.Channel.diagnose`.

    Parameters:
        name, settings, clock: The channel's.
        outside: Names trouble with the disk in a block by what to do about it.
    """
    doctor = _Doctor(name, settings, clock)
    looks = {
        "folder": doctor.folder,
        "source": doctor.source,
        "files": doctor.files,
        "set aside": doctor.set_aside,
        "profile": doctor.profile,
        "adjustments": doctor.adjustments,
    }

    def of_the_disk(look: Callable[[], Iterator[Finding]]) -> Callable[[], Iterator[Finding]]:
        def run() -> Iterator[Finding]:
            with outside("look at the folder"):
                yield from look()

        return run

    return examine(Check(about, of_the_disk(look)) for about, look in looks.items())


class _Doctor:
    """The checks of one folder."""

    def __init__(self, name: str, settings: PosCsvSettings, clock: Callable[[], datetime]) -> None:
        self._name = name
        self._settings = settings
        self._clock = clock
        self._folder = Folder(settings, clock, lambda _: None)

    def folder(self) -> Iterator[Finding]:
        """Is it there, and may we move files in it?"""
        path = self._settings.path
        ours = [path / part for part in ("", ".state", "processing", "processed", "failed", "out")]
        closed = [str(place) for place in ours if place.is_dir() and not os.access(place, os.R_OK | os.W_OK | os.X_OK)]
        if closed:
            what = f"the user of this process may not read and write {some(closed)}"
            yield Finding(Severity.ERROR, "folder", what, "Give it the right to everything in the till's folder.")
        else:
            yield Finding(Severity.OK, "folder", f"{path} can be read and written")

    def source(self) -> Iterator[Finding]:
        """Can the place be reached that files are fetched from?"""
        if not self._settings.is_fetched:
            return
        with source_of(self._name, self._settings).open() as place:
            files = [remote for remote in place.files() if self._folder.takes(remote.name)]
        yield Finding(Severity.OK, "source", f"can be reached; {len(files)} files that would be taken lie there")

    def files(self) -> Iterator[Finding]:
        """How old is the newest count, and is somebody taking what waits?"""
        now = self._clock()
        waiting = self._folder.waiting()
        old = [found.name for found in waiting if now - _written(found.path) > WAITING]
        if old:
            what = f"{len(old)} waiting for more than an hour: {some(old)}"
            advice = "Check that beat and a worker run, and that no program keeps them open."
            yield Finding(Severity.WARNING, "files", what, advice)
        elif waiting:
            yield Finding(Severity.OK, "files", f"{len(waiting)} waiting to be taken")
        if self._settings.kind == "journal":
            if not Journal.exists(self._folder.state):
                yield Finding(Severity.NOTE, "files", "no line of this journal was ever counted")
            return
        applied = History(self._folder.state).applied()
        if applied is None:
            if not waiting:
                advice = f"Have the till export a file that matches {self._settings.pattern}."
                yield Finding(Severity.WARNING, "files", "no count was ever taken", advice)
            return
        age = now - applied.as_of
        what = f"the newest count is {applied.name}, {_age(age)} old"
        if age > OLD:
            yield Finding(Severity.WARNING, "files", what, "Check that the till still exports into this folder.")
        else:
            yield Finding(Severity.OK, "files", what)

    def set_aside(self) -> Iterator[Finding]:
        """Which files were not applied, and why was the latest of them not?"""
        files = sorted(
            file for file in _names(self._folder.failed) if not file.endswith((".reason.json", ".errors.csv"))
        )
        if not files:
            yield Finding(Severity.OK, "set aside", "no file is")
            return
        latest = self._folder.failed / files[-1]
        what = f"{len(files)} in {self._folder.failed}; the latest: {_reason(latest)}"
        advice = "Mend the file or the settings, move it back into the folder, and empty failed/ of what is done with."
        yield Finding(Severity.WARNING, "set aside", what, advice)

    def profile(self) -> Iterator[Finding]:
        """Do the settings read the newest file that is at hand?"""
        newest = max(self._at_hand(), key=_written, default=None)
        if newest is None or newest.stat().st_size > min(TRIAL_BYTES, self._settings.max_bytes):
            return
        found = inspect(newest, self._settings, self._clock())
        if found.refused:
            fits = f"Profiles that read it: {', '.join(found.profiles)}." if found.profiles else ""
            advice = f"See more: celery -A sync inspect-csv --channel {self._name} {newest}. {fits}".strip()
            yield Finding(Severity.WARNING, "profile", f"{newest.name} would be set aside: {found.refused}", advice)
        elif found.reports:
            first = found.reports[0]
            what = (
                f"{len(found.reports)} of the rows of {newest.name} without effect (line {first.line}: {first.reason})"
            )
            yield Finding(Severity.NOTE, "profile", what)
        else:
            yield Finding(Severity.OK, "profile", f"{newest.name} is read whole: {found.levels} levels")

    def adjustments(self) -> Iterator[Finding]:
        """Does the till take what it is told?"""
        if not self._settings.writes:
            return
        out, now = self._settings.path / "out", self._clock()
        names = [name for name in _names(out) if name.endswith(".csv")]
        old = [name for name in names if now - _written(out / name) > WAITING]
        if old:
            what = f"{len(old)} waiting in {out} for more than an hour: {some(sorted(old))}"
            advice = "Check that the till takes files from there; until it does, it sells what was sold elsewhere."
            yield Finding(Severity.WARNING, "adjustments", what, advice)
        else:
            yield Finding(Severity.OK, "adjustments", f"{len(names)} waiting for the till")

    def _at_hand(self) -> list[Path]:
        """Files of the till that can be read on trial: those that wait, and the latest that were applied."""
        return [found.path for found in self._folder.waiting()] or self._latest_processed()

    def _latest_processed(self) -> list[Path]:
        place = self._folder.processed
        for _ in range(3):  # year, month, day
            newest = max(_names(place, folders=True), default=None)
            if newest is None:
                return []
            place = place / newest
        return [place / name for name in _names(place) if not name.endswith(".errors.csv")]


def _names(place: Path, *, folders: bool = False) -> list[str]:
    try:
        with os.scandir(place) as entries:
            return [entry.name for entry in entries if entry.is_dir() == folders]
    except FileNotFoundError:
        return []


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _reason(file: Path) -> str:
    try:
        told = json.loads(file.with_name(f"{file.name}.reason.json").read_text("utf-8"))
        return f"{told['file']} ({told['reason']})"
    except (OSError, ValueError, KeyError, TypeError):
        return file.name


def _age(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{max(0, hours * 60):.0f} minutes"
