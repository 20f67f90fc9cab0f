"""Held runs: what the guard has stopped, until a person approves or discards it. All of it stands in the store.

One held run is one hash, ``is:{holds}:<number>``:

``kind``, ``channel``, ``state``
    What was held (:class:`Kind`), where, and ``open``, ``approved``, ``discarded`` or ``overtaken``.
``opened``, ``seen``, ``times``
    When the guard first and last held it (ms), and how often: the like of it refreshes a hold that is open.
``source``, ``words``, ``figures``, ``sample``
    The file it came from, the findings, the numbers that were judged, and a few of its rows, for people.
``decided``, ``by``
    When, and by whom.

Beside it, for a held file, ``:rows`` (:mod:`sync.guard.withheld`), and for a held reading ``:refs``, the levels that
are not believed while it stands, by ref. No quantity that is to be written is kept: that is worked out when it is
written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Literal, cast

from channels import Level
from sync.guard.judge import NOTHING, Figures
from sync.guard.withheld import HOLDS, Shelf
from sync.storage.store import Call, Store

#: For how long a hold is listed after it was decided, in seconds.
KEPT_S = 30 * 24 * 3600.0

#: For how long what a person has approved may pass, in seconds, and for how long what was discarded is not told again.
ALLOWED_S = 3600.0
DOUBTED_S = 24 * 3600.0

#: How many refs go to the store in one command.
REFS_A_CALL = 1000


class Kind(StrEnum):
    """What was held."""

    #: A reading of a channel that can be read again.
    READING = "reading"
    #: A file, which was read whole.
    FILE = "file"
    #: A file that the adapter has put aside, since nothing of it could be understood or believed.
    SET_ASIDE = "set aside"
    #: The writes to a channel that was never written before.
    FIRST_CONTACT = "first contact"
    #: The writes to a channel, when they are too many.
    PLAN = "plan"


class KeepRows(StrEnum):
    """What becomes of the rows that a reading has withheld when a run is held."""

    #: They belong to a reading that may go on beside this, and are left alone.
    NOT = "0"
    #: They are the hold's, instead of those of a file before.
    INSTEAD = "1"
    #: They are the hold's, beside those of a file before.
    BESIDE = "2"


Verdict = Literal["approved", "discarded", "overtaken"]


@dataclass(frozen=True, slots=True)
class HeldRun:
    """One held run. Times are milliseconds by the store's clock; ``decided_ms`` is 0 while it is open."""

    id: str
    kind: Kind
    channel: str
    state: str
    opened_ms: int
    seen_ms: int
    times: int
    source: str
    words: Sequence[str]
    figures: Figures
    sample: Sequence[Mapping[str, Any]]
    decided_ms: int
    by: str

    @property
    def is_open(self) -> bool:
        """Whether it waits for a person."""
        return self.state == "open"


