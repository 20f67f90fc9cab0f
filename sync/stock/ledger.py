"""The stock of record: readings are merged into it, movements explain it, and nothing else changes it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import NamedTuple, TypeVar, cast

from channels import Capabilities, Level
from sync.stock import notes
from sync.stock.bundles import Bundles
from sync.stock.recipes import Recipes
from sync.stock.records import Record, parse_record
from sync.storage.spill import in_order
from sync.storage.store import BUCKETS, PREFIX, Call, Store, bucket_of, bucket_prefix, fold
from sync.telemetry import runs

log = logging.getLogger(__name__)

T = TypeVar("T")

NO_BUNDLES = Recipes()


class Window(NamedTuple):
    """When a reading was taken, in milliseconds by the store's clock (rule 3)."""

    began_ms: int
    ended_ms: int


@dataclass(frozen=True, slots=True)
class Roster:
    """What the ledger must know of the configured channels."""

    #: The channel whose first count opens the stock of record.
    authority: str
    #: The channels that can be written.
    writable: tuple[str, ...]
    #: What bundles are made of.
    recipes: Recipes = NO_BUNDLES


class Withhold(StrEnum):
    """Which rows of a reading are not merged, so that the guard may judge them first (rule 8)."""

    NOTHING = "nothing"
    #: What would bring a level down to nothing.
    ZEROS = "zeros"
    #: What would move stock.
    MOVES = "moves"
    #: And what would open a listing or settle a write.
    CHANGES = "changes"


class Withheld(NamedTuple):
    """A row that was not merged."""

    level: Level
    #: ``fell``, ``rose``, ``new`` or ``settles``.
    what: str
    #: The units that it would move.
    units: int


#: What the script answers of rows that are not merged, and of rows that are not believed.
WITHHELD = frozenset({"fell", "rose", "new", "settles"})
UNBELIEVED = WITHHELD | {"skipped", "quarantined", "twin", "renamed"}


@dataclass(slots=True)
class Merged:
    """What became of the rows of a reading."""

    rows: int = 0
    #: How many rows were ``counted``, ``opened``, ``moved``, ``settled``, ``quarantined``, ``uncounted``, ``skipped``
    #: (not believed, to be read again) or ``agreed`` (too near a write to be merged, but the same), and how many
    #: were withheld: ``fell``, ``rose``, ``new`` or ``settles``; ``renamed`` ones are counted under their record too.
    counts: Counter[str] = field(default_factory=Counter)
    #: Folded SKUs whose level is now known as this reading showed it; of the last reading only, where several
    #: were added up.
    valid: set[str] = field(default_factory=set)
    #: Folded SKUs whose on hand was changed, with the refs of the listings that showed it; of the last reading only.
    moved: dict[str, str] = field(default_factory=dict)
    #: The rows that wait for the guard; of the last reading only.
    withheld: list[Withheld] = field(default_factory=list)

    def join(self, other: Merged) -> None:
        """Add what became of some of the same rows, which were merged under another name."""
        self.valid |= other.valid
        self.moved |= other.moved
        self.withheld += other.withheld
        self.counts += other.counts

    def add(self, other: Merged) -> None:
        """Add the figures of another reading."""
        self.valid, self.moved, self.withheld = other.valid, other.moved, other.withheld
        self.rows += other.rows
        self.counts += other.counts


class Movement(NamedTuple):
    """One change of on hand. Movements are only ever appended."""

    id: str
    sku: str
    at: datetime
    channel: str
    #: Units by which on hand changed.
    units: int
    #: On hand after it.
    on_hand: int
    revision: int
    #: Why, in a few words: ``opened``, ``changed``, ``lost answer, less stock assumed``, ...
    why: str
    #: What brought it: a pull, an event, a file, an order.
    cause: str
    #: The level that the channel showed.
    level: int


class Standing(NamedTuple):
    """How one SKU stands on a few channels, as the store words it; empty texts where there is nothing."""

    folded: str
    on_hand: int | None
    levels: Sequence[str]
    writes: Sequence[str]


