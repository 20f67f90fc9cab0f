"""What was taken from a till before: each content by its hash, and the newest snapshot of all (the high-water mark)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from channels.pos_csv.models import BusinessTime
from channels.pos_csv.state import damaged, load, save


@dataclass(frozen=True, slots=True)
class Mark:
    """One snapshot that was applied, or was going to be."""

    sha256: str
    name: str
    #: When it was counted.
    as_of: datetime
    #: Whether the file said so itself.
    stated: bool

    @property
    def time(self) -> BusinessTime:
        """When it was counted."""
        return BusinessTime(self.as_of, self.stated)


class Verdict(Enum):
    """What is to be done with a good snapshot."""

    #: Apply it.
    TAKE = "take"
    #: It was applied already and says nothing new.
    REPEAT = "repeat"
    #: A newer one was applied; its numbers would undo what happened since.
    STALE = "stale"
    #: The content of an older snapshot under a newer modification time: a copy, or stock that is back to these
    #: numbers? Two stories fit, so people must say.
    DOUBTFUL = "doubtful"


def judge(sha256: str, time: BusinessTime, known: Mark | None, newest: Mark | None, *, takes_repeats: bool) -> Verdict:
    """Whether a snapshot is new.

    Parameters:
        sha256: Its content.
        time: When it was counted.
        known: When the same content was applied last, if ever.
        newest: The snapshot with the latest count of which anything may have been applied, if any.
        takes_repeats: Whether a modification time is good enough to tell a new snapshot from a copy of an old one.
    """
    if known is not None and time.at <= known.as_of:
        return Verdict.REPEAT
    if newest is not None and time.at < newest.as_of:
        return Verdict.STALE
    if known is None or time.stated or takes_repeats:
        return Verdict.TAKE
    return Verdict.REPEAT if newest is not None and newest.sha256 == sha256 else Verdict.DOUBTFUL


class History:
    """The memory of one till's folder, kept in small files so that it survives with the files it tells of.

    Only whoever holds the folder's lock writes it.
    """

    def __init__(self, state: Path) -> None:
        self._contents = state / "taken"
        self._begun = state / "begun.json"
        self._applied = state / "applied.json"

    def known(self, sha256: str) -> Mark | None:
        """When this content was applied last."""
        return _load(self._content(sha256))

    def begun(self) -> Mark | None:
        """The high-water mark: the snapshot with the latest count of which anything may have been applied."""
        return _load(self._begun)

    def applied(self) -> Mark | None:
        """The snapshot with the latest count of which everything was applied."""
        return _load(self._applied)

    def begin(self, mark: Mark) -> None:
        """Remember that a snapshot is going to be applied. From here on an older one is stale, whatever happens."""
        _raise(self._begun, mark)

    def finish(self, mark: Mark) -> None:
        """Remember that a snapshot was applied. Doing so twice changes nothing."""
        self.taken(mark)
        _raise(self._applied, mark)

    def taken(self, mark: Mark) -> None:
        """Remember a content that was applied, but no order of counts: a journal's file has none."""
        save(self._content(mark.sha256), _told(mark))

    def _content(self, sha256: str) -> Path:
        return self._contents / sha256[:2] / f"{sha256}.json"


def _raise(path: Path, mark: Mark) -> None:
    before = _load(path)
    if before is None or mark.as_of >= before.as_of:
        save(path, _told(mark))


def _told(mark: Mark) -> dict[str, object]:
    return {**asdict(mark), "as_of": mark.as_of.isoformat()}


def _load(path: Path) -> Mark | None:
    told = load(path)
    if told is None:
        return None
    try:
        return Mark(told["sha256"], told["name"], datetime.fromisoformat(told["as_of"]), told["stated"])
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path) from error
