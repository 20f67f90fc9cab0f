"""The adapter contract: what a channel type offers to the worker, and the values that travel between them.

An adapter speaks to one outside place and knows nothing of Celery, Redis or the stock of record. It reads
levels, writes levels, and says of every write what is certain about it. To add a channel type, subclass
:class:`Channel`, run :class:`channels.testing.ChannelContract` against it, and name the class under the entry
point group ``inventory_sync.channels``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from channels.diagnosis import Finding, Severity
from channels.services import Quota, Services
from channels.webhooks import Ensured, Event

#: The most units that a level may state; BigCommerce's own limit (a signed 32-bit integer).
MAX_UNITS = 2_147_483_647


class Level(NamedTuple):
    """What one channel shows of one SKU: one row of a reading."""

    #: The SKU as the channel writes it. Comparing is the worker's business.
    sku: str
    #: The channel's own id of the listing, opaque to the worker, at most 64 characters, the same for ever.
    ref: str
    #: Units available to sell. A till may count below zero.
    units: int


class Problem(NamedTuple):
    """A row that could not be understood, or says nothing about stock. It changes nothing and is shown to people."""

    #: Where it stands: a SKU, a ref, or ``file.csv:17``.
    where: str
    #: What is wrong and what would be right, in words for a shopkeeper.
    reason: str


class Document(NamedTuple):
    """A file that counts every listing and is applied whole or not at all: what each of its pages says of it."""

    name: str
    #: Of how many listings it tells, those included whose levels are left out for a reason of ours.
    listings: int = 0
    #: Whether this page is its last. The worker judges the file before it asks for what follows.
    last: bool = False
    #: Why it was set aside, so that nothing of it is applied; empty where it may be.
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One part of a reading, small enough to be applied in one step.

    The worker asks for the next page only after it has applied this one, so an adapter may use the moment at
    which its generator is resumed to acknowledge (a till's file is archived there, never before).
    """

    levels: Sequence[Level]
    problems: Sequence[Problem] = ()
    #: From where :meth:`Channel.read_all` goes on after this page, should the worker stop here. ``None``: the
    #: adapter can only start again.
    cursor: str | None = None
    #: The moment these levels were true at the channel, where that is not the moment of asking (a till's file).
    as_of: datetime | None = None
    #: What these levels came from, for the history of a SKU (a file's name); empty where that is the API.
    source: str = ""
    #: The file that this is a page of, where the channel is read by files that each count everything.
    document: Document | None = None


class Write(NamedTuple):
    """One listing to be brought to its target."""

    ref: str
    sku: str
    #: The level that the listing is to show; never below zero.
    units: int
    #: The confirmed level it starts from; ``units - base`` is what a relative channel sends.
    base: int


class Result(StrEnum):
    """What is certain about a write once the adapter has done what it could."""

    #: The channel's answer shows the level. ``Outcome.level`` is what it shows.
    CONFIRMED = "confirmed"
    #: The channel took the write but shows nothing yet; a later reading confirms it.
    ACCEPTED = "accepted"
    #: The answer was lost: it may have been applied or not. Only a reading can tell.
    UNKNOWN = "unknown"
    #: Certainly not applied, and it will not be as it stands. ``Outcome.reason`` has the channel's words.
    REFUSED = "refused"
    #: Certainly not applied, for no fault of this row (throttled, unreachable): try it later.
    DEFERRED = "deferred"


class Outcome(NamedTuple):
    """What became of one :class:`Write`."""

    ref: str
    result: Result
    #: The level that the answer shows, for ``CONFIRMED``.
    level: int | None = None
    #: The channel's own words, for people. Never a secret.
    reason: str = ""


