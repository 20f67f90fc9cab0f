"""What Prometheus reads: figures of the whole installation as the store has them, the same from each of our processes.

A scrape asks for a few figures a channel and never looks at single records: what needs that is counted by
``sync.census``, and the time of the counting is a metric of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TypeAlias

import redis

from sync.beat import Ticks
from sync.budget import StoreBudget
from sync.context import Context
from sync.guard.holds import Kind
from sync.readings import Pulls
from sync.stock.records import State
from sync.telemetry import latency
from sync.views import census
from sync.web import catalogue
from sync.web.catalogue import Metric

#: Values of one metric, by the values of its labels.
Values: TypeAlias = Mapping[tuple[str, ...], float]


def exposition(context: Context) -> str:
    """All metrics in Prometheus' text format. Without the store there is only the news of that."""
    try:
        context.keep_up()
        context.counters.flush()
        found: dict[Metric, Values] = {catalogue.STORE_UP: {(): 1}, **dict(_found(context))}
    except redis.RedisError:
        found = {catalogue.STORE_UP: {(): 0}}
    return "".join(line for metric in catalogue.METRICS if metric in found for line in _lines(metric, found[metric]))


def _found(context: Context) -> Iterator[tuple[Metric, Values]]:
    for name, metric in catalogue.COUNTED.items():
        yield metric, context.counters.read(name)
    took, sums_ms = (context.counters.read(name) for name in (latency.NAME, f"{latency.NAME}_ms"))
    yield catalogue.EVENT_TO_WRITE, _histogram(took, sums_ms)
    yield from _channels(context)
    yield from _budgets(context)
    yield catalogue.TICK, {(entry,): at for entry, at in Ticks(context.store).last().items()}
    yield catalogue.OVERSOLD, {(): context.ledger.oversold()}
    yield from _census(census.last(context.store))


def _channels(context: Context) -> Iterator[tuple[Metric, Values]]:
    now_ms, names, paused = context.store.now_ms(), list(context.channels), context.pauses.all()
    waiting = {name: context.worklist.waiting(name, now_ms) for name in names}
    works: dict[tuple[str, ...], float] = {}
    for name, found in waiting.items():
        numbers = {"push": found.dirty, "read": found.marks, "confirm": found.open, "audit": found.audits}
        works.update({(name, work): number for work, number in numbers.items()})
    yield catalogue.WAITING, works
    yield (
        catalogue.OVERDUE,
        {(name, work): seconds for name in names for work, seconds in context.worklist.overdue(name, now_ms).items()},
    )
    pulls = {name: pull for name in names if (pull := Pulls(context.store).state(name)).finished_began_ms}
    yield (
        catalogue.PULL_BEGAN,
        {(name,): pull.finished_began_ms / 1000 for name, pull in pulls.items()},
    )
    yield catalogue.PULL_ROWS, {(name,): pull.last_rows for name, pull in pulls.items()}
    troubles = {name: context.breaker.trouble(name) for name in names}
    yield catalogue.FAILURES, {(name,): trouble.failures if trouble else 0 for name, trouble in troubles.items()}
    yield catalogue.PAUSED, {(name,): int(name in paused) for name in names}
    held = Counter((hold.channel, hold.kind.value) for hold in context.holds.open_ones())
    yield catalogue.HELD, {(name, kind): held[name, kind] for name in names for kind in Kind}


def _budgets(context: Context) -> Iterator[tuple[Metric, Values]]:
    lefts = {
        (name, quota): left
        for name, channel in context.channels.items()
        if isinstance(channel.services.budget, StoreBudget)
        for quota, left in channel.services.budget.left().items()
    }
    yield catalogue.BUDGET_LEFT, {labels: left.calls for labels, left in lefts.items()}
    yield catalogue.BUDGET_LIMIT, {labels: left.limit for labels, left in lefts.items()}


def _census(found: census.Census | None) -> Iterator[tuple[Metric, Values]]:
    if found is None:
        return
    yield catalogue.CENSUS, {(): found.at_ms / 1000}
    yield catalogue.SKUS, {("yes",): found.skus - found.uncounted, ("no",): found.uncounted}
    yield catalogue.ON_HAND, {(): found.units}
    yield catalogue.OVERSOLD_UNITS, {(): found.oversold_units}
    tallies = found.channels.items()
    yield catalogue.LISTINGS, {(name, state): tally.states.get(state, 0) for name, tally in tallies for state in State}
    yield catalogue.DRIFT, {(name,): tally.drift_units for name, tally in tallies}
    yield (
        catalogue.OLDEST_WRITE,
        {(name,): tally.oldest_write_ms / 1000 for name, tally in tallies if tally.oldest_write_ms},
    )


def _histogram(buckets: Values, sums_ms: Values) -> Values:
    """Cumulative buckets with their bounds as one more label, then the sum and the count of each (see ``_lines``)."""
    values: dict[tuple[str, ...], float] = {}
    bounds = [*(f"{bound:g}" for bound in latency.BOUNDS_S), latency.ABOVE]
    for labels in dict.fromkeys(labels[:-1] for labels in buckets):
        counts = accumulate(buckets.get((*labels, bound), 0) for bound in bounds)
        values.update({(*labels, bound): number for bound, number in zip(bounds, counts, strict=True)})
        values[*labels, "sum"] = sums_ms.get(labels, 0) / 1000
        values[*labels, "count"] = values[*labels, latency.ABOVE]
    return values


def _lines(metric: Metric, values: Values) -> Iterator[str]:
    name = metric.full_name
    yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
    for labels, number in values.items():
        if metric.kind != "histogram":
            yield f"{name}{_labels(metric.labels, labels)} {_number(number)}\n"
        elif labels[-1] in ("sum", "count"):
            yield f"{name}_{labels[-1]}{_labels(metric.labels, labels[:-1])} {_number(number)}\n"
        else:
            yield f"{name}_bucket{_labels((*metric.labels, 'le'), labels)} {_number(number)}\n"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
