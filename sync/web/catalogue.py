"""Every metric and what it means. ``docs/metrics.md`` says the same, and a test holds the two together."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: What every metric's name begins with.
PREFIX = "inventory_sync_"


class Metric(NamedTuple):
    """What one metric means."""

    #: Without ``PREFIX``.
    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str

    @property
    def full_name(self) -> str:
        """As Prometheus has it."""
        return PREFIX + self.name


def _counter(name: str, labels: tuple[str, ...], words: str) -> Metric:
    return Metric(name, "counter", labels, words)


def _gauge(name: str, labels: tuple[str, ...], words: str) -> Metric:
    return Metric(name, "gauge", labels, words)


STORE_UP = _gauge("store_up", (), "Whether the store answers; where it does not, this is the only metric.")

#: Counters that all processes share, by their names in the store.
COUNTED = {
    "webhooks": _counter(
        "webhooks_total", ("channel", "result"), "Requests to the webhook receiver, by what became of them."
    ),
    "webhooks_unknown_scope": _counter(
        "webhooks_unknown_scope_total", ("channel",), "Events that were kept and whose scope asks for nothing."
    ),
    "calls": _counter(
        "calls_total",
        ("channel", "operation", "status"),
        "Calls to a channel's API, by the HTTP status of the answer; none where no answer came.",
    ),
    "writes": _counter(
        "writes_total",
        ("channel", "result"),
        "Levels written, by what was certain afterwards: confirmed, accepted, unknown, refused or deferred.",
    ),
    "movements": _counter("movements_total", ("channel",), "Changes of on hand, by the channel that showed them."),
    "ticks": _counter(
        "ticks_total",
        ("entry", "result"),
        "Ticks of the schedule that came to a worker: taken, or repeated by another scheduler and dropped.",
    ),
    "task_failures": _counter("task_failures_total", ("task",), "Tasks that ended in an error of our own."),
}

EVENT_TO_WRITE = Metric(
    "event_to_write_seconds",
    "histogram",
    ("channel", "result"),
    "From a webhook to the end of the write that it brought about on this, another, channel.",
)

WAITING = _gauge(
    "waiting",
    ("channel", "work"),
    "Listings that wait: to be pushed, read again, confirmed or checked against orders.",
)
OVERDUE = _gauge(
    "overdue_seconds", ("channel", "work"), "For how long the longest waiting of them has been due; 0 where none is."
)
PULL_BEGAN = _gauge(
    "last_pull_timestamp_seconds", ("channel",), "When the last whole reading began that has ended; absent before it."
)
PULL_ROWS = _gauge("last_pull_listings", ("channel",), "How many listings the last whole reading showed.")
FAILURES = _gauge(
    "channel_failures", ("channel",), "Failures in a row; while there are any, the channel is only tried now and then."
)
PAUSED = _gauge("paused", ("channel",), "Whether a person has paused the channel.")
HELD = _gauge("held_runs", ("channel", "kind"), "Runs that the guard has stopped and that wait for a person.")
BUDGET_LEFT = _gauge(
    "budget_calls_left", ("channel", "quota"), "Calls that may be made now, by each quota of the channel's credential."
)
BUDGET_LIMIT = _gauge("budget_calls_limit", ("channel", "quota"), "Calls that the quota allows when it is fresh.")
TICK = _gauge(
    "last_tick_timestamp_seconds", ("entry",), "When the last tick of a schedule's entry was due that a worker took."
)
OVERSOLD = _gauge("oversold_skus", (), "SKUs of which more were sold than there were: on hand is below zero.")

CENSUS = _gauge("census_timestamp_seconds", (), "When the metrics below were counted, by sync.census.")
SKUS = _gauge("skus", ("counted",), "SKUs that are known, by whether the authority has counted them (yes, no).")
ON_HAND = _gauge("on_hand_units", (), "Units on hand, of all SKUs together.")
OVERSOLD_UNITS = _gauge("oversold_units", (), "Units that were sold and were not there.")
LISTINGS = _gauge("listings", ("channel", "state"), "Listings by their state, as the command stock shows it.")
DRIFT = _gauge(
    "drift_units", ("channel",), "By how many units levels differ from their targets where no write is on its way."
)
OLDEST_WRITE = _gauge(
    "oldest_write_timestamp_seconds",
    ("channel",),
    "When the oldest write began whose fate is open; absent where none is.",
)

#: All of them, in the order in which they are shown.
METRICS = (
    STORE_UP,
    *COUNTED.values(),
    *(EVENT_TO_WRITE, WAITING, OVERDUE, PULL_BEGAN, PULL_ROWS, FAILURES, PAUSED, HELD, BUDGET_LEFT, BUDGET_LIMIT, TICK),
    *(OVERSOLD, CENSUS, SKUS, ON_HAND, OVERSOLD_UNITS, LISTINGS, DRIFT, OLDEST_WRITE),
)
