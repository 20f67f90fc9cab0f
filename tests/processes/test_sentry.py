"""What reaches Sentry: real envelopes of real processes, taken in by a server on this machine."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.beat import Tick, Ticks
from sync.storage import embedded
from sync.storage.store import Store
from tests.processes.conftest import Shop, environment
from tests.telemetry import reporting
from tests.telemetry.ingest import Ingest, ingest
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

#: A channel whose secrets are those of ``reporting``; it is never called.
SETTINGS = f"""
sentry_dsn = "%s"

[channels.store]
type = "bigcommerce"
store_hash = "abc123"
access_token = "{reporting.TOKEN}"
client_secret = "{reporting.SECRET}"
"""

SECRETS = (
    *(reporting.TOKEN, reporting.SECRET, reporting.UNKNOWN),
    *("a-token-that-no-settings-name", "a-token-in-a-field", "pw-of-the-store"),
)


@pytest.fixture
def sentry() -> Iterator[Ingest]:
    with ingest() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, sentry: Ingest) -> Iterator[Path]:
    """A folder with settings that report to it."""
    (tmp_path / "sync.toml").write_text(SETTINGS % sentry.dsn, "utf-8")
    yield tmp_path
    embedded.stop(tmp_path / "var")


def report(folder: Path, *words: str) -> None:
    command = [sys.executable, "-m", "tests.telemetry.reporting", *words]
    env = environment() | {"SYNC_CONFIG": str(folder / "sync.toml"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_no_secret_reaches_sentry_wherever_it_was(folder: Path, sentry: Ingest) -> None:
    report(folder, "secrets")
    assert len(sentry.events) == 4
    everything = b"\n".join(sentry.envelopes).decode()
    assert [secret for secret in SECRETS if secret in everything] == []
    assert "***" in everything
    (failure,) = [event for event in sentry.events if "exception" in event]
    types = [value["type"] for value in failure["exception"]["values"]]
    assert types == ["ValueError", "RuntimeError"], "what is reported can still be understood"
    assert all(
        "vars" not in frame for value in failure["exception"]["values"] for frame in value["stacktrace"]["frames"]
    )
    assert any(crumb.get("category") == "httplib" for crumb in failure["breadcrumbs"]["values"])


def test_a_flood_in_two_processes_is_told_of_and_not_passed_on(folder: Path, sentry: Ingest) -> None:
    report(folder, "flood")
    report(folder, "flood", "and something else")
    told = Counter(
        (event["tags"].get("trouble") or event.get("logger") or "", event["extra"]["like it within the hour"])
        for event in sentry.events
    )
    powers = (1, 10, 100)
    assert told == {
        **{("throttled", number): 1 for number in powers},
        **{("parked", number): 1 for number in powers},
        # two kinds of errors, and one that is alone
        ("sync.reporting", 1): 3,
        ("sync.reporting", 10): 2,
        ("sync.reporting", 100): 2,
    }
    for event in sentry.events:
        if event["tags"].get("trouble") == "parked":
            assert event["fingerprint"] == ["parked", "store"]
            assert event["tags"]["sku"].startswith("SKU-")


@pytest.mark.timeout(180)
def test_a_worker_and_a_scheduler_report_errors_with_tags_and_check_in(shop: Shop, sentry: Ingest) -> None:
    (shop.folder / "beat").write_text(
        '[reconcile]\ntask = "sync.reconcile"\nevery = "15m"\n[often]\ntask = "sync.sweep"\nevery = "1s"\n', "utf-8"
    )
    shop.configure(f'schedule = "beat"\nsentry_dsn = "{sentry.dsn}"\n' + shop.settings)
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 2)
    shop.amazon.account.refuse("MUG", "no such thing")
    embedded.start(shop.folder / "var")
    Ticks(Store(embedded.url(shop.folder / "var"))).claim(Tick("reconcile", 60), "long ago")
    with shop.worker(), shop.process("beat", "beat"):
        assert shop.run("call", "sync.push", "--kwargs", '{"channel": "nowhere"}').code == 0
        wait_until(lambda: len(sentry.events) >= 2, 60, "both errors have arrived")
        wait_until(lambda: ("reconcile", "ok") in sentry.check_ins, 30, "the tick has been checked in")
    by_tags = {event["tags"]["channel"]: event for event in sentry.events}
    unknown = by_tags["nowhere"]
    assert unknown["tags"]["task"] == "sync.push"
    assert len(unknown["tags"]["run"]) == 12
    assert unknown["exception"]["values"][-1]["type"] == "UnknownChannel"
    parked = by_tags["amazon"]
    assert (parked["tags"]["trouble"], parked["tags"]["sku"], parked["level"]) == ("parked", "mug", "warning")
    assert set(sentry.check_ins) == {("reconcile", "in_progress"), ("reconcile", "ok")}
    everything = b"\n".join(sentry.envelopes).decode()
    tables = tomllib.loads(shop.settings)["channels"].values()
    secrets = [value for table in tables for key, value in table.items() if key.endswith(("token", "secret"))]
    assert secrets
    assert [secret for secret in secrets if secret in everything] == []
