"""When a snapshot was counted: what its name or content says, or else when the file was last written."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from channels.pos_csv.models import BusinessTime, Unreadable
from channels.pos_csv.settings import PosCsvSettings

#: How far ahead of this machine's clock a file's time may lie. Further, and one wrong time would make every later
#: file look stale.
AHEAD = timedelta(minutes=5)

#: The one form of time in a name that is taken without being asked for, because it cannot mean anything else.
_UTC_IN_NAME = re.compile(r"(?<!\d)(\d{8}T\d{6})(\d{1,6})?Z", re.ASCII)

_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{2}",
    "%d": r"\d{2}",
    "%H": r"\d{2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%f": r"\d{1,6}",
    "%j": r"\d{3}",
    "%z": r"(?:[+-]\d{2}:?\d{2}|Z)",
    "%%": "%",
}


def business_time(
    name: str, mtime_ns: int, stated: datetime | None, settings: PosCsvSettings, now: datetime
) -> BusinessTime:
    """The moment of a file's count.

    Parameters:
        stated: What its content says, where it is to say so.

    Raises:
        Unreadable: its name lacks the time that the settings promise, or the time cannot be right.
    """
    at = stated or _from_name(name, settings)
    time = BusinessTime(at, stated=True) if at else BusinessTime(from_ns(mtime_ns), stated=False)
    if time.at > now + AHEAD:
        raise Unreadable(
            f"its time, {time.at:%Y-%m-%d %H:%M:%S} UTC, lies in the future; check the till's clock and the "
            "timezone setting"
        )
    return time


def parse(text: str, settings: PosCsvSettings) -> datetime:
    """A stated time in the form and the zone of the settings, as UTC.

    Raises:
        Unreadable: it has another form, or does not exist.
    """
    text = text.strip()
    try:
        at = datetime.strptime(text, settings.time_format) if settings.time_format else datetime.fromisoformat(text)  # noqa: DTZ007
        return _in_utc(at, settings.timezone)
    except (ValueError, OverflowError):
        form = settings.time_format or "2026-01-31T23:59:00Z"
        raise Unreadable(f"the time {text[:40]!r} does not exist or is not of the form {form}") from None


def from_ns(time_ns: int) -> datetime:
    """A file system's time as an aware one, cut to microseconds."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC) + timedelta(microseconds=time_ns // 1000 % 1_000_000)


def stamp(time: datetime) -> str:
    """A time as it stands in names of files: UTC to the microsecond, sorted as text."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _from_name(name: str, settings: PosCsvSettings) -> datetime | None:
    if settings.time_from == "name" or (settings.time_from == "auto" and settings.time_format):
        form = settings.time_format or ""
        found = _pattern(form).search(name)
        if not found:
            raise Unreadable(f"its name states no time in the form {form}, which time_format asks for")
        return parse(found[0], settings)
    found = _UTC_IN_NAME.search(name) if settings.time_from == "auto" else None
    if not found:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}.{(found[2] or '0').ljust(6, '0')}Z").astimezone(UTC)
    except ValueError:
        raise Unreadable(f"the time {found[0]} in its name does not exist") from None


def _in_utc(at: datetime, timezone: str) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)


@lru_cache(maxsize=32)
def _pattern(form: str) -> re.Pattern[str]:
    """A strptime format as a regular expression that finds such a time within a name."""
    parts = re.split(r"(%.)", form)
    body = "".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts)
    return re.compile(rf"(?<!\d){body}(?!\d)", re.ASCII)
