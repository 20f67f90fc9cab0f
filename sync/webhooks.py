"""Events that channels send: kept in the store first (rule 14), then rung for. They are hints and no more (rule 9).

Why an echo of our own write is not recognised by its payload. BigCommerce's ``value`` is documented as the
difference and shown as the level, and which ``method`` means which is documented both ways. Read as a difference,
the value of our own write is also that of a person who adds as many units by hand; so no value proves that nothing
else happened, and the listing is read. That reading is not lost: it is the one after the write that rule 6 wants.
It is made once, after the settle time (``quiet:<channel>``, see ``Worklist.hush``), because none before would count.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import NamedTuple

from channels import Channel
from channels.webhooks import Event
from sync.bells import Bells
from sync.context import Context
from sync.deadline import Deadline
from sync.readings import Pulls
from sync.storage.store import PREFIX, Call, Store, bucket_of, bucket_prefix

log = logging.getLogger(__name__)

#: For how long an event is remembered, in seconds: channels repeat one for two days (BigCommerce: 48.07 hours).
REMEMBER_S = 49 * 3600.0

#: After its second, for how long another event of the same name may come about, in milliseconds: clocks differ.
LIKE_MS = 1000

#: How late an event is that was not delivered at the first attempt, in milliseconds; the first repetition is after
#: a minute.
LATE_MS = 45_000

#: For how long a late event speaks for all that are late, in seconds: one full reading makes good what all missed.
OUTAGE_S = 900.0

#: For how many seconds one look into a channel's queue waits for an event.
QUEUE_WAIT_S = 5

#: After how many seconds the orders are looked at that an event names: the level has to be read first.
ORDERS_S = 5.0

#: After how many seconds a channel is read that lost a listing; more of them are lost at a time.
GONE_S = 60.0

#: Seconds that most writes take. One that takes longer costs a reading that does not count.
WRITE_S = 0.25

#: From how many listings on a write is one of many, and how far apart the times are at which the echoes of few and of
#: many are looked at, in milliseconds.
MANY = 20
FEW_STEP_MS, MANY_STEP_MS = 500, 2000

_NEVER_MS = 2**53


class Kept(NamedTuple):
    """What became of an event in the store."""

    #: Whether it is news. All else says nothing where it is not.
    fresh: bool
    #: In how many seconds the listings that it names can be read.
    due_s: float = 0.0
    #: Whether everything is to be read: events are missing, or this one does not say what changed.
    whole: bool = False


def keep(context: Context, channel: str, event: Event) -> Kept:
    """Put into the store what an event asks for, unless it is a repetition."""
    store = context.store
    now_ms = store.now_ms()
    if event.gone:
        Pulls(store).doubt(channel, now_ms)
    whole = event.whole or _late(event, now_ms)
    if whole and not all(due < 0 for due in store.run("keep", _calls(channel, event, now_ms, look=True))):
        if event.whole:
            Pulls(store).want(channel, now_ms)
        else:
            whole = _first_of_an_outage(store, channel, now_ms)
    dues = [due for due in store.run("keep", _calls(channel, event, now_ms)) if due >= 0]
    return Kept(True, (min(dues) - now_ms) / 1000, whole) if dues else Kept(False)


def forget(context: Context, channel: str, event: Event) -> None:
    """Take the event for news when it comes again; what it asked for stays."""
    for keys, _ in _calls(channel, event, 0):
        context.store.client.delete(keys[0])


def ring(bells: Bells, channel: str, event: Event, kept: Kept, *, orders: bool) -> None:
    """Ring for whatever a fresh event asks for. ``orders``: whether the channel tells what orders took."""
    if event.refs:
        if kept.due_s > 0:
            bells.ring_after("sync.refresh", channel, kept.due_s)
        else:
            bells.ring("sync.refresh", channel)
    if kept.whole:
        bells.ring("sync.pull", channel)
    if event.gone:
        bells.ring_after("sync.reconcile", channel, GONE_S)
    if event.orders and orders:
        bells.ring_after("sync.audit_orders", channel, ORDERS_S)


def take(context: Context, bells: Bells, name: str, deadline: Deadline) -> bool:
    """Take the events that wait in a channel's own queue. True when it was empty.

    Raises:
        channels.errors.ChannelError: the queue could not be read.
    """
    channel = context.channel(name)
    for events in channel.hints(QUEUE_WAIT_S):
        for event in events:
            kept = keep(context, name, event)
            if kept.fresh:
                ring(bells, name, event, kept, orders=channel.capabilities.orders)
        if deadline.over:
            return False
    return True


def expect_echo(context: Context, channel: Channel, refs: Sequence[str]) -> None:
    """Before a write to these listings: have the events that it will bring about wait for the settle time."""
    if channel.capabilities.webhooks:
        names = dict.fromkeys(name for ref in refs for name in channel.event_refs(ref))
        now_ms = context.store.now_ms()
        until_ms = quiet_until(now_ms, channel.capabilities.settle_s, len(refs))
        context.worklist.hush(channel.name, names, now_ms, until_ms)


def quiet_until(now_ms: int, settle_s: float, size: int) -> int:
    """Until when no reading counts of listings whose write begins now, ms.

    Rounded up, more for many listings than for few, so that the batches of one push are read together afterwards.
    """
    step_ms = MANY_STEP_MS if size >= MANY else FEW_STEP_MS
    return -(-(now_ms + round((settle_s + WRITE_S) * 1000)) // step_ms) * step_ms


def ensure(context: Context, name: str) -> bool:
    """See to a channel's hooks. True when events may have been missed, so that everything is to be read.

    Raises:
        channels.errors.ChannelError: the channel could not be asked.
    """
    done = context.channel(name).ensure_hooks()
    for what in ("created", "repaired", "rearmed", "deleted"):
        scopes: list[str] = getattr(done, what)
        if scopes:
            log.info("%s: hooks %s: %s", name, what, ", ".join(scopes))
    for problem in done.problems:
        log.warning("%s: a hook is refused: %s", name, problem)
    if done.missed:
        Pulls(context.store).want(name, context.store.now_ms())
    return done.missed


def _late(event: Event, now_ms: int) -> bool:
    return event.created_at > 0 and now_ms - event.created_at * 1000 > LATE_MS


def _first_of_an_outage(store: Store, channel: str, now_ms: int) -> bool:
    """Ask for a full reading, unless that was done lately because of a late event. Whether it was done now."""
    key = f"{PREFIX}outage:{channel}"
    if store.client.exists(key):
        return False
    Pulls(store).want(channel, now_ms)
    store.client.set(key, "1", px=round(OUTAGE_S * 1000))  # after it: whoever dies between has asked once too often
    return True


def _calls(channel: str, event: Event, now_ms: int, *, look: bool = False) -> list[Call]:
    """One run of the script for each bucket, so that an event and its marks are kept or not kept together."""
    refs: dict[int, list[str]] = {}
    for ref in event.refs:
        refs.setdefault(bucket_of(ref), []).append(ref)
    name = _short(f"{event.scope} {event.key}")
    message = event.message and _short(event.message)
    # where it does not say when it happened, another event of this name may come at any time
    over_ms = (event.created_at + 1) * 1000 + LIKE_MS if event.created_at > 0 else _NEVER_MS
    calls = []
    for bucket, mine in (refs or {bucket_of(name): []}).items():
        prefix = bucket_prefix(bucket)
        beside = [f"{prefix}{kind}:{channel}" for kind in ("marks", "quiet", "heard")]
        keys = [f"{prefix}event:{channel}:{name}", *beside]
        calls.append(Call(keys, [now_ms, round(REMEMBER_S * 1000), over_ms, message, int(look), *mine]))
    return calls


def _short(text: str) -> str:
    """Millions of events are remembered at a time."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=12).hexdigest()