class Sale(NamedTuple):
    """What one line of one order takes from a listing's stock, as the order stands now."""

    #: The channel's ids of the order and of its line; together they name the sale for ever.
    order: str
    line: str
    #: The listing that was sold: its SKU, and its ref where the order names it.
    sku: str
    ref: str
    #: Units that the line has taken and not given back: ordered, less what was cancelled with its stock returned.
    units: int
    #: When the channel took them.
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a channel can do, with its limits. Times are seconds, batches are listings per call of the method."""

    #: Whether levels can be written at all.
    writes: bool
    #: Whether a write sends a difference (``units - base``) and so cannot swallow a sale.
    relative: bool = False
    #: The most writes that one call of :meth:`Channel.write` takes.
    write_batch: int = 1
    #: From how many waiting writes on one larger call of :meth:`Channel.write` costs less, and the most it then
    #: takes; 0 where there is no such way.
    bulk_from: int = 0
    bulk_batch: int = 0
    #: The most refs that one call of :meth:`Channel.read` takes; 0 where single listings cannot be read.
    read_batch: int = 0
    #: For how long after a full reading began :meth:`Channel.changed` may do instead of another one; 0: it is not
    #: offered, or not wished for. Only where single listings can be read, too.
    full_every_s: float = 0.0
    #: For how long after a write ended a reading may still show the level before it.
    settle_s: float = 0.0
    #: For how long an accepted write may stay invisible before it counts as lost.
    visible_within_s: float = 60.0
    #: Whether an accepted write is sure to be applied within ``settle_s``. Where it is not, a level that shows
    #: neither the write nor its absence is waited for, up to ``visible_within_s``.
    accepted_is_applied: bool = False
    #: Whether :meth:`Channel.sales` tells what orders took.
    orders: bool = False
    #: How far the time of an order may be from the same moment by the store's clock, its coarseness included.
    order_margin_s: float = 2.0
    #: Whether webhooks of this channel can be received and verified.
    webhooks: bool = False
    #: Whether they are registered by us, so that :meth:`Channel.ensure_hooks` has something to see to.
    hooks: bool = False
    #: Whether events wait for us in a queue of the channel's (:meth:`Channel.hints`).
    queue: bool = False


class ChannelSettings(BaseModel):
    """What every channel's table in the settings file may hold. Subclasses add their own keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    type: str
    """The channel type: an entry point of ``inventory_sync.channels``."""

    reserve: float = Field(default=0.0, ge=0, lt=1)
    """The share of the channel's quota of calls that is left to other apps, such as ``0.2``."""

    @property
    def knows_counts(self) -> bool:
        """Whether its levels are counts, so that it may be the authority. A record of changes alone knows none."""
        return True

    @property
    def quota_owner(self) -> str:
        """Names whoever the channel counts calls by; channels with the same one share a budget. Empty: this alone."""
        return ""

    @property
    def stock_place(self) -> str:
        """Names the place whose stock it counts, from the widest part to the narrowest, each ended by a slash.

        Where two channels have the same one, or one's lies in the other's, every sale there would be counted twice.
        Empty: no other channel can count it.
        """
        return ""

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """What the channel documents of the quotas of single operations, before any answer tells."""
        return {}

    @property
    def least_lease_s(self) -> float:
        """The shortest claim on a listing, in seconds, within which a write can be sent and its answer waited for.

        Requests are sent in its first half only, so no answer may be waited for longer than the other half.
        """
        return 0.0