class Ledger:
    """Typed access to the records. Every change is one Lua step for each SKU.

    The invariant: for every SKU, on hand is the sum of its movements, and for every listing the confirmed level
    is what the channel was last known, by its own answer, to show.
    """

    def __init__(self, store: Store, roster: Roster) -> None:
        self.store = store
        self.roster = roster
        self.bundles = Bundles(store, roster.recipes, roster.writable)

    def merge(
        self,
        channel: str,
        levels: Iterable[Level],
        window: Window,
        capabilities: Capabilities,
        *,
        cause: str,
        why: str = "changed",
        now_ms: int | None = None,
        withhold: Withhold = Withhold.NOTHING,
        noted: bool = True,
    ) -> Merged:
        """Merge a reading (rules 3, 4, 5, 7 and 12), in two round trips. Merging it again changes nothing.

        Rows that read as they did are known by their notes (:mod:`sync.stock.notes`), and that is all of them; not
        where ``noted`` says that no reading is to be expected that shows the same rows together.
        Rows that are withheld are merged later, with the window in which they were read; those that the world has
        overtaken by then are skipped like any late reading.
        """
        self.bundles.link()
        now_ms = window.ended_ms if now_ms is None else now_ms
        # a file that is dated ahead of our clock tells of now, and must not silence those after it
        began_ms, ended_ms = min(window.began_ms, now_ms), min(window.ended_ms, now_ms)
        head: list[str | int] = [
            channel,
            now_ms,
            began_ms,
            ended_ms,
            round(capabilities.settle_s * 1000),
            round(capabilities.visible_within_s * 1000),
            int(capabilities.accepted_is_applied),
            int(channel == self.roster.authority),
            int(capabilities.read_batch > 0),
            int(capabilities.orders),
            round(capabilities.order_margin_s * 1000),
            why,
            runs.caused(cause),
            withhold.value,
            len(self.roster.writable),
            *self.roster.writable,
        ]
        merged = Merged()
        rows: dict[int, list[str | int]] = {bucket: [] for bucket in range(BUCKETS)}
        for sku, ref, units in levels:
            folded = fold(sku)
            try:
                bucket = bucket_of(folded)
            except UnicodeEncodeError:  # half a surrogate pair, from a channel's JSON: it cannot be written down
                merged.counts["unreadable"] += 1
                continue
            merged.valid.add(folded)
            rows[bucket] += (folded, sku.strip(), ref, units)
            merged.rows += 1
        read = [
            notes.run(bucket, part, self._kin(part), authority=channel == self.roster.authority, noted=noted)
            for bucket, flat in rows.items()
            if flat
            for part in (notes.parted(flat) if noted else [flat])
        ]
        changed = notes.changed(self.store, channel, read, began_ms, ended_ms)
        calls = [Call([bucket_prefix(run.bucket)], [*head, *run.kin, run.text, *run.note]) for run in changed]
        answers = self.store.run("merge", calls)
        self.bundles.work()
        renamed: list[Level] = []
        for (_, flat, *_), answer in zip(changed, answers, strict=True):
            merged.counts.update(answer[1::3])
            for index, what, units in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
                if what in UNBELIEVED:
                    merged.valid.discard(str(flat[4 * index]))
                if what == "renamed":
                    renamed.append(Level(str(units), str(flat[4 * index + 2]), int(flat[4 * index + 3])))
                if what == "moved":
                    merged.moved[str(flat[4 * index])] = str(flat[4 * index + 2])
                if what in WITHHELD:
                    _, shown, shown_ref, level = flat[4 * index : 4 * index + 4]
                    merged.withheld.append(Withheld(Level(str(shown), str(shown_ref), int(level)), what, units))
                if what == "quarantined":
                    log.error(
                        "%s: %s: two listings have this SKU; neither is written until one of them has another",
                        *(channel, flat[4 * index + 1]),
                        extra={"trouble": "quarantined", "channel": channel, "sku": flat[4 * index + 1]},
                    )
        if renamed:
            again = self.merge(
                channel,
                renamed,
                window,
                capabilities,
                cause=cause,
                why=why,
                now_ms=now_ms,
                withhold=withhold,
                noted=noted,
            )
            merged.join(again)
        return merged

    def _kin(self, flat: Sequence[str | int]) -> list[str | int]:
        return self.roster.recipes.kin(map(str, islice(flat, 0, None, 4)))

    def absent(
        self, channel: str, pull_began_ms: int, look_for: Callable[[Sequence[str]], None] = lambda _: None
    ) -> Counter[str]:
        """After a full reading: note the listings that it did not show (rule 7), and the twins that are gone.

        ``look_for`` is given those that are about to be noted as missing, some at a time; what it finds is not.
        """
        found: Counter[str] = Counter()
        for chunk in chunks(self.scan(), 1000):
            seen = self._absent(channel, pull_began_ms, chunk, certain=False)
            gone = [folded for folded, what in seen if what == "gone"]
            if gone:
                look_for(gone)
                seen += self._absent(channel, pull_began_ms, gone, certain=True)
            found.update(what for _, what in seen if what != "gone")
        return found

    def _absent(self, channel: str, pull_began_ms: int, skus: Sequence[str], *, certain: bool) -> list[tuple[str, str]]:
        now_ms = self.store.now_ms()
        rows: dict[int, list[str]] = {}
        for folded in skus:
            rows.setdefault(bucket_of(folded), []).append(folded)
        head: list[str | int] = [channel, now_ms, pull_began_ms, int(certain)]
        calls = [Call([bucket_prefix(bucket)], [*head, *mine]) for bucket, mine in rows.items()]
        return [
            pair for answer in self.store.run("absent", calls) for pair in zip(answer[::2], answer[1::2], strict=True)
        ]

    def listings(self, channel: str) -> int:
        """How many listings of a channel are known."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.get(f"{bucket_prefix(bucket)}listings:{channel}")
        return sum(int(count or 0) for count in pipeline.execute())

    def oversold(self) -> int:
        """How many SKUs were sold more often than there were: their on hand is below zero."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.scard(f"{bucket_prefix(bucket)}oversold")
        return sum(pipeline.execute())

    def records(self, skus: Sequence[str]) -> list[Record]:
        """The records of these SKUs, in the same order, without those that are not known."""
        folded = [fold(sku) for sku in skus]
        pipeline = self.store.client.pipeline(transaction=False)
        for name in folded:
            pipeline.hgetall(_record_key(name))
        return [parse_record(name, fields) for name, fields in zip(folded, pipeline.execute(), strict=True) if fields]

    def read_ms(self, channel: str, folded: str) -> int:
        """When the newest reading that showed a listing ended, by the store's clock; 0 where there is no listing."""
        (read_at,) = self.store.run("read_at", [Call([bucket_prefix(bucket_of(folded))], [channel, folded])])
        return int(read_at or 0)

    def skus(self) -> Iterator[str]:
        """All folded SKUs in their order. A million of them take no more memory than a thousand."""
        return in_order(self.scan())

    def every_record(self) -> Iterator[Record]:
        """All records in the order of their SKUs."""
        for chunk in chunks(self.skus(), 500):
            yield from self.records(chunk)

    def standings(self, channels: Sequence[str], skus: Sequence[str]) -> Iterator[Standing]:
        """How these folded SKUs stand on some channels: much cheaper than their records, and in no order."""
        width = 1 + 2 * len(channels)
        parts: dict[int, list[str]] = {}
        for sku in skus:
            parts.setdefault(bucket_of(sku), []).append(sku)
        calls = [Call([bucket_prefix(bucket)], [len(channels), *channels, *part]) for bucket, part in parts.items()]
        for part, flat in zip(parts.values(), self.store.run("standing", calls), strict=True):
            for place, sku in enumerate(part):
                on_hand, *rest = flat[place * width : (place + 1) * width]
                yield Standing(sku, int(on_hand) if on_hand else None, rest[::2], rest[1::2])

    def history(self, sku: str) -> list[Movement]:
        """All movements of a SKU, oldest first."""
        folded = fold(sku)
        stream = f"{bucket_prefix(bucket_of(folded))}movements"
        movement_id = cast("str | None", self.store.client.hget(_record_key(folded), "last"))
        movements = []
        while movement_id:
            found = self.store.client.xrange(stream, movement_id, movement_id)
            if not found:
                break
            fields = cast("dict[str, str]", found[0][1])
            movements.append(_movement(movement_id, fields))
            movement_id = fields["prev"]
        return movements[::-1]

    def last_movements(self, records: Sequence[Record]) -> list[Movement | None]:
        """The last movement of each of these SKUs, in order; ``None`` where nothing ever moved."""
        pipeline = self.store.client.pipeline(transaction=False)
        for record in records:
            stream = f"{bucket_prefix(bucket_of(record.folded))}movements"
            pipeline.xrange(stream, record.last or "0", record.last or "0")
        return [_movement(*found[0]) if found else None for found in pipeline.execute()]

    def scan(self) -> Iterator[str]:
        """All folded SKUs in no order; one may come twice while the store grows."""
        for key in self.store.client.scan_iter(match=f"{PREFIX}{{*}}:sku:*", count=1000):
            yield key.split(":sku:", 1)[1]


def _movement(movement_id: str, fields: Mapping[str, str]) -> Movement:
    return Movement(
        id=movement_id,
        sku=fields["sku"],
        at=datetime.fromtimestamp(int(fields["at"]) / 1000, UTC),
        channel=fields["channel"],
        units=int(fields["units"]),
        on_hand=int(fields["on_hand"]),
        revision=int(fields["rev"]),
        why=fields["why"],
        cause=fields["cause"],
        level=int(fields["level"]),
    )


def _record_key(folded: str) -> str:
    return f"{bucket_prefix(bucket_of(folded))}sku:{folded}"


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    chunk: list[T] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
