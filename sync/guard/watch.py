"""Readings under the guard's eye (rule 8): what would move stock is merged once the whole has been judged.

A full reading comes in pages. Rows that change nothing, or open a listing, are merged as they come, and so are the
first few that move stock, which no limit is meant for: an ordinary sale need not wait for the end. The others are kept
in the store (:mod:`sync.guard.withheld`), and at the end all of it is believed or held. Of a file nothing is merged
before its end but rows that say what is known already. Of a reading that never shows everything (a journal's) only
falls to zero are judged, so that only they are kept.

A reading of what has changed (:mod:`sync.changes`) is kept and judged so, too. It shows a part, so nothing is missing
from it and shares of all units say nothing about it: as of single listings, only falls to zero are judged.

Of single listings, read because of hints or before a write, only falls to zero are judged, together with those of the
last minutes: a burst of hints is seen as one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from channels import Channel, Document, Level, Page
from sync.context import Context
from sync.guard.holds import DOUBTED_S, KeepRows, Kind
from sync.guard.judge import NOTHING, Figures, Limits, judge_reading
from sync.guard.withheld import Chunk, Shelf
from sync.stock.ledger import Merged, Window, Withheld, Withhold
from sync.storage.store import PREFIX

log = logging.getLogger(__name__)

#: For how long falls to zero of single listings are added up, in seconds.
TALLY_S = 900.0

#: How many rows of a held run are shown to people.
SAMPLE = 20

#: The share of a channel's listings that may move stock before the rest waits for the end of a full reading.
AT_ONCE = 0.01


@dataclass(slots=True)
class Watch:
    """The judgement of one reading of a channel, from its first page to its end.

    ``began_ms``: when it began; ``figures`` and ``pages``: what the pages so far have shown, and how many they were;
    ``whole``: whether it is a full one.
    """

    context: Context
    channel: Channel
    began_ms: int
    figures: Figures = NOTHING
    pages: int = 0
    whole: bool = True
    _doubted: bool = field(default=False, init=False)
    _file: Figures | None = field(default=None, init=False)
    _sample: list[Mapping[str, Any]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        name, holds = self.channel.name, self.context.holds
        if not self.pages:
            self._shelf.clear()
            self.figures = self._nothing()
        self._doubted = holds.doubted(name) is not None

    def take(self, page: Page, window: Window, cause: str) -> Merged:
        """Merge what may be merged of a page, and keep the rest for the end of the reading, or of its file."""
        self.pages += 1
        cause = page.source or cause
        if page.document is not None:
            return self._take_of_file(page, page.document, window, cause)
        known = self.figures.known
        merged = self._merge(
            page.levels, window, cause, self._judged if known else Withhold.NOTHING, noted=known > 0 and self._shows_all
        )
        self.figures = _count(self.figures, page, merged)
        at_once = 0 if self._doubted else max(self._limits.min_listings, AT_ONCE * known)
        if merged.withheld and self.figures.changed <= at_once:
            return later(merged, self._merge(_levels(merged.withheld), window, cause))
        self._keep(merged.withheld, window, cause)
        return merged

    def ends(self, rows: int, errors_before: int) -> bool:
        """The reading has ended: merge what was kept, or hold it. Says whether it is believed.

        ``rows``: how many listings it showed; ``errors_before``: how many bad rows the reading before had.
        """
        name, holds, known = self.channel.name, self.context.holds, self.figures.known
        if self._file is not None:  # its last page never came: it is given again whole
            self._shelf.clear()
            self._file = None
        shows_all = self._shows_all
        found = self.figures._replace(
            missing=max(0, self.context.ledger.listings(name) - rows) if shows_all else 0,
            errors=max(0, self.figures.errors - errors_before),
        )
        if not self.whole and found.zeroed:
            found = found._replace(zeroed=_tally(self.context, name, found.zeroed))
        approved = holds.allowed("reading", name, self.context.store.now_ms())
        words = judge_reading(found, self._limits, approved, full=shows_all) if known else []
        if words:
            doubted = (level for chunk in self._shelf.chunks() for level in chunk.levels)
            hold_reading(self.context, name, words, found, self._sample, doubted, full=shows_all)
            if not self.whole:
                self.context.store.client.delete(_tally_key(name))  # the hold has counted them
            self._shelf.clear()
            return False
        self._merge_kept()
        if shows_all:
            self._answer()
        return True

    def _answer(self) -> None:
        """The reading has shown everything, so that whatever was doubted or approved before it began is answered."""
        name, holds = self.channel.name, self.context.holds
        holds.use_up("reading", name, self.began_ms)
        standing = holds.doubted(name)
        if standing is None or standing.seen_ms <= self.began_ms:
            holds.trust(name)
            overtake(self.context, Kind.READING, name)
            self.context.store.client.delete(_tally_key(name))

    def _take_of_file(self, page: Page, document: Document, window: Window, cause: str) -> Merged:
        if document.refused:
            words = [f"{document.name} was set aside: {document.refused}"]
            hold(self.context, Kind.SET_ASIDE, self.channel.name, words, source=document.name)
            self._shelf.clear()
            self._file = None
            return Merged()
        if self._file is None:
            self._shelf.clear()
            self._sample = []
            self._file = self._nothing()
        known = self._file.known > 0
        merged = self._merge(page.levels, window, cause, Withhold.CHANGES if known else Withhold.NOTHING, noted=known)
        self._file = _count(self._file, page, merged)
        self._keep(merged.withheld, window, cause)
        if document.last:
            merged = later(merged, self._end_of_file(document, self._file))
            self._file = None
        return merged

    def _end_of_file(self, document: Document, found: Figures) -> Merged:
        name = self.channel.name
        found = found._replace(missing=max(0, found.known + found.new - document.listings))
        words = judge_reading(found, self._limits) if found.known else []
        # the files of such a till tell of some SKUs only, so that none takes the place of another
        partial = self._limits.missing_share >= 1
        if words:
            said, source = [f"{document.name}: {finding}" for finding in words], document.name
            standing = self.context.holds.of(Kind.FILE, name) if partial else None
            if standing is not None:
                said = list(dict.fromkeys([*standing.words, *said]))
                source, found = f"{standing.source}, {source}", standing.figures.plus(found)
                self._sample = [*standing.sample, *self._sample][:SAMPLE]
            keep = KeepRows.BESIDE if partial else KeepRows.INSTEAD
            hold(self.context, Kind.FILE, name, said, found, self._sample, source, keep_rows=keep)
            return Merged()
        if not partial:
            overtake(self.context, Kind.FILE, name)
        overtake(self.context, Kind.SET_ASIDE, name)
        return self._merge_kept()

    @property
    def _shows_all(self) -> bool:
        return self.whole and self.channel.capabilities.read_batch > 0

    @property
    def _judged(self) -> Withhold:
        """What of a reading waits for its end: of a journal, which moves as it comes, only falls to zero."""
        journal = self.channel.capabilities.read_batch == 0
        return Withhold.ZEROS if journal and not self._doubted else Withhold.MOVES

    @property
    def _limits(self) -> Limits:
        return self.context.settings.guard.of(self.channel.name)

    @property
    def _shelf(self) -> Shelf:
        return Shelf.of_reading(self.context.store, self.channel.name, whole=self.whole)

    def _nothing(self) -> Figures:
        return NOTHING._replace(known=self.context.ledger.listings(self.channel.name))

    def _keep(self, rows: Sequence[Withheld], window: Window, cause: str) -> None:
        if rows:
            self._shelf.keep(self.pages, Chunk(window, cause, _levels(rows)))
            self._sample += [_shown(row) for row in rows[: SAMPLE - len(self._sample)]]

    def _merge_kept(self) -> Merged:
        merged = Merged()
        for chunk in self._shelf.chunks():
            merged.add(self._merge(chunk.levels, chunk.window, chunk.cause))
        self._shelf.clear()
        return merged

    def _merge(
        self,
        levels: Sequence[Level],
        window: Window,
        cause: str,
        withhold: Withhold = Withhold.NOTHING,
        *,
        noted: bool = False,
    ) -> Merged:
        return merge(self.context, self.channel, levels, window, cause, withhold, noted=noted)


def merge(
    context: Context,
    channel: Channel,
    levels: Sequence[Level],
    window: Window,
    cause: str,
    withhold: Withhold = Withhold.NOTHING,
    *,
    noted: bool = False,
) -> Merged:
    """Merge rows that were read in a window. ``noted``: whether a reading is to be expected that shows them together
    again; of what is read singly, merged late, or has changed, none is."""
    merged = context.ledger.merge(
        channel.name,
        levels,
        window,
        channel.capabilities,
        cause=cause,
        now_ms=context.store.now_ms(),
        withhold=withhold,
        noted=noted,
    )
    if moved := merged.counts["moved"] + merged.counts["counted"]:
        context.counters.add("movements", channel.name, by=moved)
    return merged


def doubtful(context: Context, name: str) -> Withhold:
    """What readings of single listings withhold on a channel: more while a reading of it is not believed."""
    return Withhold.MOVES if context.holds.doubted(name) else Withhold.ZEROS


def believe(context: Context, channel: Channel, rows: Sequence[tuple[Withheld, Window]], cause: str) -> Merged:
    """Judge what readings of single listings withheld; merge it, or hold it.

    While a reading of the channel is not believed, rows that show what it showed are not believed either.
    """
    name, holds, merged = channel.name, context.holds, Merged()
    if not rows:
        return merged
    standing = holds.doubted(name)
    doubted = holds.doubts(standing, [row.level for row, _ in rows]) if standing else set()
    fresh = [(row, window) for row, window in rows if row.level not in doubted]
    zeros = [row for row, _ in fresh if _falls_to_zero(row)]
    if zeros:
        before = standing.figures if standing else NOTHING
        zeroed = _tally(context, name, len(zeros)) + before.zeroed
        gone = before.gone - sum(_units(row) for row in zeros)
        known = context.ledger.listings(name)
        found = NOTHING._replace(known=known, rows=len(rows), zeroed=zeroed, fell=zeroed, gone=gone)
        approved = holds.allowed("reading", name, context.store.now_ms())
        words = judge_reading(found, context.settings.guard.of(name), approved, full=False)
        if words:
            sample = [_shown(row) for row in zeros[:SAMPLE]]
            hold_reading(context, name, words, found, sample, _levels(zeros), full=False)
            context.store.client.delete(_tally_key(name))  # the hold has counted them
            held = set(zeros)
            fresh = [(row, window) for row, window in fresh if row not in held]
    windows: dict[Window, list[Level]] = {}
    for row, window in fresh:
        windows.setdefault(window, []).append(row.level)
    for window, levels in windows.items():
        merged = later(merged, merge(context, channel, levels, window, cause))
    return merged


def hold_reading(
    context: Context,
    name: str,
    words: Sequence[str],
    found: Figures,
    sample: Sequence[Mapping[str, Any]],
    doubted: Iterable[Level],
    *,
    full: bool,
) -> None:
    """Hold a reading, unless a person has discarded the like of it: then it is not believed, and not told of again."""
    standing = context.holds.doubted(name)
    if (
        standing is not None
        and not standing.is_open
        and not judge_reading(found, context.settings.guard.of(name), standing.figures, full=full)
    ):
        log.info("%s: still so, as was discarded in hold %s: %s", name, standing.id, "; ".join(words))
        context.holds.doubt(standing.id, doubted, for_s=DOUBTED_S)
        return
    context.holds.doubt(hold(context, Kind.READING, name, words, found, sample), doubted)


def hold(
    context: Context,
    kind: Kind,
    name: str,
    words: Sequence[str],
    found: Figures = NOTHING,
    sample: Sequence[Mapping[str, Any]] = (),
    source: str = "",
    *,
    keep_rows: KeepRows = KeepRows.NOT,
) -> str:
    """Hold a run, or refresh the hold of its like, and tell people of a new one. Gives its id."""
    number, fresh = context.holds.open(
        kind,
        name,
        context.store.now_ms(),
        words=words,
        figures=found,
        sample=sample,
        source=source,
        keep_rows=keep_rows,
    )
    level = logging.ERROR if fresh else logging.INFO
    about = {"trouble": "held", "channel": name}
    log.log(level, "%s: a %s is held as %s: %s", name, kind.value, number, "; ".join(words), extra=about)
    return number


def overtake(context: Context, kind: Kind, name: str) -> None:
    """Close the hold of a kind on a channel, if one is open: what came after it was believed."""
    held = context.holds.of(kind, name)
    if held is not None:
        before = context.holds.decide(held, "overtaken", "what came after it", context.store.now_ms())
        if before == "open":  # else a person was faster, and what follows from that is theirs to carry out
            context.holds.carried_out(held)
            log.info("%s: hold %s is overtaken by what came after it", name, held.id)


def _count(figures: Figures, page: Page, merged: Merged) -> Figures:
    """Figures with those of one more page."""
    rows = merged.withheld
    fell = [row for row in rows if row.what == "fell"]
    rose = [row for row in rows if row.what == "rose"]
    return figures.plus(
        NOTHING._replace(
            rows=merged.rows,
            units=sum(max(0, level.units) for level in page.levels),
            fell=len(fell),
            zeroed=sum(1 for row in fell if _falls_to_zero(row)),
            rose=len(rose),
            gone=-sum(_units(row) for row in fell),
            come=sum(_units(row) for row in rose),
            new=sum(1 for row in rows if row.what == "new"),
            errors=len(page.problems),
        )
    )


def _units(row: Withheld) -> int:
    """The units that a row would move above zero: what a till counts below it was never there to go or come."""
    return max(0, row.level.units) - max(0, row.level.units - row.units)


def _falls_to_zero(row: Withheld) -> bool:
    return row.what == "fell" and row.level.units <= 0 < row.level.units - row.units


def _tally(context: Context, name: str, zeroed: int) -> int:
    """How many single listings were seen to fall to zero in the last minutes, these included."""
    pipeline = context.store.client.pipeline(transaction=True)
    pipeline.set(_tally_key(name), 0, px=round(TALLY_S * 1000), nx=True)
    pipeline.incrby(_tally_key(name), zeroed)
    return int(pipeline.execute()[1])


def _tally_key(name: str) -> str:
    return f"{PREFIX}zeroed:{name}"


def _levels(rows: Sequence[Withheld]) -> list[Level]:
    return [row.level for row in rows]


def _shown(row: Withheld) -> Mapping[str, Any]:
    """A row of a held run as people are shown it."""
    was = None if row.what == "new" else row.level.units - row.units
    return {"sku": row.level.sku, "was": was, "is": row.level.units}


def later(merged: Merged, late: Merged) -> Merged:
    """What became of a reading once rows that it withheld were merged late."""
    counts = merged.counts + late.counts
    for what in ("fell", "rose", "new", "settles"):
        del counts[what]
    return Merged(merged.rows, counts, merged.valid | late.valid, merged.moved | late.moved)