@dataclass(slots=True)
class Channel(ABC):
    """One configured place that sells or counts. Safe to use from several threads at once.

    Every method that goes out raises a subclass of :class:`channels.errors.ChannelError` when the call as a
    whole has failed, and never anything else for trouble that lies outside. Every request has a connect and a
    read timeout.
    """

    #: The settings model of this channel type.
    Settings: ClassVar[type[ChannelSettings]]

    #: The name of its table in the settings file.
    name: str
    settings: ChannelSettings
    #: What the worker lends to adapters: the shared budget of calls and a small shared memory.
    services: Services = field(default_factory=Services)

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this channel can do, with its limits."""

    @abstractmethod
    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """Read the level of every listing, page by page, from ``cursor`` or from the beginning.

        A listing whose stock the channel does not count is left out; it is neither zero nor missing by fault.
        Two listings with one SKU are both given. One request for each page: the worker times them.
        """

    def split(self, cursor: str, parts: int) -> Sequence[str]:
        """Part the rest of a full reading, so that its parts can be read at once: at most so many cursors, each a line.

        :meth:`read_all` from each of them ends where its part ends; together they give what it would have given from
        ``cursor``. The same one alone, where the rest cannot be parted or is not worth a call.
        """
        return [cursor]

    def changed(self, since: datetime) -> Iterator[Page]:
        """Read the listings that the channel says were changed at or after ``since`` (aware), by its own clock.

        Each page like one of :meth:`read_all`, without a cursor. Such a reading promises nothing: what it leaves out
        may have been sold, where the channel does not count that as a change. Only for a channel whose
        ``capabilities.full_every_s`` is not 0.

        Raises:
            channels.errors.Rejected: the channel cannot tell, such as because too much has changed; read everything.
        """
        raise NotImplementedError(f"{type(self).__name__} does not tell what has changed")

    @abstractmethod
    def read(self, refs: Sequence[str]) -> Page:
        """Read these listings, at most ``capabilities.read_batch`` of them. A ref not found is left out."""

    @abstractmethod
    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """Bring listings to their targets, at most ``capabilities.write_batch`` of them (or a bulk of them).

        Returns one outcome for each write, in the same order. Trouble with a row, a lost answer and a refused
        batch (split until the poisoned row stands alone) are outcomes, not exceptions; the one exception
        raised is :class:`channels.errors.Denied`, and only when nothing at all has been applied.
        Once ``time.monotonic()`` has passed ``until`` nothing more is sent: the claim on these listings may be
        over, and a newer write on its way. What was not sent is ``DEFERRED``.
        A write is sent at most once for each call, except that one which was certainly not applied may be sent
        again in a smaller batch.
        """

    def sales(self, since: datetime) -> Iterator[Sale]:
        """Every line of every order placed or changed at or after ``since`` (aware), in any order, as it stands now.

        Only for a channel whose ``capabilities.orders`` is true.
        """
        raise NotImplementedError(f"{type(self).__name__} knows no orders")

    def receive(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Event:
        """Verify one webhook request and say what to look at because of it. Makes no call.

        Only for a channel whose ``capabilities.webhooks`` is true. ``body``: exactly as it came; ``now``: unix seconds.

        Raises:
            channels.webhooks.BadEvent: it is refused, and says why.
        """
        raise NotImplementedError(f"{type(self).__name__} knows no webhooks")

    def understand(self, body: bytes) -> Event:
        """What the body of an event asks to look at that came on a way which needs no proof of its own.

        Raises:
            channels.webhooks.BadEvent: it is none of this channel's.
        """
        raise NotImplementedError(f"{type(self).__name__} knows no webhooks")

    def hints(self, wait_s: int = 0) -> Iterator[Sequence[Event]]:
        """Events that wait for us in a queue of the channel's, a batch at a time; none where there is no queue.

        What was given is taken off the queue only when the next batch is asked for: keep it first, then go on.
        For the first, wait up to so many seconds.
        """
        return iter(())

    def event_refs(self, ref: str) -> tuple[str, ...]:
        """The refs by which events may name a listing. Its own is one of them; its product's may be another."""
        return (ref,)

    def ensure_hooks(self) -> Ensured:
        """Register, repair and re-arm our hooks at the channel, and delete those of ours that are stale."""
        raise NotImplementedError(f"{type(self).__name__} registers no webhooks")

    def diagnose(self) -> Iterator[Finding]:
        """Look whether everything is as it must be for this channel to be kept, at the channel's side of things.

        Writes nothing, and makes a few calls however large the channel is. Never raises for trouble that lies
        outside: that is a finding (see :func:`channels.diagnosis.examine`). Give one for what is well, too.
        """
        yield Finding(Severity.NOTE, "channel type", f"{self.settings.type} has no checks of its own")

    def close(self) -> None:  # noqa: B027 - most adapters have nothing to close
        """Let go of connections."""
