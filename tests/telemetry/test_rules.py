"""The alert rules and the dashboard: they ask only for what there is, and each alert fires when it should.

With Debian's package ``prometheus`` installed, promtool checks the rules' syntax and plays them; without it they are
only parsed, and their metrics and labels looked up.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync.web.catalogue import METRICS, PREFIX

DOCKER = Path(__file__).parents[2] / "docker"
RULES = DOCKER / "prometheus" / "rules.yml"
DASHBOARD = DOCKER / "grafana" / "inventory-sync.json"

NAMES = {
    metric.full_name + suffix: {*metric.labels, *(["le"] if suffix == "_bucket" else [])}
    for metric in METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool comes with Debian's package prometheus"
)


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression with the name of the alert or panel that it belongs to."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    asked = 0
    for where, expression in expressions():
        for name, selector in re.findall(rf"({PREFIX}\w+)(?:\{{([^}}]*)\}})?", expression):
            assert name in NAMES, f"{where}: there is no metric {name}"
            wanted = set(re.findall(r"(\w+)(?:=~|!=|=)", selector))
            assert wanted <= NAMES[name], f"{where}: {name} has no label {wanted - NAMES[name]}"
            asked += 1
        names = re.findall(rf"{PREFIX}\w+", expression)
        known = {"job"}.union(*(NAMES[name] for name in names))
        groups = re.findall(r"(?:by|on) \(([^)]*)\)", expression)
        grouped = {label.strip() for group in groups for label in group.split(",")}
        assert grouped <= known, f"{where}: no metric there has the label {grouped - known}"
    assert asked > len(rules())


def test_every_metric_is_shown_somewhere() -> None:
    everything = " ".join(expression for _, expression in expressions())
    shown = set(re.findall(rf"{PREFIX}\w+", everything))
    unseen = {metric.name for metric in METRICS if not any(name.startswith(metric.full_name) for name in shown)}
    assert unseen <= {"webhooks_unknown_scope_total", "last_pull_listings"}


def test_every_alert_says_what_it_means_and_how_urgent_it_is() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_dashboard_is_one_that_grafana_can_lay_out() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not cells & taken, f"{panel['title']} lies over another panel"
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
        for target in panel.get("targets", ()):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@needs_promtool
def test_promtool_understands_every_expression(tmp_path: Path) -> None:
    variables = {"$__rate_interval": "1m", "$channel": ".*"}
    recorded = []
    for number, (_, expression) in enumerate(expressions()):
        for name, value in variables.items():
            expression = expression.replace(name, value)
        recorded.append({"record": f"expression_{number}", "expr": expression})
    file = tmp_path / "expressions.yml"
    file.write_text(json.dumps({"groups": [{"name": "all", "rules": recorded}]}), "utf-8")
    for checked in (RULES, file):
        done = promtool("check", "rules", str(checked))
        assert done.returncode == 0, done.stdout + done.stderr


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)


#: An installation in which all is well, each series for two hours, a value a minute.
WELL = {
    'up{job="inventory-sync"}': "1+0x120",
    "store_up": "1+0x120",
    'last_tick_timestamp_seconds{entry="sweep"}': "0+60x120",
    "oversold_skus": "0+0x120",
    'paused{channel="store"}': "0+0x120",
    'overdue_seconds{channel="store",work="push"}': "0 2 5 0 1 0+0x115",
    'overdue_seconds{channel="store",work="confirm"}': "0+0x120",
    'last_pull_timestamp_seconds{channel="store"}': "0+60x120",
    'held_runs{channel="store",kind="reading"}': "0+0x120",
    'channel_failures{channel="store"}': "0 1 0 2 0+0x116",
    'calls_total{channel="store",operation="read",status="200"}': "0+50x120",
    'calls_total{channel="store",operation="read",status="401"}': "3+0x120",
    'calls_total{channel="store",operation="read",status="429"}': "7+0x120",
    'listings{channel="store",state="settled"}': "900+0x120",
    'listings{channel="store",state="parked"}': "0+0x120",
    'listings{channel="store",state="quarantined"}': "0+0x120",
    'drift_units{channel="store"}': "0 4 0 0+0x117",
    'event_to_write_seconds_bucket{channel="store",result="confirmed",le="1"}': "0+10x120",
    'event_to_write_seconds_bucket{channel="store",result="confirmed",le="300"}': "0+10x120",
    'event_to_write_seconds_bucket{channel="store",result="confirmed",le="+Inf"}': "0+10x120",
    'webhooks_total{channel="store",result="kept"}': "0+10x120",
    'webhooks_total{channel="store",result="forged"}': "5+0x120",
    'task_failures_total{task="sync.pull"}': "1+0x120",
    "census_timestamp_seconds": "0+60x120",
}

#: What is wrong, and which alert tells of it.
WRONG = {
    "ReceiverDown": {'up{job="inventory-sync"}': "0+0x120"},
    "StoreDown": {"store_up": "0+0x120"},
    "NothingTicks": {'last_tick_timestamp_seconds{entry="sweep"}': "0+0x120"},
    "SoldMoreThanThereWas": {"oversold_skus": "0+0x100 1+0x20"},
    "WritesWait": {'overdue_seconds{channel="store",work="push"}': "0+60x120"},
    "WriteNeverConfirmed": {'overdue_seconds{channel="store",work="confirm"}': "0+60x120"},
    "PullIsOld": {'last_pull_timestamp_seconds{channel="store"}': "-3600+0x120"},
    "NeverRead": {'last_pull_timestamp_seconds{channel="store"}': "_x120"},
    "RunHeld": {'held_runs{channel="store",kind="reading"}': "1+0x120"},
    "ChannelInTrouble": {'channel_failures{channel="store"}': "0+1x120"},
    "CredentialRefused": {'calls_total{channel="store",operation="read",status="401"}': "0+1x120"},
    "TooManyCalls": {'calls_total{channel="store",operation="read",status="429"}': "0+1x120"},
    "WritesRefused": {'listings{channel="store",state="parked"}': "2+0x120"},
    "Quarantined": {'listings{channel="store",state="quarantined"}': "2+0x120"},
    "Drift": {'drift_units{channel="store"}': "7+0x120"},
    "NewsIsSlow": {'event_to_write_seconds_bucket{channel="store",result="confirmed",le="1"}': "0+9x120"},
    "WebhooksRefused": {'webhooks_total{channel="store",result="forged"}': "0+1x120"},
    "TasksFail": {'task_failures_total{task="sync.pull"}': "0+1x120"},
    "CensusIsOld": {"census_timestamp_seconds": "-3600+0x120"},
}


def full(series: str) -> str:
    return series if series.startswith("up{") else PREFIX + series


def played(tmp_path: Path, changes: dict[str, str], expected: dict[str, bool]) -> subprocess.CompletedProcess[str]:
    """Two hours of an installation with these changes; at their end exactly these alerts fire."""
    lines = [{"series": full(series), "values": values} for series, values in (WELL | changes).items()]
    firing = r'ALERTS{alertstate="firing"}'
    samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert, fires in sorted(expected.items()) if fires]
    test = {
        "interval": "1m",
        "input_series": lines,
        "promql_expr_test": [{"expr": f"count by (alertname) ({firing})", "eval_time": "2h", "exp_samples": samples}],
    }
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}), "utf-8")
    return promtool("test", "rules", str(file))


@needs_promtool
def test_no_alert_fires_while_all_is_well(tmp_path: Path) -> None:
    done = played(tmp_path, {}, {})
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("alert", [rule["alert"] for rule in rules()])
def test_an_alert_fires_when_that_is_wrong_and_no_other_does(tmp_path: Path, alert: str) -> None:
    done = played(tmp_path, WRONG[alert], {alert: True})
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("alert", ["WritesWait", "PullIsOld", "Drift"])
def test_a_channel_that_a_person_has_paused_alarms_nobody(tmp_path: Path, alert: str) -> None:
    done = played(tmp_path, WRONG[alert] | {'paused{channel="store"}': "1+0x120"}, {})
    assert done.returncode == 0, done.stdout + done.stderr
