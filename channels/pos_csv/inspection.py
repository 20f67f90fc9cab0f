"""What would become of a file, without touching it: for people who set up a till."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from channels.pos_csv import times
from channels.pos_csv.database import nameless
from channels.pos_csv.models import RowReport, Sheet, Unreadable
from channels.pos_csv.profiles import PROFILES
from channels.pos_csv.reader import StillGrowing, read_lines, read_sheet
from channels.pos_csv.scan import WORKBOOK
from channels.pos_csv.settings import PosCsvSettings
from channels.pos_csv.spool import Spool

#: Encodings that are worth a look when a file is not UTF-8.
ENCODINGS = ("cp1252", "cp949", "cp932")

#: Levels that are shown as a taste of what would be read.
TASTE = 10

#: How much of a file is decoded on trial, and how much of a line of it is shown.
_TRIAL_BYTES, _TRIAL_SHOWN = 65_536, 120


@dataclass(frozen=True, slots=True)
class Inspection:
    """What one file would give."""

    file: str
    #: Whether it was read as a ``snapshot`` of counts or as a ``journal`` of movements.
    kind: str = "snapshot"
    #: Why nothing at all would be read; empty where it would.
    refused: str = ""
    #: Levels that would be read (of a journal: lines that would be counted), and rows that the file has.
    levels: int = 0
    rows: int = 0
    #: The first of the levels (of a journal: what the first lines add, or take away).
    taste: list[tuple[str, int]] = field(default_factory=list)
    #: Rows that would give no level, or of which people should know.
    reports: list[RowReport] = field(default_factory=list)
    #: When it was counted, and whether the file says so itself.
    counted_at: datetime | None = None
    time_is_stated: bool = False
    encoding: str = ""
    delimiter: str = ""
    #: The line of the header, from 1; 0 where the settings name the columns.
    header_line: int = 0
    #: Ready profiles that read it, the one with the fewest complaints first.
    profiles: list[str] = field(default_factory=list)
    #: Where the encoding is unknown: how a telling line would read in each that is possible.
    readings: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The same in types that JSON has."""
        told = asdict(self)
        told["reports"] = [report._asdict() for report in self.reports]
        told["counted_at"] = self.counted_at.isoformat() if self.counted_at else None
        return told


def inspect(path: Path, settings: PosCsvSettings, now: datetime | None = None) -> Inspection:
    """Read a file as the channel would and say what would come of it. Changes nothing.

    Whether it was taken before, or a newer one was, is not looked at.

    Raises:
        OSError: it cannot be read.
    """
    profiles = fitting(path)
    try:
        if settings.kind == "journal":
            return _journal(path, settings, profiles)
        sheet = read_sheet(path, path.name, settings)
        time = times.business_time(path.name, path.stat().st_mtime_ns, sheet.stated, settings, now or datetime.now(UTC))
    except Unreadable as error:
        return Inspection(
            path.name,
            settings.kind,
            error.reason,
            reports=list(error.reports),
            profiles=profiles,
            readings=_readings(path),
        )
    except StillGrowing:
        words = "it changed while it was read; wait until it is written"
        return Inspection(path.name, settings.kind, words, profiles=profiles)
    return Inspection(
        path.name,
        settings.kind,
        levels=len(sheet.table),
        rows=sheet.rows,
        taste=list(zip(sheet.table.skus[:TASTE], sheet.table.units[:TASTE], strict=True)),
        reports=list(sheet.reports),
        counted_at=time.at,
        time_is_stated=time.stated,
        encoding=sheet.encoding,
        delimiter="" if sheet.encoding == WORKBOOK else sheet.layout.delimiter,
        header_line=sheet.layout.lines,
        profiles=profiles,
    )


def _journal(path: Path, settings: PosCsvSettings, profiles: list[str]) -> Inspection:
    with nameless("what was read of the file") as db:
        spool = Spool(db)
        found = read_lines(path, path.name, settings, spool)
        taste = spool.first(TASTE)
    return Inspection(
        path.name,
        settings.kind,
        levels=found.lines,
        rows=found.rows,
        taste=taste,
        reports=list(found.reports),
        counted_at=times.from_ns(path.stat().st_mtime_ns),
        encoding=found.encoding,
        delimiter="" if found.encoding == WORKBOOK else found.layout.delimiter,
        header_line=found.layout.lines,
        profiles=profiles,
    )


def fitting(path: Path) -> list[str]:
    """The ready profiles that read a file, the one with the fewest complaints first."""
    sheets: dict[str, Sheet] = {}
    for name in PROFILES:
        try:
            sheets[name] = read_sheet(path, path.name, PosCsvSettings(type="pos_csv", path=path.parent, profile=name))
        except (Unreadable, StillGrowing):
            continue
    return sorted(sheets, key=lambda name: (len(sheets[name].reports), -len(sheets[name].table)))


def _readings(path: Path) -> dict[str, str]:
    """A line with other than ASCII letters, in every usual encoding that has them all; empty for UTF-8."""
    with path.open("rb") as file:
        head = file.read(_TRIAL_BYTES)
    line = next((line for line in head.splitlines() if not line.isascii()), b"").strip()
    readings = {}
    for encoding in ("utf-8", *ENCODINGS):
        try:
            readings[encoding] = line.decode(encoding)[:_TRIAL_SHOWN]
        except UnicodeDecodeError:
            continue
    return {} if not line or "utf-8" in readings or b"\x00" in head else readings
