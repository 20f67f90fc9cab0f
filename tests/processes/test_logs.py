"""The logs of real processes: one run from the event to the write, and no secret whatever goes wrong."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sync.web.catalogue import PREFIX
from tests.ports import free_port
from tests.processes.conftest import Shop
from tests.processes.test_webhooks import running
from tests.telemetry.exposition import value
from tests.waiting import wait_until


def lines(log: Path) -> Iterator[dict[str, Any]]:
    """The lines of JSON in a log."""
    for line in log.read_text("utf-8").splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def secrets(settings: str) -> list[str]:
    """Every secret in the text of a settings file."""
    tables = tomllib.loads(settings)["channels"].values()
    return [value for table in tables for key, value in table.items() if key.endswith(("token", "secret"))]


@pytest.mark.timeout(180)
def test_one_run_goes_from_the_webhook_to_the_write_and_into_the_history(shop: Shop) -> None:
    port = free_port()
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 10)
    url = f'webhook_url = "http://127.0.0.1:{port}"\n[channels.amazon]'
    shop.configure('log_format = "json"\n' + shop.settings.replace("[channels.amazon]", url))
    with running(shop, "up", "--port", str(port)) as (_, address):
        wait_until(lambda: len(shop.store.store.hooks) > 5, 20, "the hooks are registered")
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        shop.store.store.sell("MUG", 3)
        wait_until(lambda: shop.amazon.account.shown("MUG") == 7, 10, "Amazon shows the sale")
        (_, sale) = json.loads(shop.run("history", "MUG", "--json").out)
        found = re.search(r", run ([0-9a-f]{12})$", sale["cause"])
        assert found, sale["cause"]

        def told(task: str) -> list[dict[str, Any]]:
            """What this task has logged in that run."""
            of_run = (line for line in lines(shop.folder / "up.log") if line.get("run") == found[1])
            return [line for line in of_run if line.get("task") == task]

        wait_until(lambda: bool(told("sync.refresh") and told("sync.push")), 10, "both tasks have said what they did")

        def measured() -> float | None:
            text = requests.get(f"{address}/metrics", timeout=10).text
            return value(text, f"{PREFIX}event_to_write_seconds_count", channel="amazon", result="accepted")

        wait_until(lambda: measured() == 1, 10, "the time from the event to the write is told")
    (written,) = [line for line in told("sync.push") if "accepted" in line["message"]]
    assert written["channel"] == "amazon"
    assert written["task_id"] != told("sync.refresh")[0]["task_id"]
    assert told("sync.pull") == [], "the reconcile was a run of its own"


@pytest.mark.timeout(180)
def test_no_secret_is_in_a_log_whatever_goes_wrong(shop: Shop) -> None:
    text = shop.settings
    broken = text.replace(secrets(text)[0], "an-access-token-that-was-revoked")
    broken = re.sub(r'refresh_token = ".*"', 'refresh_token = "Atzr|a-refresh-token-that-was-revoked"', broken)
    unreachable = re.sub(r'api_url = ".*"', 'api_url = "http://127.0.0.1:1"', text)
    hidden = {*secrets(text), *secrets(broken)}
    assert len(hidden) >= 5
    log = shop.folder / "worker.log"
    for settings, words in ((broken, ("401", "invalid_grant")), (unreachable, ("no connection",)), (text, ("read:",))):
        shop.configure(settings)
        with shop.worker("-l", "DEBUG"):
            shop.run("reconcile", "--watch", "--timeout", "20")
            wait_until(lambda words=words: all(word in log.read_text() for word in words), 30, f"{words} are told")
    told = log.read_text("utf-8")
    assert [secret for secret in hidden if secret in told] == []
    assert "Atza|" not in told, "nor an access token that was given"
