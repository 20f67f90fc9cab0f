"""When a snapshot was counted: what its name says, or else when the file was last written."""

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


def business_time(name: str, mtime_ns: int, settings: PosCsvSettings, now: datetime) -> BusinessTime:
    """The moment of a file's count.

    Raises:
        Unreadable: its name lacks the time that the settings promise, or the time cannot be right.
    """
    time = _from_name(name, settings)
    if time is None:
        time = BusinessTime(from_ns(mtime_ns), stated=False)
    if time.at > now + AHEAD:
        raise Unreadable(
            f"its time, {time.at:%Y-%m-%d %H:%M:%S} UTC, lies in the future; check the till's clock and the "
            "timezone setting"
        )
    return time


def from_ns(time_ns: int) -> datetime:
    """A file system's time as an aware one, cut to microseconds."""
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC) + timedelta(microseconds=time_ns // 1000 % 1_000_000)


def stamp(time: datetime) -> str:
    """A time as it stands in names of files: UTC to the microsecond, sorted as text."""
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%S%fZ")


def _from_name(name: str, settings: PosCsvSettings) -> BusinessTime | None:
    if settings.time_format is None:
        found = _UTC_IN_NAME.search(name)
        if not found:
            return None
        return _parsed(name, found[1] + (found[2] or "0").ljust(6, "0") + "Z", "%Y%m%dT%H%M%S%fZ", "UTC")
    found = _pattern(settings.time_format).search(name)
    if not found:
        raise Unreadable(f"its name states no time in the form {settings.time_format}, which time_format asks for")
    return _parsed(name, found[0], settings.time_format, settings.timezone)


def _parsed(name: str, text: str, form: str, timezone: str) -> BusinessTime:
    try:
        at = datetime.strptime(text, form)  # noqa: DTZ007 - the zone is put in below
    except ValueError:
        raise Unreadable(f"the time {text} in its name {name} does not exist") from None
    return BusinessTime((at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC), stated=True)


@lru_cache(maxsize=32)
def _pattern(form: str) -> re.Pattern[str]:
    """A strptime format as a regular expression that finds such a time within a name."""
    parts = re.split(r"(%.)", form)
    body = "".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts)
    return re.compile(rf"(?<!\d){body}(?!\d)", re.ASCII)
