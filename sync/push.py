"""Bringing a channel's listings to their targets.

The way of one listing: it is dirty; its target is worked out from the record as it stands; just before the write
the level is read once more and merged (rule 6); the target is worked out again; the listing is claimed at that very
revision (rules 1 and 2); the write is sent; its outcome is settled (rule 5).
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, groupby

from channels import Capabilities, Channel, Outcome, Result, Write
from channels.errors import ChannelError, Throttled, Unanswered
from sync import budget, webhooks
from sync.budget import Urgency
from sync.context import Context
from sync.deadline import Deadline
from sync.guard import gate
from sync.look import Look, look
from sync.policy.rulebook import in_force
from sync.stock import recovery
from sync.stock.records import Record
from sync.stock.worklist import CLASS
from sync.stock.writes import Intent, Settlement

log = logging.getLogger(__name__)

#: What the calls of a batch are for, by the most urgent of its writes.
NEEDS = (Urgency.WRITE_TO_ZERO, Urgency.WRITE_DOWN, Urgency.WRITE_UP)

#: How many dirty listings are looked at together, so that the most urgent of them go first.
LOOKAHEAD = 2000

#: So many lost answers in a row, the last ones to writes of this row alone, park it: trouble of its own.
MOST_DOUBTS = 10

#: Seconds until writes that the channel has put off are tried again.
PUT_OFF_S = 1.0

#: What a channel has taken.
SENT = (Result.CONFIRMED, Result.ACCEPTED)

#: The share of the lease in which requests are sent; the rest is kept for the answer to the last of them.
SENDING = 0.5


@dataclass(slots=True)
class Pushed:
    """What became of a channel's dirty listings."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Whether all that was dirty has been dealt with.
    finished: bool = True
    #: When (ms) the events came that are behind the writes under way, by folded SKU, where any are.
    since: dict[str, int] = field(default_factory=dict)
    #: Why the rest was left for later: a whole batch was put off, or its answers were lost. ``None``: no reason.
    trouble: ChannelError | None = None


def push(
    context: Context,
    name: str,
    deadline: Deadline,
    news: Callable[[], None] = lambda: None,
    pace: Callable[[], bool] = lambda: False,
) -> Pushed:
    """Bring the dirty listings of a channel to their targets, the most urgent first.

    A channel that is paused, before or meanwhile, is not written, and one whose plan waits for a person only where
    that person has let single listings through; what is wrong stays dirty.

    Parameters:
        context: What to work with.
        name: The channel.
        deadline: When to leave the rest to another task.
        news: Called when a look before a write has moved stock, or may have, so that the other channels hear of it.
        pace: Called before a batch that is not full, and brings nothing to zero; true where it has waited, and more
            may be dirty by now.

    Raises:
        channels.errors.ChannelError: the channel cannot be read or written; what was not written stays dirty.
    """
    pushed = Pushed()
    if context.channel(name).capabilities.writes and not recovery.under_way(context.store):
        with in_force(context, name, deadline):
            _push(context, name, deadline, pushed, news, pace)
        gate.passed(context, name)
    return pushed


def _push(
    context: Context,
    name: str,
    deadline: Deadline,
    pushed: Pushed,
    news: Callable[[], None],
    pace: Callable[[], bool],
) -> None:
    channel = context.channel(name)
    tried: dict[str, float] = {}
    while not deadline.over:
        # each time, for what has become wrong meanwhile is a plan too
        ranks = context.worklist.ranks if gate.passes(context, name) else context.admissions.ranks
        dirty = _not_tried(ranks(name, LOOKAHEAD), tried)
        if not dirty:
            return
        waiting = _drop_right(context, name, context.ledger.records(list(dirty)), pushed)
        few = 0 < len(waiting) < channel.capabilities.write_batch
        if few and min(dirty.values()) >= CLASS and pace():
            continue
        tried.update(dirty)
        parts, seen = list(batches(waiting, name, channel.capabilities)), None
        for place, batch in enumerate(parts):
            if context.pauses.of(name):
                return
            if deadline.over or pushed.trouble:
                pushed.finished = False
                return
            need = min(
                urgency(record.listings[name].level, context.policy.target(record, name) or 0) for record in batch
            )
            if any(rank < need * CLASS for rank in _not_tried(ranks(name, 1), tried).values()):
                _forget(tried, (record.folded for record in waiting))  # something more urgent has come
                break
            with budget.urgency(NEEDS[need]):
                if seen is None or not seen.covers(batch):
                    try:
                        seen = look(context, channel, batch, list(chain.from_iterable(parts[place + 1 :])))
                    except ChannelError:
                        news()  # calls before the one that failed may have brought some
                        raise
                    if seen.news:
                        news()
                _forget(tried, _push_batch(context, channel, batch, seen, pushed))
    pushed.finished = False


