"""The beat schedule: its file is what the example says it is, and a mistake in it is named."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery
from celery.schedules import crontab
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import SettingsError
from sync.schedule import CRON_LATE_S, DEFAULT, Slots, check_schedule, load_schedule, parse_schedule, slot_of

EXAMPLE = Path(__file__).parents[2] / "celerybeat-schedule.example"


def refused(text: str, file: Path) -> str:
    file.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_schedule(file)
    assert caught.value.message.startswith(f"{file}: ")
    return caught.value.message.removeprefix(f"{file}: ")


def test_the_example_is_exactly_the_default() -> None:
    assert tomllib.loads(EXAMPLE.read_text("utf-8")) == DEFAULT
    assert load_schedule(EXAMPLE) == load_schedule(None)


def test_an_entry_becomes_what_beat_runs() -> None:
    schedule = parse_schedule(
        {"a": {"task": "sync.pull", "every": "30s", "arguments": {"channel": "store"}}}, "a schedule"
    )

    assert schedule["a"]["task"] == "sync.pull"
    assert schedule["a"]["schedule"] == timedelta(seconds=30)
    assert schedule["a"]["kwargs"] == {"channel": "store"}


def test_a_tick_that_nobody_took_is_gone_before_the_next_one() -> None:
    schedule = parse_schedule({"a": {"task": "sync.sweep", "every": "2h"}}, "a schedule")

    assert schedule["a"]["options"] == {"expires": 7200}


def test_a_time_of_day_is_a_cron_line() -> None:
    schedule = parse_schedule({"a": {"task": "sync.reconcile", "cron": "30 4 * * mon-fri"}}, "a schedule")

    assert schedule["a"]["schedule"] == crontab(minute="30", hour="4", day_of_week="mon-fri")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[a]\nevery = "5s"', "a.task: "),
        ('[a]\ntask = "sync.sweep"', "a: needs either every or cron"),
        ('[a]\ntask = "sync.sweep"\nevery = "5s"\ncron = "* * * * *"', "a: needs either every or cron"),
        ('[a]\ntask = "sync.sweep"\nevery = 5', "a.every: must be a whole number and a unit, such as 30s"),
        ('[a]\ntask = "sync.sweep"\nevery = "0s"', "a.every: must be a whole number and a unit, such as 30s"),
        ('[a]\ntask = "sync.sweep"\nevery = "99999999999d"', "a.every: "),
        ('[a]\ntask = "sync.sweep"\ncron = "* * *"', "a.cron: must have five fields"),
        ('[a]\ntask = "sync.sweep"\ncron = "61 * * * *"', "a.cron: is not understood"),
        ('[a]\ntask = "sync.sweep"\ncron = "*/0 * * * *"', "a.cron: is not understood"),
        ('[a]\ntask = "sync.sweep"\nevry = "5s"\nevery = "5s"', "a.evry: "),
        ('[a]\ntask = "tasks.sweep"\nevery = "5s"', "a.task: there is no task 'tasks.sweep'"),
        ('task = "sync.sweep"', "task: "),
        ("[a", "Expected ']'"),
    ],
)
def test_a_mistake_names_file_entry_and_key(tmp_path: Path, text: str, said: str) -> None:
    assert refused(text, tmp_path / "beat").startswith(said)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="beat: the schedule cannot be read: No such file"):
        load_schedule(tmp_path / "beat")


FIELD = st.text("0123456789*/-,l#mon ", min_size=1, max_size=6)


@given(st.one_of(st.fixed_dictionaries({"every": st.text()}), st.fixed_dictionaries({"cron": st.text() | FIELD})))
def test_whatever_is_written_is_understood_or_refused_in_words(table: dict[str, str]) -> None:
    try:
        schedule = parse_schedule({"a": {"task": "sync.sweep", **table}}, "a schedule")
    except SettingsError as error:
        said = error.message
    else:
        said = f"a schedule: a runs {schedule['a']['schedule']}"
    assert said.startswith("a schedule: a")


NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
MOMENTS = st.integers(1_600_000_000, 2_200_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))


def slots(seconds: int, now: datetime) -> Slots:
    return Slots(timedelta(seconds=seconds), nowfun=lambda: now)


def test_every_so_often_is_on_the_round() -> None:
    assert slots(900, NOON).slot(NOON + timedelta(minutes=29)) == (NOON + timedelta(minutes=15)).timestamp()


@given(st.integers(1, 10**6), MOMENTS, MOMENTS)
def test_an_entry_is_due_when_one_of_its_moments_has_come_since_it_ran(
    period: int, last: datetime, now: datetime
) -> None:
    when = slots(period, now)
    is_due, wait_s = when.is_due(last)
    assert is_due == (now.timestamp() // period != last.timestamp() // period)
    assert 0 < wait_s <= period
    assert when.slot(now + timedelta(seconds=wait_s + 0.001)) == when.slot(now) + period
    assert when.remaining_estimate(now).total_seconds() == pytest.approx(wait_s)


def cron(line: str) -> crontab:
    when = parse_schedule({"a": {"task": "sync.sweep", "cron": line}}, "a schedule")["a"]["schedule"]
    assert isinstance(when, crontab)
    when.app = Celery(set_as_current=False)
    return when


@given(
    st.sampled_from(["*/20 * * * *", "30 4 * * *", "0 0 1 * *", "15 12 * * mon-fri", "0 */2 * 3 0"]),
    MOMENTS,
    st.integers(0, CRON_LATE_S - 1),
)
def test_a_tick_by_cron_is_named_by_its_own_minute_however_late_it_is_sent(
    line: str, last: datetime, late_s: int
) -> None:
    when = cron(line)
    start, wait, _ = when.remaining_delta(last)  # Celery's own reckoning of when it runs next
    due = start + wait
    assert slot_of(when, due + timedelta(seconds=late_s)) == due.timestamp()


def test_of_several_minutes_that_were_missed_the_newest_counts() -> None:
    assert slot_of(cron("*/5 * * * *"), NOON + timedelta(minutes=9)) == (NOON + timedelta(minutes=5)).timestamp()


def pull(channel: str, skus: list[str] | None = None) -> None:
    """A task of two arguments."""


def sweep() -> None:
    """A task of none."""


TASKS: dict[str, Callable[..., object]] = {"sync.pull": pull, "sync.sweep": sweep}


def checked(task: str, **arguments: object) -> str:
    """What is said about such an entry; nothing where it can run."""
    schedule = parse_schedule({"a": {"task": task, "every": "1m", "arguments": arguments}}, "beat")
    try:
        check_schedule(schedule, TASKS, ["store", "till"], "beat")
    except SettingsError as error:
        return error.message
    return ""


@pytest.mark.parametrize(
    ("message", "task", "arguments"),
    [
        ("beat: a.task: there is no task 'sync.swep'; did you mean 'sync.sweep'?", "sync.swep", {}),
        ("beat: a.arguments: sync.sweep has no argument 'channel'; it takes none", "sync.sweep", {"channel": "store"}),
        ("beat: a.arguments: sync.pull needs channel", "sync.pull", {}),
        (
            "beat: a.arguments: sync.pull has no argument 'chanel'; it takes channel and skus\n"
            "beat: a.arguments: sync.pull needs channel",
            "sync.pull",
            {"chanel": "store"},
        ),
        (
            "beat: a.arguments.channel: there is no channel 'stroe'; did you mean 'store'?",
            "sync.pull",
            {"channel": "stroe"},
        ),
    ],
)
def test_an_entry_that_cannot_run_is_told_before_anything_runs(
    message: str, task: str, arguments: dict[str, object]
) -> None:
    assert checked(task, **arguments) == message


def test_what_can_run_is_left_alone() -> None:
    assert checked("sync.pull", channel="till", skus=["MUG"]) == ""
