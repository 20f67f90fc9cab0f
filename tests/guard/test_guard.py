"""What the guard finds implausible: pure functions of figures and limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import SettingsError
from sync.guard.judge import NOTHING, Figures, GuardSettings, Limits, judge_plan, judge_reading

LIMITS = Limits()


def reading(**figures: int) -> Figures:
    """A full reading of 100 listings with 10 units each."""
    return Figures(known=100, rows=100, units=1000)._replace(**figures)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (reading(zeroed=31, fell=31, gone=310), "31 listings fall to zero, of 100; the limit is 30%"),
        (reading(fell=60, gone=600, units=400), "600 units go, of 1000; the limit is 50%"),
        (reading(rose=20, come=4000, units=5000), "4000 units come, of 1000; the limit is 300%"),
        (reading(fell=50, rose=41, gone=50, come=41, units=991), "91 listings change, of 100; the limit is 90%"),
        (reading(missing=40, rows=60), "40 listings are missing, of 100; the limit is 30%"),
        (reading(missing=100, rows=0, units=0), "it shows nothing, and 100 listings are known"),
        (reading(errors=30), "30 more rows are in error than before, of 130; the limit is 20%"),
    ],
)
def test_each_limit_is_told_with_its_figures(found: Figures, words: str) -> None:
    assert judge_reading(found, LIMITS) == [words]


def test_an_ordinary_day_is_believed() -> None:
    found = reading(fell=40, zeroed=10, gone=200, rose=10, come=300, units=1100, missing=3, errors=2)
    assert judge_reading(found, LIMITS) == []


def test_a_few_listings_may_always_change() -> None:
    assert judge_reading(Figures(known=6, rows=6, units=0, fell=5, zeroed=5, gone=50), LIMITS) == []
    assert judge_reading(Figures(known=6, rows=6, units=0, fell=6, zeroed=6, gone=60), LIMITS) != []


def test_nothing_at_all_is_never_a_few() -> None:
    assert judge_reading(Figures(known=2, missing=2), LIMITS) == ["it shows nothing, and 2 listings are known"]


def test_of_a_few_listings_only_falls_to_zero_are_judged() -> None:
    found = Figures(known=100, rows=50, units=0, fell=50, zeroed=20, gone=900, errors=90)
    assert judge_reading(found, LIMITS, full=False) == []
    assert judge_reading(found._replace(zeroed=31), LIMITS, full=False) != []


def test_what_was_approved_passes_and_what_is_worse_does_not() -> None:
    approved = reading(zeroed=60, fell=60, gone=600, units=400)
    assert judge_reading(approved, LIMITS, approved) == []
    assert judge_reading(approved._replace(zeroed=90), LIMITS, approved) == []
    (words,) = judge_reading(approved._replace(zeroed=95), LIMITS, approved)
    assert words == "95 listings fall to zero, of 100, beyond the 60 that were approved; the limit is 30%"


def test_a_plan_is_judged_by_its_size_and_by_what_it_brings_to_zero() -> None:
    assert judge_plan(Figures(known=100, fell=50), LIMITS) == []
    assert judge_plan(Figures(known=100, fell=30, rose=21), LIMITS) == [
        "51 listings would be written, of 100; the limit is 50%"
    ]
    assert judge_plan(Figures(known=100, fell=31, zeroed=31), LIMITS) == [
        "31 listings would be brought to zero, of 100; the limit is 30%"
    ]


def test_a_channel_has_its_own_limits_and_the_others_of_all() -> None:
    settings = GuardSettings.model_validate({"zero_share": 0.1, "channels": {"till": {"missing_share": 1}}})
    assert (settings.of("till").zero_share, settings.of("till").missing_share) == (0.1, 1)
    assert settings.of("store").missing_share == LIMITS.missing_share


def test_limits_for_a_channel_that_is_not_there_are_an_error() -> None:
    settings = GuardSettings.model_validate({"channels": {"shop": {}}})
    with pytest.raises(SettingsError, match=r"guard\.channels\.shop: there is no channel 'shop'; there are: till"):
        settings.check(Path("sync.toml"), ["till"])


numbers = st.integers(0, 1000)


@given(st.builds(Figures, *[numbers] * len(Figures._fields)), st.builds(Figures, *[numbers] * len(Figures._fields)))
def test_approval_never_makes_anything_worse(found: Figures, approved: Figures) -> None:
    told = {words.split(" of ")[0].split(",")[0] for words in judge_reading(found, LIMITS)}
    assert {words.split(" of ")[0].split(",")[0] for words in judge_reading(found, LIMITS, approved)} <= told
    assert judge_reading(found, LIMITS, found) == []
    assert judge_plan(found, LIMITS, found) == []


@given(st.builds(Figures, *[numbers] * len(Figures._fields)))
def test_no_change_is_no_finding(found: Figures) -> None:
    assert judge_plan(NOTHING._replace(known=found.known), LIMITS) == []
