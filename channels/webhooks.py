"""What a channel's webhooks are to the worker: hints, each saying what to look at again. No I/O.

A channel type that sends webhooks says so in its capabilities (``webhooks``) and offers three methods of
:class:`channels.contract.Channel`: ``receive`` verifies a request, ``understand`` reads a verified body, and
``ensure_hooks`` keeps the channel's side registered. No level is ever taken from an event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

#: The most bytes that an event has any reason to be; those we know are some hundred.
BODY_LIMIT = 64 * 1024


class Refusal(StrEnum):
    """Why an event is not taken."""

    #: It carries no proof at all.
    UNSIGNED = "unsigned"
    #: Its proof is wrong.
    FORGED = "forged"
    #: It is signed rightly, and at another time than now.
    STALE = "stale"
    #: It is larger than any event.
    OVERSIZED = "oversized"
    #: It is not JSON, or not the JSON of an event.
    MALFORMED = "malformed"
    #: It is about another store.
    FOREIGN = "foreign"


class Event(NamedTuple):
    """What an event asks to look at."""

    scope: str
    #: What names this event and its repetitions. Two like changes within one second may share it.
    key: str
    #: When it happened, in unix seconds by the channel's clock; 0 where it does not say.
    created_at: int
    #: Listings to be read again. What names a product may ask for everything that it has.
    refs: tuple[str, ...] = ()
    #: Orders that changed.
    orders: tuple[str, ...] = ()
    #: Whether stock changed somewhere that the event does not name: only a full reading can tell.
    whole: bool = False
    #: Whether a listing is gone, which only a full reading can tell from one that was not shown for once.
    gone: bool = False
    #: Whether the scope is one that the adapter understands.
    known: bool = True
    #: The level that the event claims, where it claims one. Never to be taken for a level.
    claimed: int | None = None
    #: The sender's own id of this message, the same when it is sent again; empty where none is vouched for.
    message: str = ""


class BadEvent(Exception):
    """The request is no event of this channel."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(slots=True)
class Ensured:
    """What was done to our hooks at a channel; each entry is a scope."""

    created: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    #: Scopes whose hook was found inactive: events were missed, and only a full reading makes them good.
    rearmed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    #: What the channel refused, in its own words.
    problems: list[str] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Whether there was a time in which events could not reach us."""
        return bool(self.created or self.repaired or self.rearmed)
