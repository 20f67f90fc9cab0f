"""What a channel should show: rule by rule, and what holds whatever the rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.policy.rules import Rule
from sync.policy.targets import Policy
from sync.stock.records import Record

CHANNELS = [("till", False), ("store", True), ("market", True)]

KEYS = {
    "buffer": st.integers(0, 20),
    "share": st.integers(0, 100),
    "cap": st.one_of(st.integers(0, 20), st.just("none")),
    "fixed": st.one_of(st.integers(0, 20), st.just("none")),
    "overcommit": st.booleans(),
    "minimum": st.integers(0, 20),
    "pin": st.booleans(),
    "exclude": st.booleans(),
}

RULES = st.builds(
    Rule,
    sku=st.sampled_from(["", "A", "a*", "*", "B", "[ab]"]),
    channel=st.sampled_from(["", "store", "market"]),
    keys=st.fixed_dictionaries({}, optional=KEYS).map(lambda keys: tuple(keys.items())),
    source=st.just("here"),
)


def record(on_hand: int | None, sku: str = "A") -> Record:
    return Record(sku.casefold(), sku, on_hand, 1, "", {})


def rule(sku: str = "", channel: str = "", **keys: int | str) -> Rule:
    return Rule(sku, channel, tuple(keys.items()), "here")


def shown(on_hand: int, *rules: Rule, channel: str = "store", sku: str = "A") -> int | None:
    return Policy(CHANNELS, rules).target(record(on_hand, sku), channel)


def overcommits(policy: Policy, of: Record, channel: str) -> bool:
    return any(step.rule == "overcommit" for step in policy.targets(of)[channel].steps)


@given(st.lists(RULES, max_size=6), st.integers(-50, 50))
def test_a_target_is_never_below_nothing_nor_above_on_hand_unless_a_rule_says_so(
    rules: list[Rule], on_hand: int
) -> None:
    policy, of = Policy(CHANNELS, rules), record(on_hand)
    for name, target in policy.targets(of).items():
        assert target.units is None or target.units >= 0
        assert target.units is None or target.units <= max(0, on_hand) or overcommits(policy, of, name)


@given(st.lists(RULES, max_size=6), st.integers(-50, 50))
def test_more_on_hand_never_shows_less(rules: list[Rule], on_hand: int) -> None:
    policy = Policy(CHANNELS, rules)
    for name, _ in CHANNELS:
        less, more = policy.target(record(on_hand), name), policy.target(record(on_hand + 1), name)
        assert (less is None) == (more is None)
        assert less is None or more is None or less <= more


@given(st.lists(RULES, max_size=6), st.integers(-50, 50))
def test_the_same_record_has_the_same_targets_and_the_last_step_is_the_target(rules: list[Rule], on_hand: int) -> None:
    policy = Policy(CHANNELS, rules)
    targets = policy.targets(record(on_hand))
    assert targets == Policy(CHANNELS, list(rules)).targets(record(on_hand))
    for target in targets.values():
        assert target.steps[-1].units == target.units
        assert all(step.words for step in target.steps)


@given(st.lists(RULES, max_size=6))
def test_what_is_not_counted_is_not_written(rules: list[Rule]) -> None:
    assert {target.units for target in Policy(CHANNELS, rules).targets(record(None)).values()} == {None}


def test_a_buffer_is_kept_back() -> None:
    assert [shown(on_hand, rule(buffer=3)) for on_hand in (-1, 3, 4, 10)] == [0, 0, 1, 7]


def test_a_share_is_rounded_down() -> None:
    assert [shown(on_hand, rule(share=50)) for on_hand in (0, 1, 3, 10)] == [0, 0, 1, 5]


def test_a_cap_is_the_most() -> None:
    assert [shown(on_hand, rule(cap=5)) for on_hand in (4, 5, 6)] == [4, 5, 5]


def test_below_the_minimum_nothing_is_shown() -> None:
    assert [shown(on_hand, rule(minimum=3)) for on_hand in (2, 3, 4)] == [0, 3, 4]


def test_a_fixed_number_is_shown_while_there_are_so_many_whatever_is_kept_back() -> None:
    assert [shown(on_hand, rule(fixed=5, buffer=3, cap=1)) for on_hand in (3, 5, 90)] == [3, 5, 5]


def test_a_fixed_number_may_be_more_than_there_are_only_where_a_rule_says_so() -> None:
    assert [shown(on_hand, rule(fixed=5, overcommit=True, minimum=9)) for on_hand in (-7, 0, 90)] == [5, 5, 5]


def test_what_is_pinned_or_excluded_is_not_written() -> None:
    assert shown(9, rule(pin=True)) is None
    assert shown(9, rule(exclude=True), channel="market") is None


def test_the_steps_follow_one_another() -> None:
    rules = [rule(buffer=2, minimum=1), rule(channel="store", share=50), rule("A", cap=3)]
    steps = Policy(CHANNELS, rules).targets(record(10))["store"].steps
    assert [(step.rule, step.units) for step in steps] == [
        ("on hand", 10),
        ("buffer", 8),
        ("share", 4),
        ("cap", 3),
        ("minimum", 3),
    ]


def test_the_most_specific_rule_wins_key_by_key() -> None:
    rules = [
        rule("A", "", buffer=5),
        rule("A", "store", buffer=6),
        rule("a*", "store", buffer=4),
        rule("", "store", buffer=2, cap=50),
        rule(buffer=1),
    ]
    assert shown(100, *rules) == 50
    assert shown(20, *rules) == 14
    assert shown(20, *rules, channel="market") == 15
    assert shown(20, *rules, sku="AB") == 16
    assert shown(20, *rules, sku="C") == 18
    assert shown(20, *rules, sku="C", channel="market") == 19


def test_of_equals_the_later_wins() -> None:
    assert shown(10, rule("a*", buffer=1), rule("*", buffer=2)) == 8


def test_a_wider_rule_can_be_taken_back() -> None:
    wide = rule(buffer=2, cap=3, pin=True)
    assert shown(10, wide, rule("A", cap="none", buffer=0, pin=False)) == 10
    assert shown(10, rule(fixed=4), rule("A", fixed="none")) == 10


def test_skus_of_rules_are_compared_like_all_skus() -> None:
    assert shown(10, rule(" ABC ", buffer=1), sku="abc") == 9
    assert shown(10, rule("AB?", buffer=1), sku="abc") == 9


def test_the_digest_of_a_channel_changes_with_its_rules_alone() -> None:
    plain = Policy(CHANNELS)
    other = Policy(CHANNELS, [rule("A", "market", buffer=1)])
    assert plain.digest("store") == other.digest("store")
    assert plain.digest("market") != other.digest("market")