def _not_tried(dirty: Mapping[str, float], tried: Mapping[str, float]) -> dict[str, float]:
    """Those that were not tried in this push, or have become more urgent since."""
    return {sku: rank for sku, rank in dirty.items() if rank < tried.get(sku, math.inf)}


def _forget(tried: dict[str, float], skus: Iterable[str]) -> None:
    for sku in skus:
        tried.pop(sku, None)


def urgency(level: int, wanted: int) -> int:
    """Which writes go first: to zero (0), then down (1), then up (2). What is not there must not be sold."""
    if wanted == 0:
        return 0
    return 1 if wanted < level else 2


def batches(wrong: Sequence[Record], name: str, capabilities: Capabilities) -> Iterator[list[Record]]:
    """Listings to be written, in parts that one call of the channel takes.

    A row that spoils its batch's answer is found by halving (rule 11): listings whose last answers were lost go
    after the others, in batches half as large for each time.
    """
    whole = [record for record in wrong if not record.listings[name].doubts]
    bulk = 0 < capabilities.bulk_from <= len(whole)
    yield from _parts(whole, capabilities.bulk_batch if bulk else capabilities.write_batch)
    doubted = sorted(
        (record for record in wrong if record.listings[name].doubts), key=lambda r: r.listings[name].doubts
    )
    for doubts, group in groupby(doubted, key=lambda record: record.listings[name].doubts):
        yield from _parts(list(group), max(1, capabilities.write_batch >> doubts))


def _parts(records: Sequence[Record], size: int) -> Iterator[list[Record]]:
    for start in range(0, len(records), size):
        yield list(records[start : start + size])


def _drop_right(context: Context, name: str, records: Sequence[Record], pushed: Pushed) -> list[Record]:
    """Unmark listings that show their target already; give the others, the most urgent first."""
    wrong, right = [], []
    for record in records:
        listing = record.listings.get(name)
        wanted = context.policy.target(record, name)
        if listing is None:
            right.append(Intent(record.folded, record.revision, -1))  # no level: should one open now, it stays dirty
        elif wanted is None or wanted == listing.level:
            right.append(Intent(record.folded, record.revision, listing.level))
        elif listing.write is not None:
            right.append(Intent(record.folded, record.revision, wanted))  # whoever settles it marks it again
        else:
            wrong.append((urgency(listing.level, wanted), record))
    if right:
        context.writes.rest(name, right, context.store.now_ms())
        pushed.counts["right"] += len(right)
    wrong.sort(key=lambda pair: pair[0])
    return [record for _, record in wrong]


def _push_batch(context: Context, channel: Channel, records: Sequence[Record], seen: Look, pushed: Pushed) -> set[str]:
    """Claim, write and settle one batch. Gives the SKUs that moved meanwhile and are to be tried again."""
    token, theirs = context.writes.new_token(), context.aliases.theirs
    fresh = context.ledger.records([record.folded for record in records])
    intents = [
        Intent(record.folded, record.revision, wanted, record.listings[channel.name].ref)
        for record in fresh  # a full reading may have taken the listing from its record meanwhile
        if channel.name in record.listings and (wanted := context.policy.target(record, channel.name)) is not None
    ]
    intents = _drop_uncertain(context, channel.name, intents, seen.certain, pushed)
    pushed.since = context.latency.behind(channel.name, {intent.folded: intent.revision for intent in intents})
    until = time.monotonic() + context.writes.lease_s * SENDING
    claims = context.writes.claim(
        channel.name,
        token,
        intents,
        context.store.now_ms(),
        capabilities=channel.capabilities,
        guard_ms=seen.began_ms,
    )
    pushed.counts.update(claim.what for claim in claims if claim.what != "claimed")
    claimed = {claim.folded: claim for claim in claims if claim.what == "claimed"}
    writes = [
        Write(record.listings[channel.name].ref, theirs(channel.name, record.sku), claim.target, claim.base)
        for record in fresh
        if (claim := claimed.get(record.folded))
    ]
    doubts = records[0].listings[channel.name].doubts
    if writes and len(writes) == 1 and doubts >= MOST_DOUBTS:
        words = f"the answers to {doubts} writes in a row were lost; retry it once the channel takes it again"
        _settle(context, channel, token, list(claimed), writes, [Outcome("", Result.REFUSED, reason=words)], pushed)
    elif writes:
        _send(context, channel, token, list(claimed), writes, until, pushed, doubts)
    return {claim.folded for claim in claims if claim.what == "moved"}


