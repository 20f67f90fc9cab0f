"""The tasks. Each says which channel to look at, calls one function of the domain, and rings for what comes next.

All may run twice, late or not at all: what is to be done stands in the store, and :func:`sweep` rings again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import redis

from channels.errors import ChannelError, Throttled, Unanswered
from channels.webhooks import BadEvent
from sync import audit as auditing
from sync import changes, webhooks
from sync import pull as pulling
from sync import push as pushing
from sync import refresh as refreshing
from sync.bells import Bells
from sync.breaker import Leave
from sync.budget import Urgency, calls_made, urgency
from sync.celery import app
from sync.deadline import Deadline
from sync.errors import SyncError
from sync.guard import decisions, gate
from sync.pace import Pace
from sync.policy import rulebook
from sync.readings import Pulls
from sync.refresh import Gather
from sync.stock import recovery
from sync.turns import Turn
from sync.views import census as counting

log = logging.getLogger(__name__)

#: How long one task works before it hands over to the next, in seconds.
TASK_S = 45.0

#: How long it may take to count all records, in seconds: well below the time after which a task counts as lost.
CENSUS_S = 150.0

#: Tasks that may bring news of a sale; their calls go before writes up and full readings.
LOOKS = frozenset({"sync.refresh", "sync.audit_orders", "sync.hints"})

#: How long a task works that finds out whether a channel's trouble is over, in seconds: others wait for it.
TRY_S = 1.0

bells = Bells(app)


@app.task(name="sync.reconcile")
def reconcile(channel: str | None = None) -> None:
    """Pull one channel or all, then push whatever is now wrong."""
    context = app.context
    for name in context.named(channel):
        Pulls(context.store).ask(name, context.store.now_ms())
        bells.ring("sync.pull", name)


@app.task(name="sync.pull")
def pull(channel: str, skus: list[str] | None = None) -> None:
    """Read levels (all or what has changed, or these) into the stock of record."""
    if skus is not None:

        def these(_: Deadline) -> bool:
            with urgency(Urgency.LOOK):
                pulling.pull_some(app.context, channel, skus)
            return True

        _guarded("sync.pull", channel, these, alone=False)
        return
    _guarded("sync.pull", channel, lambda deadline: changes.pull(app.context, channel, deadline))


@app.task(name="sync.push")
def push(channel: str) -> None:
    """Bring the channel's listings to their targets."""
    context = app.context

    def news() -> None:
        bells.ring_for_dirty(beside=channel)

    def once(deadline: Deadline) -> bool:
        pushed = pushing.push(context, channel, deadline, news, Pace(context, "sync.push", channel).wait)
        if pushed.counts:
            log.info("%s: pushed: %s", channel, ", ".join(f"{n} {what}" for what, n in sorted(pushed.counts.items())))
        if pushed.trouble:
            raise pushed.trouble
        return pushed.finished

    _guarded("sync.push", channel, once)


@app.task(name="sync.refresh")
def refresh(channel: str) -> None:
    """Read again the listings that webhooks or unknown writes marked."""

    def gather() -> None:
        Gather().wait(app.context, channel)
        bells.answered("sync.refresh", channel)  # what came while it waited is read now

    def once(deadline: Deadline) -> bool:
        pace = Pace(app.context, "sync.refresh", channel)
        return refreshing.refresh(app.context, channel, deadline, gather, bells.ring_for_dirty, pace.wait)

    _guarded("sync.refresh", channel, once)


@app.task(name="sync.webhook")
def webhook(channel: str, event: dict[str, Any]) -> None:
    """Take one verified event, worded as the channel words it: from another bus than ``serve``, or once more."""
    context = app.context
    adapter = context.channel(channel)
    try:
        hint = adapter.understand(json.dumps(event, sort_keys=True).encode())
    except BadEvent as error:
        log.warning("%s: an event is refused: %s", channel, error.refusal)
        return
    kept = webhooks.keep(context, channel, hint)
    if kept.fresh:
        webhooks.ring(bells, channel, hint, kept, orders=adapter.capabilities.orders)


@app.task(name="sync.hints")
def hints(channel: str | None = None) -> None:
    """Take the events that wait in a channel's own queue (Amazon's notifications)."""
    if channel is None:
        for name, adapter in app.context.channels.items():
            if adapter.capabilities.queue:
                bells.ring("sync.hints", name)
        return
    _guarded("sync.hints", channel, lambda deadline: webhooks.take(app.context, bells, channel, deadline))


@app.task(name="sync.ensure_webhooks")
def ensure_webhooks(channel: str | None = None) -> None:
    """Register, repair and re-arm hooks; read everything where events were missed."""
    if channel is None:
        for name, adapter in app.context.channels.items():
            if adapter.capabilities.hooks:
                bells.ring("sync.ensure_webhooks", name)
        return

    def once(_: Deadline) -> bool:
        if webhooks.ensure(app.context, channel):
            bells.ring("sync.pull", channel)
        return True

    _guarded("sync.ensure_webhooks", channel, once)


@app.task(name="sync.audit_orders")
def audit_orders(channel: str | None = None) -> None:
    """Check what was written against the channel's orders (rule 6)."""
    if channel is None:
        for name, adapter in app.context.channels.items():
            if adapter.capabilities.orders:
                bells.ring("sync.audit_orders", name)
        return
    _guarded("sync.audit_orders", channel, lambda deadline: auditing.audit(app.context, channel, deadline))


