"""What `doctor` finds on our own side: the store, the processes, and how channels have fared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from wsgiref.handlers import format_date_time

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from channels.diagnosis import CLOCK_S, Finding, Severity, clock, failed, quota, some
from channels.errors import Denied, Rejected, Throttled
from channels.services import Quota
from sync.errors import UnknownChannel
from sync.guard.holds import Kind
from sync.readings import Pulls
from sync.stock import recovery
from sync.storage import embedded
from sync.storage.store import Store
from sync.views import doctor
from tests.conftest import CHANNELS, STORE, Town, unreachable

WELL = {"role": "master", "aof_enabled": 1, "aof_last_write_status": "ok", "maxmemory": 0}


def bad(findings: list[Finding]) -> list[tuple[str, str]]:
    """How bad, and about what; all that is well left out."""
    return [(row.severity, row.about) for row in findings if row.severity is not Severity.OK]


def test_the_embedded_store_is_well(data_dir: Path) -> None:
    findings = list(doctor.store(Store(embedded.url(data_dir))))
    assert bad(findings) == []
    assert [row.about for row in findings] == ["server", "append-only", "memory", "clock"]


def test_a_store_that_does_not_answer_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    (finding,) = doctor.store(Store(f"unix://{tmp_path}/nobody.sock"))
    assert finding.severity is Severity.ERROR
    assert "redis_url" in finding.advice


@pytest.mark.parametrize(
    ("told", "severity", "about"),
    [
        ({"aof_enabled": 0}, "warning", "append-only"),
        ({"aof_last_write_status": "err"}, "error", "append-only"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 10**9}, "error", "memory"),
        ({"maxmemory_policy": "volatile-lru"}, "warning", "memory"),
        ({"maxmemory": 100, "used_memory": 90}, "warning", "memory"),
        ({"role": "slave"}, "error", "role"),
    ],
)
def test_a_store_that_would_lose_stock_is_found_out(told: dict[str, object], severity: str, about: str) -> None:
    assert bad(list(doctor.kept(WELL | told))) == [(severity, about)]


def test_a_store_whose_clock_is_off_is_a_warning(store: Store) -> None:
    assert ("warning", "clock") in bad(list(doctor.store(store)))  # it has the tests' clock


def test_a_recovery_is_told_of_until_it_is_over(town: Town) -> None:
    store = town.context.store
    assert list(doctor.recovering(store, store.now_ms())) == []
    recovery.begin(town.context)
    assert bad(list(doctor.recovering(store, store.now_ms()))) == [("warning", "recovery")]
    store.client.set(recovery.KEY, f"marking {store.now_ms()}")
    (died,) = doctor.recovering(store, store.now_ms())
    assert died.severity is Severity.ERROR
    assert "celery -A sync recover" in died.advice
    recovery.end(town.context)
    assert list(doctor.recovering(store, store.now_ms())) == []


def test_a_channel_that_fares_well_is_said_to(town: Town) -> None:
    _read_whole(town)
    assert bad(list(doctor.fared(town.context, "store", timedelta(minutes=15)))) == []


def test_a_channel_that_was_never_read_is_a_note(town: Town) -> None:
    assert bad(list(doctor.fared(town.context, "store", None))) == [("note", "reading")]


def test_a_channel_that_is_read_no_more_is_a_warning(town: Town) -> None:
    _read_whole(town)
    town.context.store.clock.advance(3600)  # type: ignore[attr-defined]
    assert bad(list(doctor.fared(town.context, "store", timedelta(minutes=15)))) == [("warning", "reading")]
    assert bad(list(doctor.fared(town.context, "store", timedelta(hours=1)))) == []


def test_a_channel_that_is_mostly_asked_for_changes_may_be_read_whole_more_seldom(store: Store) -> None:
    town = Town.build(store, {**CHANNELS, "store": replace(STORE, full_every_s=3600)})  # type: ignore[arg-type]
    _read_whole(town)
    for hours, found in ((2, []), (2, [("warning", "reading")])):
        store.clock.advance(hours * 3600)  # type: ignore[attr-defined]
        assert bad(list(doctor.fared(town.context, "store", timedelta(minutes=15)))) == found


def test_a_channel_in_trouble_is_told_with_its_words(town: Town) -> None:
    _read_whole(town)
    context = town.context
    trouble = context.breaker.failed("store", unreachable(), context.store.now_ms())
    (finding,) = [row for row in doctor.fared(context, "store", None) if row.about == "trouble"]
    assert finding.severity is Severity.WARNING
    assert "connection refused" in finding.what
    for _ in range(3):
        trouble = context.breaker.failed("store", unreachable(), context.store.now_ms())
    assert context.breaker.tells("store", unreachable(), trouble)
    (finding,) = [row for row in doctor.fared(context, "store", None) if row.about == "trouble"]
    assert finding.severity is Severity.ERROR


def test_a_paused_channel_is_a_note(town: Town) -> None:
    _read_whole(town)
    town.context.pauses.pause("store", town.context.store.now_ms())
    assert bad(list(doctor.fared(town.context, "store", None))) == [("note", "pause")]


def test_a_held_run_is_a_warning(town: Town) -> None:
    _read_whole(town)
    now_ms = town.context.store.now_ms()
    number, _ = town.context.holds.open(Kind.FIRST_CONTACT, "store", now_ms, words=["2 of 2 would be written"])
    town.context.holds.open(Kind.FIRST_CONTACT, "market", now_ms, words=["not of this one"])
    (finding,) = [row for row in doctor.fared(town.context, "store", None) if row.about == "held runs"]
    assert finding.severity is Severity.WARNING
    assert finding.what == f"1 waiting for a person: {number} (first contact)"


def test_a_channel_that_is_not_there_is_said_so(town: Town) -> None:
    with pytest.raises(UnknownChannel):
        list(town.context.named("another"))


@pytest.mark.parametrize(
    ("severity", "code"), [(Severity.OK, 0), (Severity.NOTE, 0), (Severity.WARNING, 1), (Severity.ERROR, 2)]
)
def test_the_exit_code_is_how_bad_it_is(severity: Severity, code: int) -> None:
    assert doctor.exit_code(severity) == code


def test_a_call_without_leave_is_never_an_error() -> None:
    finding = failed("orders", Throttled("store", "read orders", "no call is left", retry_after_s=7.4))
    assert (finding.severity, finding.advice) == (Severity.WARNING, "Look again in 7 s.")


def test_a_refused_credential_is_an_error_whatever_the_check() -> None:
    refused = Denied("store", "read settings", "no", status=401)
    assert failed("settings", refused, Severity.NOTE).severity is Severity.ERROR
    assert failed("settings", Denied("store", "x", "no", status=403), Severity.NOTE).severity is Severity.NOTE
    assert failed("settings", Rejected("store", "x", "no"), Severity.NOTE).severity is Severity.NOTE


@given(
    off_s=st.floats(-600, 600),
    took_s=st.floats(0, 30),
    part=st.floats(0, 1),
    at=st.integers(1_700_000_000, 1_900_000_000),
)
def test_no_clock_is_called_wrong_that_may_be_right(off_s: float, took_s: float, part: float, at: int) -> None:
    """A ``Date`` is cut to the second, and may be of any moment between the question and the answer."""
    asked = at + part
    said = int(asked + part * took_s + off_s)
    (finding,) = clock(format_date_time(said), asked, asked + took_s)
    if abs(off_s) <= CLOCK_S:
        assert finding.severity is Severity.OK
    if abs(off_s) > CLOCK_S + took_s + 2:
        assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("date", [None, "", "yesterday", "32 Foo 2026"])
def test_an_answer_without_a_date_says_nothing_of_clocks(date: str | None) -> None:
    assert list(clock(date, 0, 1)) == []


def test_a_quota_is_told_as_far_as_it_is_known() -> None:
    assert list(quota(Quota())) == []
    assert [row.severity for row in quota(Quota(left=9, limit=100))] == [Severity.WARNING]
    assert [row.severity for row in quota(Quota(left=10, limit=100, reset_s=3))] == [Severity.OK]
    assert [row.what for row in quota(Quota(rate=0.5))] == ["0.5 calls a second of this kind"]


def test_a_few_of_many_are_named() -> None:
    assert some(["A"]) == "A"
    assert some(list("ABCDE")) == "A, B, C and 2 more"


def test_a_store_that_fails_meanwhile_is_a_finding(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    app = SimpleNamespace(context=town.context, conf=SimpleNamespace(beat_schedule={}))

    def fails(_name: str) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(town.context.breaker, "trouble", fails)
    (finding,) = doctor.channel(app, "store")  # type: ignore[arg-type]
    assert (finding.severity, finding.about) == (Severity.ERROR, "store")


def _read_whole(town: Town) -> None:
    pulls, store = Pulls(town.context.store), town.context.store
    pulls.begin("store", store.now_ms())
    pulls.finish("store", pulls.state("store"), store.now_ms())