def _drop_uncertain(
    context: Context, name: str, intents: Sequence[Intent], certain: Set[str], pushed: Pushed
) -> list[Intent]:
    """Leave alone what the reading just before the write did not show, or showed otherwise without being believed.

    A write would go over whatever happened since the reading before. These listings stay dirty, unless they are
    held, and are looked at again.
    """
    uncertain = [intent for intent in intents if intent.folded not in certain]
    if uncertain:
        context.writes.rest(name, uncertain, context.store.now_ms())
        pushed.counts["uncertain"] += len(uncertain)
    return [intent for intent in intents if intent.folded in certain]


def _send(
    context: Context,
    channel: Channel,
    token: str,
    skus: Sequence[str],
    writes: Sequence[Write],
    until: float,
    pushed: Pushed,
    doubts: int,
) -> None:
    webhooks.expect_echo(context, channel, [write.ref for write in writes])
    try:
        outcomes = channel.write(writes, until=until)
    except ChannelError as error:  # by the contract nothing was applied
        deferred = [Outcome(write.ref, Result.DEFERRED, reason=error.reason) for write in writes]
        _settle(context, channel, token, skus, writes, deferred, pushed)
        raise
    _settle(context, channel, token, skus, writes, outcomes, pushed, doubts)


def _settle(
    context: Context,
    channel: Channel,
    token: str,
    skus: Sequence[str],
    writes: Sequence[Write],
    outcomes: Sequence[Outcome],
    pushed: Pushed,
    doubts: int = 0,
) -> None:
    settlements = [
        Settlement(sku, _certain(write, outcome), outcome.reason)
        for sku, write, outcome in zip(skus, writes, outcomes, strict=True)
    ]
    now_ms = context.store.now_ms()
    context.writes.settle(channel.name, token, settlements, now_ms, settle_s=channel.capabilities.settle_s)
    outcomes_of = Counter(settlement.result.value for settlement in settlements)
    pushed.counts.update(outcomes_of)
    for result, number in outcomes_of.items():
        context.counters.add("writes", channel.name, result, by=number)
    for settlement in settlements:
        if settlement.result in SENT and settlement.folded in pushed.since:
            context.latency.written(channel.name, settlement.result.value, now_ms - pushed.since[settlement.folded])
    results, words = {settlement.result for settlement in settlements}, settlements[0].words
    if results == {Result.DEFERRED}:
        pushed.trouble = Throttled(channel.name, "write", words, retry_after_s=PUT_OFF_S)
    elif results <= {Result.UNKNOWN, Result.DEFERRED} and not (len(writes) == 1 and doubts):
        pushed.trouble = Unanswered(channel.name, "write", words)
    for settlement in settlements:
        if settlement.result in (Result.REFUSED, Result.UNKNOWN):
            about = {"channel": channel.name, "sku": settlement.folded}
            if settlement.result is Result.REFUSED:
                about["trouble"] = "parked"
            log.warning(
                "%s: %s: write %s: %s",
                *(channel.name, settlement.folded, settlement.result, settlement.words),
                extra=about,
            )


def _certain(write: Write, outcome: Outcome) -> Result:
    """A write whose answer shows another level than the one sent is taken, and left to a reading."""
    shows_another = outcome.result is Result.CONFIRMED and outcome.level not in (None, write.units)
    return Result.ACCEPTED if shows_another else outcome.result
