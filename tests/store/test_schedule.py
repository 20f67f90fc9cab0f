"""The beat schedule: its file is what the example says it is, and a mistake in it is named."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from celery.schedules import crontab
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import SettingsError
from sync.schedule import DEFAULT, load_schedule, parse_schedule

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
