"""Metrics: what they say, that they say it in Prometheus' words, and that one scrape costs little."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels import Level, Result
from channels.errors import Unreachable
from sync.beat import Tick, Ticks
from sync.deadline import Deadline
from sync.guard.holds import Kind
from sync.pull import pull
from sync.push import push
from sync.readings import Pulls
from sync.stock.ledger import Window
from sync.views import census
from sync.web.catalogue import BUDGET_LEFT, BUDGET_LIMIT, METRICS, PREFIX, Metric
from sync.web.metrics import _lines, exposition
from tests.conftest import STORE, TILL, Fate, TimedStore, Town
from tests.telemetry.exposition import parse, value

DOC = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def town(store: TimedStore) -> Town:
    """Five SKUs, ten of each everywhere but on the market, and everything that can be counted has happened once."""
    town = Town.build(store)
    for number in range(5):
        town.put(f"SKU-{number}", 10)
    for channel in town.everywhere:
        pull(town.context, channel.name, Deadline(60))
    return town


def scraped(town: Town, sample: str, **labels: str) -> float | None:
    return value(exposition(town.context), PREFIX + sample, **labels)


def everything(town: Town) -> str:
    """An exposition in which every metric has a value."""
    context, now_ms = town.context, town.context.store.now_ms()
    for name, labels in (
        ("webhooks", ("store", "kept")),
        ("webhooks_unknown_scope", ("store",)),
        ("calls", ("store", "read products", "200")),
        ("ticks", ("sweep", "taken")),
        ("task_failures", ("sync.push",)),
    ):
        context.counters.add(name, *labels)
    context.latency.written("market", "confirmed", 250)
    context.breaker.failed("market", Unreachable("market", "read", "refused"), now_ms)
    Ticks(context.store).claim(Tick("sweep", 1_790_000_000), "a")
    town.market.shop.fates.append(Fate(Result.ACCEPTED, applied=True))
    town.till.shop.sell("SKU-1", 4)
    context.store.clock.advance(60)  # type: ignore[attr-defined]
    pull(context, "till", Deadline(60))
    push(context, "market", Deadline(60))
    census.count(context, Deadline(60))
    return exposition(context)


def test_every_metric_of_the_catalogue_is_exposed_as_it_says(town: Town) -> None:
    families = parse(everything(town))
    assert list(families) == [metric.full_name for metric in METRICS]
    for metric in METRICS:
        family = families[metric.full_name]
        assert (family.kind, family.help) == (metric.kind, metric.help)
        for sample, labels in family.samples:
            expected = {*metric.labels, *(["le"] if sample.endswith("_bucket") else [])}
            assert {name for name, _ in labels} == expected, metric.name
        assert family.samples or metric in (BUDGET_LEFT, BUDGET_LIMIT), f"{metric.name} has no value"


def test_names_keep_to_the_conventions() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert metric.help.endswith(".")
        assert "\n" not in metric.help
        assert "\\" not in metric.help


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Debian's package prometheus")
def test_promtool_takes_the_exposition(town: Town) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=everything(town), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_page_says_what_the_catalogue_says() -> None:
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in DOC.read_text("utf-8").splitlines()
        if line.startswith("| `")
    ]
    listed = [row for row in rows if row[1] in ("counter", "gauge", "histogram")]
    assert listed == [(f"`{metric.name}`", metric.kind, ", ".join(metric.labels), metric.help) for metric in METRICS], (
        "docs/metrics.md must list the metrics of sync/web/catalogue.py, in its order"
    )


def test_listings_are_counted_by_the_state_that_people_are_shown(town: Town) -> None:
    context = town.context
    push(context, "store", Deadline(60))
    town.market.shop.fates.extend(
        [Fate(Result.REFUSED, applied=False, words="no"), Fate(Result.UNKNOWN, applied=False)]
    )
    town.till.shop.sell("SKU-1", 4)
    town.till.shop.sell("SKU-2", 1)
    context.store.clock.advance(60)  # type: ignore[attr-defined]
    pull(context, "till", Deadline(60))
    push(context, "market", Deadline(60))
    context.pauses.pause("store", context.store.now_ms())

    counted = census.count(context, Deadline(60))
    assert counted is not None
    assert (counted.skus, counted.uncounted, counted.units, counted.oversold_units) == (5, 0, 45, 0)
    states = {name: tally.states for name, tally in counted.channels.items()}
    assert states == {
        "till": {"settled": 5},
        "store": {"settled": 3, "paused": 2},
        "market": {"settled": 3, "parked": 1, "unknown": 1},
    }
    drift = {name: tally.drift_units for name, tally in counted.channels.items()}
    assert drift == {"till": 0, "store": 5, "market": 4}, "an open write may be on its way"
    assert scraped(town, "listings", channel="market", state="parked") == 1
    assert scraped(town, "listings", channel="market", state="missing") == 0
    assert scraped(town, "paused", channel="store") == 1
    assert scraped(town, "oldest_write_timestamp_seconds", channel="market") is not None
    assert scraped(town, "oldest_write_timestamp_seconds", channel="store") is None


def test_the_time_of_the_counting_is_told_and_a_count_without_time_changes_nothing(town: Town) -> None:
    first = census.count(town.context, Deadline(60))
    town.context.store.clock.advance(600)  # type: ignore[attr-defined]
    assert census.count(town.context, Deadline(0)) is None
    assert census.last(town.context.store) == first
    assert first is not None
    assert scraped(town, "census_timestamp_seconds") == first.at_ms / 1000


def test_before_anything_was_counted_nothing_is_said_of_it(store: TimedStore) -> None:
    town = Town.build(store)
    assert scraped(town, "census_timestamp_seconds") is None
    assert scraped(town, "last_pull_timestamp_seconds", channel="till") is None
    assert scraped(town, "waiting", channel="store", work="push") == 0
    assert scraped(town, "oversold_skus") == 0


def test_an_oversell_is_known_at_once_and_over_when_there_is_stock_again(town: Town) -> None:
    town.till.shop.sell("SKU-1", 12)
    clock = town.context.store.clock  # type: ignore[attr-defined]
    clock.advance(60)
    pull(town.context, "till", Deadline(60))
    assert scraped(town, "oversold_skus") == 1
    town.till.shop.put("SKU-1", 3)
    clock.advance(60)
    pull(town.context, "till", Deadline(60))
    assert scraped(town, "oversold_skus") == 0


def test_a_sku_whose_first_count_is_below_zero_is_oversold(town: Town) -> None:
    town.till.shop.put("SKU-9", -2)
    town.context.store.clock.advance(60)  # type: ignore[attr-defined]
    pull(town.context, "till", Deadline(60))
    assert scraped(town, "oversold_skus") == 1


def test_the_longest_waiting_listing_is_as_old_as_its_mark(town: Town) -> None:
    context = town.context
    assert scraped(town, "waiting", channel="market", work="push") == 5
    push(context, "market", Deadline(60))
    assert scraped(town, "overdue_seconds", channel="market", work="push") == 0
    clock = context.store.clock  # type: ignore[attr-defined]
    for sold in (1, 10):
        town.till.shop.sell("SKU-1", sold)
        town.till.shop.sell("SKU-2", 1)
        clock.advance(30)
        pull(context, "till", Deadline(60))
    assert scraped(town, "overdue_seconds", channel="market", work="push") == pytest.approx(30, abs=1)
    assert scraped(town, "overdue_seconds", channel="store", work="confirm") == 0


def test_marks_that_are_not_due_yet_are_not_overdue(town: Town) -> None:
    context = town.context
    context.worklist.mark("store", ["ref-sku-1"], context.store.now_ms() + 5000)
    assert scraped(town, "overdue_seconds", channel="store", work="read") == 0
    context.store.clock.advance(15)  # type: ignore[attr-defined]
    assert scraped(town, "overdue_seconds", channel="store", work="read") == pytest.approx(10, abs=0.1)


def test_freshness_is_when_the_last_whole_reading_began(town: Town) -> None:
    began_ms = Pulls(town.context.store).state("till").finished_began_ms
    town.context.store.clock.advance(600)  # type: ignore[attr-defined]
    assert scraped(town, "last_pull_timestamp_seconds", channel="till") == began_ms / 1000
    assert scraped(town, "last_pull_listings", channel="till") == 5


def test_a_channel_in_trouble_shows_its_failures(town: Town) -> None:
    for _ in range(3):
        town.context.breaker.failed("store", Unreachable("store", "read", "refused"), town.context.store.now_ms())
    assert scraped(town, "channel_failures", channel="store") == 3
    assert scraped(town, "channel_failures", channel="market") == 0


def test_a_held_run_is_shown_until_a_person_decides(town: Town) -> None:
    context = town.context
    assert scraped(town, "held_runs", channel="till", kind="reading") == 0
    number, _ = context.holds.open(Kind.READING, "till", context.store.now_ms(), words=["half of it is zero"])
    assert scraped(town, "held_runs", channel="till", kind="reading") == 1
    held = context.holds.get(number)
    assert held is not None
    context.holds.decide(held, "discarded", "a person", context.store.now_ms())
    assert scraped(town, "held_runs", channel="till", kind="reading") == 0


def test_buckets_of_the_histogram_add_up(town: Town) -> None:
    for took_ms in (50, 250, 700, 900_000):
        town.context.latency.written("market", "confirmed", took_ms)
    labels = {"channel": "market", "result": "confirmed"}
    name = "event_to_write_seconds"
    assert scraped(town, f"{name}_bucket", **labels, le="0.1") == 1
    assert scraped(town, f"{name}_bucket", **labels, le="0.3") == 2
    assert scraped(town, f"{name}_bucket", **labels, le="300") == 3
    assert scraped(town, f"{name}_bucket", **labels, le="+Inf") == scraped(town, f"{name}_count", **labels) == 4
    assert scraped(town, f"{name}_sum", **labels) == 901


def test_labels_are_quoted() -> None:
    metric = Metric("calls_total", "counter", ("operation",), "Calls.")
    *_, line = _lines(metric, {('a "b" \\ \n c',): 2})
    assert line == 'inventory_sync_calls_total{operation="a \\"b\\" \\\\ \\n c"} 2\n'


@pytest.fixture
def round_trips(store: TimedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every command or pipeline that goes to the store."""
    seen: list[str] = []
    client = type(store.client)
    execute, pipeline = client.execute_command, client.pipeline

    def command(self: Any, *args: Any, **options: Any) -> Any:
        seen.append(str(args[0]))
        return execute(self, *args, **options)

    def piped(self: Any, *args: Any, **options: Any) -> Any:
        seen.append("pipeline")
        return pipeline(self, *args, **options)

    monkeypatch.setattr(client, "execute_command", command)
    monkeypatch.setattr(client, "pipeline", piped)
    return seen


def test_a_scrape_costs_the_same_however_many_skus_there_are(town: Town, round_trips: list[str]) -> None:
    exposition(town.context)
    round_trips.clear()
    exposition(town.context)
    few = list(round_trips)
    now_ms = town.context.store.now_ms()
    levels = [Level(f"MORE-{number}", f"ref-{number}", 5) for number in range(3000)]
    town.context.ledger.merge("till", levels, Window(now_ms, now_ms), TILL, cause="a file")
    town.context.ledger.merge("store", levels, Window(now_ms, now_ms), STORE, cause="a reading")
    round_trips.clear()
    exposition(town.context)
    assert round_trips == few
    assert "SCAN" not in few
    assert len(few) < 50
