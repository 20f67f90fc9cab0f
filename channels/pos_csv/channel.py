"""A till's folder as a channel: snapshots of counts or a journal of movements in, adjustments out."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from channels.contract import (
    Capabilities,
    Channel,
    ChannelSettings,
    Document,
    Level,
    Outcome,
    Page,
    Problem,
    Result,
    Write,
)
from channels.diagnosis import Finding
from channels.errors import ChannelError, Denied, Unreachable
from channels.pos_csv import cells, models, movements, pages
from channels.pos_csv.client import Claim, Folder, Lost
from channels.pos_csv.diagnosis import diagnose
from channels.pos_csv.fetching import bring
from channels.pos_csv.history import History, Mark, Verdict, judge
from channels.pos_csv.journal import Journal
from channels.pos_csv.lock import only_one
from channels.pos_csv.models import BusinessTime, Sheet, Unreadable
from channels.pos_csv.outbox import Adjustment, Outbox, Sent
from channels.pos_csv.reader import StillGrowing, read_sheet
from channels.pos_csv.settings import PosCsvSettings
from channels.pos_csv.sources import source_of
from channels.pos_csv.spelling import Spellings

logger = logging.getLogger(__name__)

#: Adjustments in one file.
WRITE_BATCH = 10_000

_ASTRAY = (
    "this adjustment file is neither waiting in out/ nor booked in out/done/; if the till has booked it, put it (or an "
    "empty file of its name) into out/done/; if not, put it back into out/. Until then its SKUs are not read"
)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class PosCsvChannel(Channel):
    """One till that exports its counts, or a journal of its movements, as CSV files into a folder.

    A file is read and checked whole before its first page is given out. It is archived when the worker asks for
    what follows its last page; until then it stays claimed, and whoever reads next begins it anew if this reader
    is gone. Giving out the same file again is harmless, because a level says what is, not what changed. Of a journal
    too only levels are given out: what its lines add up to (:mod:`channels.pos_csv.journal`).

    One reader at a time holds the folder, so files are applied in the order of their counts; a second one finds
    nothing to read. The same lock keeps adjustments from being sent while a snapshot is being applied.
    """

    Settings: ClassVar[type[ChannelSettings]] = PosCsvSettings

    settings: PosCsvSettings
    #: The time now, aware.
    clock: Callable[[], datetime] = field(default=_now, kw_only=True)
    #: Waits for so many seconds, while a file that was just written comes to rest.
    pause: Callable[[float], None] = field(default=time.sleep, kw_only=True)

    @property
    def capabilities(self) -> Capabilities:
        """See :class:`channels.contract.Capabilities`."""
        writes = self.settings.writes
        return Capabilities(
            writes=writes,
            relative=writes,
            write_batch=WRITE_BATCH if writes else 1,
            visible_within_s=self.settings.taken_within_s,
            # A level is given out only once it shows every adjustment.
            accepted_is_applied=writes,
        )

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """The levels of every file that is ready, oldest count first.

        There may be several snapshots in one reading, or none; none means that there is no news. A file that is
        set aside gives a page without levels whose problem says why. Levels of SKUs with an adjustment that the
        till has yet to book, or that the snapshot is too old to show, are left out (:mod:`channels.pos_csv.outbox`).
        """
        with self._outside("read files"), only_one(self._lock()) as alone:
            if not alone:
                logger.info("another worker is reading this folder", extra={"channel": self.name})
                return
            self._keep_to_one_kind()
            self._unshown()  # what the till has booked is best seen early: later snapshots can then show it
            folder = Folder(self.settings, self.clock, self.pause)
            trouble = None
            try:
                problems = self._fetched(folder)
            except ChannelError as error:  # what lies here already is read all the same
                trouble, problems = error, []
            if problems:
                yield Page((), problems)
            yield from self._read(folder)
            if trouble:
                raise trouble

    def read(self, refs: Sequence[str]) -> Page:
        """Nothing: a till is only read whole."""
        return Page(())

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """Tell the till of changes elsewhere, as one file of adjustments in ``out/``."""
        if not self.settings.writes:
            return [
                _refused(write, "this till is only read; set writes = true to tell it of sales") for write in writes
            ]
        try:
            with self._outside("write adjustments"), only_one(self._lock()) as alone:
                if not alone:
                    return [_put_off(write, "a file of this till is being read") for write in writes]
                return self._send(writes, until)
        except Unreachable as error:
            return [_put_off(write, error.reason) for write in writes]

    def diagnose(self) -> Iterator[Finding]:
        """See :meth:`Channel.diagnose`."""
        return diagnose(self.name, self.settings, self.clock, self._outside)

    def _fetched(self, folder: Folder) -> list[Problem]:
        """Bring new files into the folder, where they come from elsewhere; says what people should know of them."""
        if not self.settings.is_fetched:
            return []
        with source_of(self.name, self.settings).open() as place:
            return bring(place, folder, self.pause)

    def _read(self, folder: Folder) -> Iterator[Page]:
        """The files of the folder, one after the other."""
        ready = folder.ready()
        is_journal = self.settings.kind == "journal"
        if ready and is_journal:
            yield from movements.shown_again(self._state())
        for found in ready:
            claim = folder.claim(found)
            if claim is None:
                continue
            try:
                if is_journal:
                    yield from movements.of_file(claim, self.settings, self.clock())
                else:
                    yield from self._pages(claim)
            except (Lost, StillGrowing) as trouble:
                logger.warning(
                    "a file changed under the reader and is left for later",
                    extra={"channel": self.name, "file": found.name, "why": type(trouble).__name__},
                )
                return
            finally:
                claim.release()

    def _pages(self, claim: Claim) -> Iterator[Page]:
        """One claimed file from its reading to its archiving."""
        name = claim.found.name
        try:
            sheet = read_sheet(claim.path, name, self.settings)
            at = claim.time(sheet.stated)
        except Unreadable as error:
            yield pages.refusal(name, error.reason)
            claim.set_aside(error.reason, error.reports)
            return
        history = History(claim.folder.state)
        newest = history.begun()
        known = history.known(sheet.sha256)
        verdict = judge(sheet.sha256, at, known, newest, takes_repeats=self.settings.takes_repeats)
        if verdict is Verdict.TAKE:
            mark = Mark(sheet.sha256, name, at.at, at.stated)
            history.begin(mark)
            for page in self._levels(sheet, at):
                claim.renew()
                yield page
            claim.renew()
            if self.settings.writes:
                Spellings(claim.folder.state).learn(sheet.table.skus)
            history.finish(mark)
            claim.archive(sheet.sha256, sheet.reports)
        elif verdict is Verdict.REPEAT:
            logger.info("a file repeats what was taken before", extra={"channel": self.name, "file": name})
            claim.archive(sheet.sha256)
        else:
            reason = _why_not(verdict, known, newest)
            yield pages.refusal(name, reason, at.at)
            claim.set_aside(reason)

    def _keep_to_one_kind(self) -> None:
        """Raise where a folder of snapshots is to be read as a journal, or the reverse.

        The sum of a journal's lines is no count: going from one to the other would look like a great sale.
        """
        is_journal = self.settings.kind == "journal"
        if (History(self._state()).begun() is not None) if is_journal else Journal.exists(self._state()):
            raise Denied(
                self.name,
                "read files",
                f"kind is {self.settings.kind}, and this folder was read as the other kind before",
                advice="Give the new kind of files a folder and a channel name of its own.",
            )

    def _levels(self, sheet: Sheet, at: BusinessTime) -> Iterator[Page]:
        """The rows of a snapshot, less those of SKUs about which it says nothing."""
        outbox = Outbox(self.settings, self.clock)
        unshown = self._unshown()
        silent = outbox.silent(unshown, at)
        if silent:
            logger.info(
                "a snapshot says nothing about SKUs with adjustments that it cannot show",
                extra={"channel": self.name, "file": sheet.name, "skus": len(silent)},
            )
        problems = [Problem(f"out/{name}", _ASTRAY) for name in outbox.astray(unshown)]
        problems += pages.problems(sheet.name, sheet.reports)
        rows = (
            Level(sku, models.ref(sku), units)
            for sku, units in zip(sheet.table.skus, sheet.table.units, strict=True)
            if not silent or models.key(sku) not in silent
        )
        document = Document(sheet.name, listings=len(sheet.table.skus))
        yield from pages.paged(pages.batched(rows), problems, sheet.name, at.at, document=document)

    def _unshown(self) -> list[Sent]:
        """The adjustments that no applied snapshot shows, after a look at what the till has booked."""
        applied = History(self._state()).applied()
        return Outbox(self.settings, self.clock).unshown(applied.time if applied else None)

    def _send(self, writes: Sequence[Write], until: float) -> list[Outcome]:
        """Publish one file for those writes that may be sent; one outcome for each write."""
        outbox = Outbox(self.settings, self.clock)
        spellings = Spellings(self._state()).all()
        unshown = {key for sent in self._unshown() for key in sent.keys}
        outcomes: list[Outcome] = []
        adjustments: list[Adjustment] = []
        for write in writes:
            key = models.key(write.sku)
            try:
                sku = cells.sku(spellings.get(key, write.sku))
                sku.encode(self.settings.encoding or "utf-8")
            except cells.BadCell as error:
                outcomes.append(_refused(write, str(error)))
            except UnicodeEncodeError:
                outcomes.append(_refused(write, f"the till's encoding {self.settings.encoding} cannot write this SKU"))
            else:
                if not sku:
                    outcomes.append(_refused(write, "a till needs a SKU to find the product by"))
                elif key in unshown:
                    outcomes.append(_put_off(write, "no count of this till shows the adjustment before this one yet"))
                else:
                    outcomes.append(Outcome(write.ref, Result.ACCEPTED))
                    if write.units != write.base:
                        adjustments.append(Adjustment(key, sku, write.units - write.base))
                        unshown.add(key)
        if time.monotonic() >= until:
            return [_put_off(write, "the time for this write is over") for write in writes]
        if adjustments:
            name = outbox.send(adjustments)
            logger.info("adjustments sent", extra={"channel": self.name, "file": name, "skus": len(adjustments)})
        return outcomes

    @contextlib.contextmanager
    def _outside(self, operation: str) -> Iterator[None]:
        """Trouble with the disk, named by what to do about it."""
        path = self.settings.path
        try:
            if not path.is_dir():
                raise Unreachable(
                    self.name,
                    operation,
                    f"there is no folder {path}",
                    advice="Create it, or correct path in the settings.",
                )
            yield
        except PermissionError as error:
            raise Denied(
                self.name,
                operation,
                _words(error),
                advice=f"The worker's user must be able to read and write everything in {path}.",
            ) from error
        except OSError as error:
            raise Unreachable(
                self.name, operation, _words(error), advice=f"Check the disk or network drive that holds {path}."
            ) from error

    def _state(self) -> Path:
        return self.settings.path / ".state"

    def _lock(self) -> Path:
        return self._state() / "lock"


def _why_not(verdict: Verdict, known: Mark | None, newest: Mark | None) -> str:
    """Why a good snapshot is not applied, for a shopkeeper."""
    if verdict is Verdict.STALE and newest is not None:
        return (
            f"it was counted before {newest.name}, which was read already; its numbers would undo what was sold "
            "since, so it was set aside"
        )
    before = known.name if known is not None else "an earlier file"
    return (
        f"it holds the same numbers as {before}, which is not the latest count, and does not say when it was counted; "
        "an old copy, or stock that is back to these numbers? It was set aside. Let the till put the time into the "
        "file's name (such as 20260131T235900Z), or set repeats = \"newer\" if its files' modification times are true"
    )


def _words(error: OSError) -> str:
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def _refused(write: Write, reason: str) -> Outcome:
    return Outcome(write.ref, Result.REFUSED, reason=reason)


def _put_off(write: Write, reason: str) -> Outcome:
    return Outcome(write.ref, Result.DEFERRED, reason=reason)
