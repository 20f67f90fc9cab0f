"""What Prometheus reads: counters that all processes share, and how much waits, both as the store has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import redis

from sync.context import Context
from sync.counters import Counters

#: What every metric's name begins with.
PREFIX = "inventory_sync_"


class Metric(NamedTuple):
    """One metric with its values, by the values of its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


def exposition(context: Context, counters: Counters) -> str:
    """All metrics in Prometheus' text format. Without the store there is only the news of that."""
    try:
        counters.flush()
        metrics = [_up(1), *_counted(counters), *_waiting(context)]
    except redis.RedisError:
        metrics = [_up(0)]
    return "".join(line for metric in metrics for line in _lines(metric))


def _up(value: int) -> Metric:
    return Metric("store_up", "gauge", "Whether the store answers.", (), {(): value})


def _counted(counters: Counters) -> list[Metric]:
    return [
        Metric(
            "webhooks_total",
            "counter",
            "Requests to the webhook receiver, by channel and by what became of them.",
            ("channel", "result"),
            counters.read("webhooks"),
        ),
        Metric(
            "webhooks_unknown_scope_total",
            "counter",
            "Events that were kept and whose scope asks for nothing.",
            ("channel",),
            counters.read("webhooks_unknown_scope"),
        ),
    ]


def _waiting(context: Context) -> list[Metric]:
    now_ms = context.store.now_ms()
    waiting = {name: context.worklist.waiting(name, now_ms) for name in context.channels}
    return [
        Metric(
            "waiting",
            "gauge",
            "Listings that wait: to be pushed, read again, confirmed, or checked against orders.",
            ("channel", "work"),
            {
                (name, work): number
                for name, found in waiting.items()
                for work, number in (
                    ("push", found.dirty),
                    ("read", found.marks),
                    ("confirm", found.open),
                    ("audit", found.audits),
                )
            },
        )
    ]


def _lines(metric: Metric) -> Iterable[str]:
    name = PREFIX + metric.name
    yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
    for values, number in metric.values.items():
        labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in zip(metric.labels, values, strict=True))
        yield f"{name}{{{labels}}} {number:g}\n" if labels else f"{name} {number:g}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
