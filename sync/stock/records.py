"""The record of one SKU as values: what the stock of record knows of it and of its listings.

A record is one hash, ``is:{bucket}:sku:<folded>``, readable by eye:

``sku``
    The SKU as it was first written.
``on_hand``, ``rev``, ``last``
    Units on hand (absent until the authority has counted), how often they have changed, the last movement's id.
``<channel>:level``, ``<channel>:ref``, ``<channel>:read``
    The confirmed level, the channel's id of the listing, when the newest reading that showed it ended: ms, or
    ``@name``, the note that says so for a run of rows (``lua/lib_note.lua``).
``<channel>:write``
    A write under way: ``phase target base revision token began ended lease-end``; phase is ``sent``,
    ``accepted``, ``unknown`` or ``forgotten`` (the record was set back since; see ``lua/forget.lua``).
``<channel>:wrote``
    When the last confirmed write ended (ms), until a reading has been taken after it. Where it may not have landed,
    though the level is its target: ``ended target until``, until a reading has been taken after that time (ms).
``<channel>:doubts``
    How many writes in a row had their answers lost.
``<channel>:hold``
    Why nothing is written: ``parked|revision|words``, ``quarantined|when|ref of its twin`` or ``missing|when|``.
``bundle:...``
    Of bundles and their components; see ``lua/link.lua``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Literal, NamedTuple


class State(StrEnum):
    """How a listing stands, as ``stock`` shows it."""

    SETTLED = "settled"
    PENDING = "pending"
    UNKNOWN = "unknown"
    PARKED = "parked"
    QUARANTINED = "quarantined"
    MISSING = "missing"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class OpenWrite:
    """A write whose fate is not known yet. Times are milliseconds by the store's clock."""

    phase: Literal["sent", "accepted", "unknown", "forgotten"]
    target: int
    base: int
    revision: int
    token: str
    began_ms: int
    #: 0 while it is in flight.
    ended_ms: int
    #: When its writer's lease ends: from then on a write that is still ``sent`` counts as unknown.
    lease_ms: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why nothing is written to a listing."""

    kind: Literal["parked", "quarantined", "missing"]
    #: The revision at which it was parked, or when it was quarantined or missed (ms).
    mark: int
    #: The channel's own words, or the ref of the listing with the same SKU.
    words: str


class Listing(NamedTuple):
    """One SKU on one channel."""

    channel: str
    ref: str
    level: int
    write: OpenWrite | None
    hold: Hold | None
    doubts: int = 0


@dataclass(frozen=True, slots=True)
class PartStand:
    """A component as its bundle was last told of it."""

    folded: str
    #: ``None``: the authority has not counted it.
    on_hand: int | None


class Record(NamedTuple):
    """The whole record of one SKU."""

    folded: str
    sku: str
    #: ``None`` until the authority has counted it.
    on_hand: int | None
    revision: int
    #: The id of the last movement; empty where there is none.
    last: str
    listings: Mapping[str, Listing]
    #: Of a bundle: its components.
    parts: tuple[PartStand, ...] = ()


def parse_record(folded: str, fields: Mapping[str, str]) -> Record:
    """A record from its hash."""
    listings = {}
    for name in fields:
        if name[-6:] == ":level" and name.count(":") == 1:  # a component of a bundle may be called anything
            channel = name[:-6]
            listings[channel] = _parse_listing(channel, fields)
    on_hand = fields.get("on_hand")
    return Record(
        folded=folded,
        sku=fields.get("sku", folded),
        on_hand=None if on_hand is None else int(on_hand),
        revision=int(fields.get("rev", 0)),
        last=fields.get("last", ""),
        listings=listings,
        parts=_parse_parts(fields) if "bundle:recipe" in fields else (),
    )


def _parse_parts(fields: Mapping[str, str]) -> tuple[PartStand, ...]:
    stands = {name.removeprefix("bundle:part:"): fields[name] for name in fields if name.startswith("bundle:part:")}
    counts = ((component, text.split(" ")[1]) for component, text in stands.items())
    return tuple(PartStand(component, None if there == "-" else int(there)) for component, there in counts)


class _Names(NamedTuple):
    """The fields of one channel's listing."""

    level: str
    ref: str
    write: str
    hold: str
    doubts: str


@cache
def _names(channel: str) -> _Names:
    return _Names(*(f"{channel}:{field}" for field in _Names._fields))


def _parse_listing(channel: str, fields: Mapping[str, str]) -> Listing:
    level, ref, write, hold, doubts = _names(channel)
    return Listing(
        channel,
        fields[ref],
        int(fields[level]),
        _parse_write(fields[write]) if fields.get(write) else None,
        _parse_hold(fields[hold]) if fields.get(hold) else None,
        int(fields.get(doubts, 0)),
    )


def _parse_write(text: str) -> OpenWrite:
    phase, target, base, revision, token, began, ended, lease = text.split(" ")
    if phase not in ("sent", "accepted", "unknown", "forgotten"):
        raise ValueError(f"not a phase of a write: {phase!r}")
    return OpenWrite(phase, int(target), int(base), int(revision), token, int(began), int(ended), int(lease))  # type: ignore[arg-type]


def _parse_hold(text: str) -> Hold:
    kind, mark, words = text.split("|", 2)
    if kind not in ("parked", "quarantined", "missing"):
        raise ValueError(f"not a kind of hold: {kind!r}")
    return Hold(kind, int(mark), words)  # type: ignore[arg-type]


def state_of(record: Record, listing: Listing, target: int | None, *, paused: bool, now_ms: int) -> State:
    """How a listing stands. ``target``: what policy wants, ``None`` for a channel that is only read."""
    hold, write = listing.hold, listing.write
    if hold and hold.kind == "missing":
        return State.MISSING
    if (hold and hold.kind == "quarantined") or record.on_hand is None:
        return State.QUARANTINED
    if write and (write.phase in ("unknown", "forgotten") or (write.phase == "sent" and now_ms > write.lease_ms)):
        return State.UNKNOWN
    if hold and hold.kind == "parked" and hold.mark == record.revision:
        return State.PARKED
    if target is None or (write is None and target == listing.level):
        return State.SETTLED
    return State.PAUSED if paused else State.PENDING
