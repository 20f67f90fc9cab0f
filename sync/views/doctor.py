"""Whether all is as it must be, on our own side and at every channel: findings, each with what to do.

What a channel must look like, its adapter knows (:meth:`channels.contract.Channel.diagnose`). Here are the settings,
the store, the broker, the processes, and how each channel has fared lately. Everything is only looked at.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import redis
from kombu.exceptions import KombuError, OperationalError
from redis.cluster import RedisCluster

from channels.diagnosis import CLOCK_S, Finding, Severity, some
from sync.context import Context
from sync.readings import Pulls
from sync.stock import recovery
from sync.storage.store import Store

if TYPE_CHECKING:
    from sync.celery import SyncApp

#: Seconds to wait for processes to answer; each of them is asked at once.
ANSWER_S = 2.0

#: What the names of schedulers begin with, where workers and schedulers answer together.
BEAT = "celerybeat@"

#: How full the store's memory may be.
FULL = 0.8

#: How many rounds of the schedule may pass without a full reading; of full readings, where most read what has changed.
ROUNDS = 3


class Told(NamedTuple):
    """A finding, and what it is about."""

    #: ``settings``, ``store``, ``broker``, ``processes`` or ``channel``.
    area: str
    #: The channel's name; empty for all other areas.
    channel: str
    finding: Finding


def examine(app: SyncApp, channels: Iterable[str] | None = None) -> Iterator[Told]:
    """Look at everything, or at these channels alone. Findings come as they are made.

    Raises:
        sync.errors.SyncError: the settings are wrong, so there is nothing to look at.
    """
    context = app.context
    if channels is None:
        yield from _of("settings", settings(app))
        well = True
        for told in _of("store", store(context.store)):
            well &= told.finding.severity is not Severity.ERROR or told.finding.about != "server"
            yield told
        if well and context.settings.oauth:
            yield from _of("settings", installed(context))
        yield from _of("broker", broker(app))
        yield from _of("processes", processes(app))
        if not well:
            words = "were not looked at, for their budgets of calls stand in the store"
            yield Told("processes", "", Finding(Severity.NOTE, "channels", words))
            return
    for name in context.channels if channels is None else channels:
        yield from _of("channel", channel(app, name), name)


def exit_code(worst: Severity) -> int:
    """0: nothing is wrong; 1: warnings; 2: errors."""
    return {Severity.WARNING: 1, Severity.ERROR: 2}.get(worst, 0)


def settings(app: SyncApp) -> Iterator[Finding]:
    """The settings file and the schedule."""
    found = app.context.settings
    names = ", ".join(app.context.channels)
    yield Finding(Severity.OK, "file", f"{found.file} is understood; authority {found.authority}, channels {names}")
    if found.file.is_file() and found.file.stat().st_mode & stat.S_IROTH:
        what = f"everybody on this machine can read {found.file}"
        advice = f"If there are secrets in it: chmod 600 {found.file}, or keep them in secret files."
        yield Finding(Severity.NOTE, "file", what, advice)
    app.loader.import_default_modules()
    unknown = [f"{name} ({entry['task']})" for name, entry in _schedule(app).items() if entry["task"] not in app.tasks]
    if unknown:
        what = f"nobody knows the task of {some(unknown)}"
        yield Finding(Severity.ERROR, "schedule", what, "Correct it; docs and --help name the tasks.")
    else:
        yield Finding(Severity.OK, "schedule", f"{len(_schedule(app))} entries are understood")


def installed(context: Context) -> Iterator[Finding]:
    """Stores that have installed the marketplace app, and do not join."""
    about = "stores"
    for one in context.stores.all()[1]:
        state = context.stores.state(one)
        if state == "waiting":
            what = f"{one.store_hash} has installed the app, and is not in oauth.stores: it is not called"
            yield Finding(Severity.NOTE, about, what, "Add it there if it is to share this stock of record.")
        elif state == "locked":
            what = f"no key of oauth.encryption_keys opens the token of {one.store_hash}"
            yield Finding(Severity.ERROR, about, what, "Add the key, or have the app installed there again.")


def store(found: Store) -> Iterator[Finding]:
    """Does the store answer, keep what it is given, and tell the right time?"""
    try:
        asked = time.time()
        told_ms = found.now_ms()
        answered = time.time()
        nodes = _about(found)
    except redis.RedisError as error:
        yield Finding(
            Severity.ERROR, "server", f"does not answer: {error}", "Check redis_url, and that the server runs."
        )
        return
    for node, about in nodes.items():
        kind = "Valkey" if "valkey_version" in about else "Redis"
        version = about.get("valkey_version") or about.get("redis_version")
        answers = f"{kind} {version} answers" if version else "answers"
        for finding in (Finding(Severity.OK, "server", answers), *kept(about)):
            yield finding._replace(what=f"{node}: {finding.what}") if node else finding
    off_s = max(asked - told_ms / 1000, told_ms / 1000 - answered, 0.0)
    if off_s > CLOCK_S:
        what = f"its clock is {off_s:.0f} s from ours, and all times are by its clock"
        yield Finding(Severity.WARNING, "clock", what, "Have the clocks of both machines set by NTP.")
    else:
        yield Finding(Severity.OK, "clock", "agrees with ours")
    yield from recovering(found, told_ms)


def recovering(found: Store, now_ms: int) -> Iterator[Finding]:
    """Is a recovery under way, so that nothing is written?"""
    now = recovery.under_way(found)
    if now is None:
        return
    if now.phase == "marking":
        what = "was begun and is not done: no channel is read or written"
        yield Finding(Severity.ERROR, "recovery", what, "With all workers stopped run again: celery -A sync recover")
        return
    since = words_of(timedelta(milliseconds=now_ms - now.began_ms))
    what = f"under way for {since}: nothing is written before all that happened has been found"
    yield Finding(Severity.WARNING, "recovery", what, "It ends by itself, once every channel and its orders are read.")


def _about(store: Store) -> dict[str, dict[str, Any]]:
    """What the server says of itself; of a cluster, what each of its primaries says, by its address."""
    if not isinstance(store.client, RedisCluster):
        about: dict[str, Any] = store.client.info()
        return {"": about}
    nodes: dict[str, dict[str, Any]] = store.client.info(target_nodes=RedisCluster.PRIMARIES)
    return nodes


def kept(about: dict[str, Any]) -> Iterator[Finding]:
    """Whether a server keeps what it is given, by what it says of itself (``INFO``)."""
    if about.get("role") in ("slave", "replica"):
        what = "this server is a replica, which takes no write"
        yield Finding(Severity.ERROR, "role", what, "Point redis_url at the primary.")
    if about.get("aof_enabled") == 0:
        what = "appendonly is off: if the server dies, all since its last snapshot is lost"
        yield Finding(Severity.WARNING, "append-only", what, "Set appendonly yes.")
    elif about.get("aof_last_write_status", "ok") != "ok":
        what = "the last write to the append-only file failed"
        yield Finding(Severity.ERROR, "append-only", what, "Look into the server's log; its disk may be full.")
    elif "aof_enabled" in about:
        yield Finding(Severity.OK, "append-only", "is on")
    limit, policy = int(about.get("maxmemory", 0)), about.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        severity = Severity.ERROR if limit else Severity.WARNING
        what = f"maxmemory-policy is {policy}: when memory runs out, stock is forgotten"
        yield Finding(severity, "memory", what, "Set maxmemory-policy noeviction.")
    elif limit and about.get("used_memory", 0) > FULL * limit:
        what = f"{about['used_memory'] / limit:.0%} of maxmemory are in use; when it is full, no write is taken"
        yield Finding(Severity.WARNING, "memory", what, "Raise maxmemory.")
    else:
        yield Finding(Severity.OK, "memory", "nothing is evicted")


def broker(app: SyncApp) -> Iterator[Finding]:
    """Does the broker answer?"""
    with app.connection_for_write() as connection:
        address = connection.as_uri()  # without its password
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=ANSWER_S)
        except (OperationalError, KombuError, OSError) as error:
            what = f"{address} does not answer: {error}"
            yield Finding(Severity.ERROR, "server", what, "Check broker_url, and that the server runs.")
        else:
            yield Finding(Severity.OK, "server", f"{address} answers")


def processes(app: SyncApp) -> Iterator[Finding]:
    """Are workers there for every queue, and a scheduler?"""
    inspect = app.control.inspect(timeout=ANSWER_S)
    try:
        answers = inspect.ping() or {}
        workers = sorted(name for name in answers if not name.startswith(BEAT))
        served = {queue["name"] for queues in (inspect.active_queues() or {}).values() for queue in queues or ()}
    except (OperationalError, KombuError, OSError, redis.RedisError) as error:
        what = f"nobody can be asked: {error}"
        yield Finding(Severity.ERROR, "workers", what, "Mend the broker first.")
        return
    if not workers:
        yield Finding(Severity.ERROR, "workers", "none answers", "Start one: celery -A sync worker")
    else:
        yield Finding(Severity.OK, "workers", f"{len(workers)} answering: {some(workers)}")
        missing = sorted({queue.name for queue in app.conf.task_queues} - served)
        if missing:
            what = f"no worker serves {', '.join(missing)}"
            yield Finding(Severity.ERROR, "queues", what, "Start a worker for it, or one without -Q.")
    schedulers = sorted(set(answers) - set(workers))
    if not schedulers:
        what = "none answers: nothing is read or looked after by itself"
        yield Finding(Severity.ERROR, "scheduler", what, "Start one: celery -A sync beat")
    else:
        yield Finding(Severity.OK, "scheduler", f"{len(schedulers)} answering: {some(schedulers)}")


def channel(app: SyncApp, name: str) -> Iterator[Finding]:
    """How a channel has fared lately, and what it finds itself."""
    context = app.context
    adapter = context.channel(name)
    try:
        yield from fared(context, name, _round(app))
        yield from adapter.diagnose()
    except redis.RedisError as error:
        yield Finding(Severity.ERROR, "store", f"does not answer: {error}", "Mend the store first.")


def fared(context: Context, name: str, round_: timedelta | None) -> Iterator[Finding]:
    """What the store knows of a channel: trouble, a pause, the age of the last full reading."""
    now_ms = context.store.now_ms()
    trouble = context.breaker.trouble(name)
    if trouble is not None:
        since = words_of(timedelta(milliseconds=now_ms - trouble.since_ms))
        severity = Severity.ERROR if trouble.told else Severity.WARNING
        what = f"in trouble for {since}, {trouble.failures} failures in a row: {trouble.message}"
        yield Finding(severity, "trouble", what, "It is tried again by itself; at once by: celery -A sync reconcile")
    pause = context.pauses.of(name)
    if pause is not None:
        since = words_of(timedelta(milliseconds=now_ms - pause.since_ms))
        what = f"{pause.words} for {since}"
        yield Finding(Severity.NOTE, "pause", what, f"End it: celery -A sync resume {name}")
    waiting = [hold for hold in context.holds.open_ones() if hold.channel == name]
    if waiting:
        named = some([f"{hold.id} ({hold.kind.value})" for hold in waiting])
        what = f"{len(waiting)} waiting for a person: {named}"
        yield Finding(Severity.WARNING, "held runs", what, "See them: celery -A sync holds; then approve or discard.")
    finished_ms = Pulls(context.store).state(name).finished_ms
    if not finished_ms:
        yield Finding(Severity.NOTE, "reading", "it was never read whole", "Run: celery -A sync reconcile --watch")
        return
    age = timedelta(milliseconds=now_ms - finished_ms)
    what = f"the last full reading ended {words_of(age)} ago"
    round_ = round_ and max(round_, timedelta(seconds=context.channel(name).capabilities.full_every_s))
    if round_ is not None and age > ROUNDS * round_:
        advice = f"One is due every {words_of(round_)}: check the scheduler, the workers and the channel."
        yield Finding(Severity.WARNING, "reading", what, advice)
    else:
        yield Finding(Severity.OK, "reading", what)


def words_of(span: timedelta) -> str:
    """A span of time as people say it, in the largest unit of which there are two."""
    seconds = max(0.0, span.total_seconds())
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _schedule(app: SyncApp) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = app.conf.beat_schedule
    return entries


def _round(app: SyncApp) -> timedelta | None:
    """How often the schedule has everything read; ``None`` where it says that by the clock, or not at all."""
    rounds = [
        entry["schedule"]
        for entry in _schedule(app).values()
        if entry["task"] == "sync.reconcile" and isinstance(entry["schedule"], timedelta)
    ]
    return min(rounds, default=None)


def _of(area: str, findings: Iterator[Finding], name: str = "") -> Iterator[Told]:
    return (Told(area, name, finding) for finding in findings)