@app.task(name="sync.sweep")
def sweep() -> None:
    """Ring for whatever has waited: a ring may be lost, what is to be done is not."""
    context = app.context
    context.ledger.bundles.work()
    decisions.carry_out_all(context)
    paused = context.pauses.all()
    recovering = recovery.end_if_over(context)
    if context.settings.oauth:
        for store in context.stores.to_be_looked_at(context.store.now_ms()):
            rulebook.doubt(context, store.channel)
            context.stores.looked(store)
    for name, channel in context.channels.items():
        now_ms = context.store.now_ms()
        waiting = context.worklist.waiting(name, now_ms)
        wanted = {
            "sync.pull": Pulls(context.store).state(name).waited_for,
            "sync.refresh": waiting.due and channel.capabilities.read_batch,
            "sync.push": not recovering
            and channel.capabilities.writes
            and (waiting.dirty or rulebook.have_changed(context, name)),
            "sync.audit_orders": waiting.audits and recovering,
        }
        for task, is_wanted in wanted.items():
            if name in paused and paused[name].stops(task):
                continue
            if not is_wanted or context.breaker.closed_to(name, now_ms, task, _rank(task, name)):
                continue
            if task != "sync.push" or not gate.rests(context, name):
                bells.ring(task, name)


@app.task(name="sync.census")
def census() -> None:
    """Count the stock of record through, for the metrics; one process at a time."""

    def once() -> bool:
        counted = counting.count(app.context, Deadline(CENSUS_S, cut_short=lambda: app.leaving))
        if counted is None and not app.leaving:
            log.warning("the stock of record could not be counted through within %g s", CENSUS_S)
        return True

    Turn(app.context.store, "sync.census", "all").rounds(once)


def _ring_for_next_look(channel: str) -> None:
    """Have the next mark or open write of a channel looked at when it is due; the sweeper would be later."""
    context = app.context
    due_ms = context.worklist.next_look_ms(channel)
    if due_ms is not None and context.channel(channel).capabilities.read_batch:
        bells.ring_after("sync.refresh", channel, (due_ms - context.store.now_ms()) / 1000)


def _guarded(task: str, channel: str, one_round: Callable[[Deadline], bool], *, alone: bool = True) -> None:
    """Do a task's rounds, leave a channel in trouble alone, and ring for what comes next.

    ``one_round`` says whether it did all there was to do; ``alone``: no other process does rounds meanwhile.
    """
    context = app.context
    if context.has_left(channel):
        log.info("%s: its store has uninstalled the app; nothing is done there", channel)
        return
    context.channel(channel)
    if (recovering := recovery.under_way(context.store)) and recovering.phase == "marking":
        return  # what is known is being set right; the sweeper rings again

    def is_leaving() -> bool:
        return app.leaving

    def answer(deadline: Deadline) -> bool:
        # only who looks answers the bell: while it stands, whoever would ring knows that a round is still to come
        bells.answered(task, channel)
        try:
            return one_round(deadline)
        except Exception:
            app.keep_up()
            if context.has_left(channel):
                return True  # it went wrong because the store has left meanwhile
            raise

    pause = context.pauses.of(channel)
    stopped = pause is not None and pause.stops(task)
    leave = Leave.NONE
    if not stopped:
        leave = context.breaker.admits(channel, context.store.now_ms(), task, _rank(task, channel))
    if not leave:
        bells.answered(task, channel)
        return
    seconds, before = TRY_S if leave is Leave.TO_TRY else TASK_S, calls_made()
    try:
        with urgency(Urgency.LOOK if task in LOOKS else Urgency.BULK):
            if alone:
                turn = Turn(context.store, task, channel)
                more = turn.rounds(lambda: answer(Deadline(seconds, alive=turn.keep, cut_short=is_leaving)))
                if more is None:  # to ring for what is due would bring another like this one, again and again
                    if leave is Leave.TO_TRY:
                        context.breaker.not_tried(channel)
                    return
            else:
                more = not answer(Deadline(seconds, cut_short=is_leaving))
    except Throttled as error:
        now_ms = context.store.now_ms()
        until_ms = context.breaker.told_to_wait(channel, error, now_ms, task, _rank(task, channel))
        log.info("%s", error)
        bells.ring_after(task, channel, (until_ms - now_ms) / 1000)
    except ChannelError as error:
        trouble = context.breaker.failed(channel, error, context.store.now_ms(), writing=task == "sync.push")
        if context.breaker.tells(channel, error, trouble):
            trouble_fields = {"trouble": type(error).__name__.lower(), "channel": channel}
            log.error("%s It is left alone, and tried again now and then.", error, extra=trouble_fields)
        else:
            log.info("%s", error)
        bells.ring_after(task, channel, (trouble.until_ms - trouble.at_ms) / 1000)
    except (SyncError, redis.RedisError):
        raise  # trouble of ours, not of the channel
    except Exception as error:
        # an adapter that breaks its contract is trouble of its channel alone
        bug = Unanswered(channel, task, f"{type(error).__name__}: {error}", advice="This is a bug of the channel type.")
        context.breaker.failed(channel, bug, context.store.now_ms(), writing=task == "sync.push")
        raise
    else:
        # a round that had nothing to ask says nothing about the channel; a pull always asks, but not for unknown SKUs
        asked = calls_made() > before or (task == "sync.pull" and alone)
        ended = context.breaker.worked(channel) if asked else None
        if not asked and leave is Leave.TO_TRY:
            context.breaker.not_tried(channel)
        if ended and ended.told:
            log.warning("%s: answers again, after %d failures", channel, ended.failures)
        if more:
            bells.ring(task, channel)
    if not context.has_left(channel):
        _ring_for_next_look(channel)
    if task != "sync.push":  # which has rung for its news; two channels that cannot be written now would ring for ever
        bells.ring_for_dirty()


def _rank(task: str, channel: str) -> float | None:
    """How urgent a push would be (see :meth:`sync.breaker.Breaker.closed_to`)."""
    return app.context.worklist.first_rank(channel) if task == "sync.push" else None