class Holds:
    """The held runs on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def open(
        self,
        kind: Kind,
        channel: str,
        now_ms: int,
        *,
        words: Sequence[str],
        figures: Figures = NOTHING,
        sample: Sequence[Mapping[str, Any]] = (),
        source: str = "",
        keep_rows: KeepRows = KeepRows.NOT,
    ) -> tuple[str, bool]:
        """Hold a run, or refresh the open hold of its kind and channel. Gives its id, and whether it is new."""
        fields: list[str | int] = ["source", source, "words", json.dumps(words, ensure_ascii=False)]
        fields += ["figures", json.dumps(figures), "sample", json.dumps(sample, ensure_ascii=False)]
        call = Call([HOLDS], [kind.value, channel, now_ms, keep_rows.value, *fields])
        ((number, fresh),) = self.store.run("hold_open", [call])
        return str(number), fresh == "1"

    def get(self, hold: str) -> HeldRun | None:
        """A held run by its id; ``None`` where there is none, or no longer."""
        if not hold.isdecimal():
            return None
        fields = cast("dict[str, str]", self.store.client.hgetall(HOLDS + hold))
        return _parse(hold, fields) if fields else None

    def of(self, kind: Kind, channel: str) -> HeldRun | None:
        """The open hold of a kind on a channel."""
        hold = cast("str | None", self.store.client.hget(f"{HOLDS}open", f"{kind.value}|{channel}"))
        return self.get(hold) if hold else None

    def open_ones(self) -> list[HeldRun]:
        """All that wait for a person, the oldest first."""
        numbers = cast("list[str]", self.store.client.hvals(f"{HOLDS}open"))
        found = (self.get(number) for number in sorted(numbers, key=int))
        return [hold for hold in found if hold is not None and hold.is_open]

    def all(self) -> Iterator[HeldRun]:
        """All that are kept, decided ones too, the oldest first."""
        for number in cast("list[str]", self.store.client.zrange(f"{HOLDS}ids", 0, -1)):
            hold = self.get(number)
            if hold is None:
                self.store.client.zrem(f"{HOLDS}ids", number)
            else:
                yield hold

    def decide(
        self, hold: HeldRun, verdict: Verdict, by: str, now_ms: int, allowed: Mapping[str, Figures] | None = None
    ) -> str:
        """Decide, unless that was done. Gives the state before: ``open`` where this call has decided.

        ``allowed``: what may pass from now on, by ``<reading or plan>|<channel>``.
        """
        until_ms = now_ms + round(ALLOWED_S * 1000)
        passes = [
            text
            for like, figures in (allowed or {}).items()
            for text in (f"{like}|{hold.id}", json.dumps([until_ms, figures]))
        ]
        call = Call([HOLDS], [hold.id, verdict, now_ms, by, round(KEPT_S * 1000), *passes])
        return str(self.store.run("hold_decide", [call])[0])

    def to_carry_out(self) -> list[HeldRun]:
        """Those that were decided and are not carried out yet."""
        numbers = cast("set[str]", self.store.client.smembers(f"{HOLDS}todo"))
        found = {number: self.get(number) for number in sorted(numbers, key=int)}
        for number in [number for number, hold in found.items() if hold is None]:
            self.store.client.srem(f"{HOLDS}todo", number)
        return [hold for hold in found.values() if hold is not None]

    def carried_out(self, hold: HeldRun) -> None:
        """Nothing more follows from a decision."""
        self.store.client.delete(f"{HOLDS}{hold.id}:rows")
        # what was discarded is not believed for a while
        self.store.client.expire(f"{HOLDS}{hold.id}:refs", round(DOUBTED_S) if hold.state == "discarded" else 0)
        self.store.client.srem(f"{HOLDS}todo", hold.id)

    def rows(self, hold: HeldRun) -> Shelf:
        """The rows of a held file."""
        return Shelf.of_hold(self.store, hold.id)

    # --- what is let through

    def allowed(self, what: Literal["reading", "plan"], channel: str, now_ms: int) -> Figures:
        """What a person has approved and may still pass, added up."""
        total = NOTHING
        for field, text in self._allowances(what, channel):
            until_ms, figures = json.loads(text)
            if until_ms < now_ms:
                self.store.client.hdel(f"{HOLDS}allowed", field)
            else:
                total = total.plus(Figures(*figures))
        return total

    def use_up(self, what: Literal["reading", "plan"], channel: str, before_ms: int) -> None:
        """Let nothing more pass of what was approved before then."""
        until_ms = before_ms + round(ALLOWED_S * 1000)
        fields = [field for field, text in self._allowances(what, channel) if json.loads(text)[0] <= until_ms]
        if fields:
            self.store.client.hdel(f"{HOLDS}allowed", *fields)

    def keep_allowed(self, what: Literal["reading", "plan"], channel: str, now_ms: int) -> None:
        """Let what was approved pass for longer: it is on its way."""
        until_ms = now_ms + round(ALLOWED_S * 1000)
        for field, text in self._allowances(what, channel):
            self.store.client.hset(f"{HOLDS}allowed", field, json.dumps([until_ms, json.loads(text)[1]]))

    def _allowances(self, what: str, channel: str) -> list[tuple[str, str]]:
        found = cast("dict[str, str]", self.store.client.hgetall(f"{HOLDS}allowed"))
        return [(field, text) for field, text in found.items() if field.startswith(f"{what}|{channel}|")]

    # --- listings that are not believed

    def doubt(self, hold: str, levels: Iterable[Level], *, for_s: float = KEPT_S) -> None:
        """Have these levels not believed while a held reading stands, and for so many seconds at most."""
        key, rest = f"{HOLDS}{hold}:refs", iter(levels)
        while chunk := list(islice(rest, REFS_A_CALL)):
            self.store.client.hset(key, mapping={level.ref: level.units for level in chunk})
            self.store.client.expire(key, round(for_s))

    def doubted(self, channel: str) -> HeldRun | None:
        """The held reading of a channel that stands: open, or discarded within a day and not overtaken."""
        pipeline = self.store.client.pipeline(transaction=False)
        pipeline.hget(f"{HOLDS}open", f"{Kind.READING.value}|{channel}")
        pipeline.hget(f"{HOLDS}doubted", channel)
        opened, discarded = pipeline.execute()
        hold = self.get(opened) if opened else None
        if hold is not None:
            return hold
        hold = self.get(discarded) if discarded else None
        if hold is None or hold.decided_ms + DOUBTED_S * 1000 < self.store.now_ms():
            return None
        return hold

    def doubts(self, hold: HeldRun, levels: Sequence[Level]) -> set[Level]:
        """Those among these levels that are as a held reading showed them, and are not believed."""
        if not levels:
            return set()
        refs = [level.ref for level in levels]
        held = cast("list[str | None]", self.store.client.hmget(f"{HOLDS}{hold.id}:refs", refs))
        return {level for level, units in zip(levels, held, strict=True) if units == str(level.units)}

    def doubted_among(self, hold: HeldRun, refs: Sequence[str]) -> set[str]:
        """Those of these listings that a held reading does not believe."""
        units = cast("list[str | None]", self.store.client.hmget(f"{HOLDS}{hold.id}:refs", list(refs))) if refs else []
        return {ref for ref, held in zip(refs, units, strict=True) if held is not None}

    def doubted_refs(self, hold: HeldRun) -> Iterator[str]:
        """All listings that a held reading does not believe."""
        for ref, _ in self.store.client.hscan_iter(f"{HOLDS}{hold.id}:refs", count=REFS_A_CALL):
            yield ref

    def trust(self, channel: str) -> None:
        """Believe a channel again whose discarded reading was not told of."""
        self.store.client.hdel(f"{HOLDS}doubted", channel)

    # --- first contact

    def contacted(self, channel: str) -> bool:
        """Whether the channel's first push was let through."""
        return bool(self.store.client.hexists(f"{HOLDS}contacted", channel))

    def note_contact(self, channel: str, now_ms: int) -> None:
        """The channel's first push is let through, or there was nothing to approve."""
        self.store.client.hsetnx(f"{HOLDS}contacted", channel, str(now_ms))


def _parse(number: str, fields: Mapping[str, str]) -> HeldRun:
    return HeldRun(
        id=number,
        kind=Kind(fields["kind"]),
        channel=fields["channel"],
        state=fields["state"],
        opened_ms=int(fields["opened"]),
        seen_ms=int(fields["seen"]),
        times=int(fields["times"]),
        source=fields["source"],
        words=json.loads(fields["words"]),
        figures=Figures(*json.loads(fields["figures"])),
        sample=json.loads(fields["sample"]),
        decided_ms=int(fields.get("decided", 0)),
        by=fields.get("by", ""),
    )
