"""What each channel should show of a SKU: a pure function of its record, with the steps that explain it.

The way from on hand to a target is always the same: what is pinned or excluded is not written; then floor, ``buffer``,
``share`` and ``cap``, or ``fixed`` in place of these three; then ``minimum``. Whatever the rules, a target is never
below 0, never above on hand unless a rule says ``overcommit``, and never falls when on hand rises.

Of two rules that set the same key the more specific one wins: one for a SKU over one for a pattern, that over one for
all SKUs; then one for a channel over one for all channels; then the later one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from typing import NamedTuple

from sync.policy.rules import NONE, Rule
from sync.stock.records import Record
from sync.storage.store import fold

#: What makes a SKU of a rule a pattern.
PATTERN = re.compile(r"[*?\[]")


class Step(NamedTuple):
    """One step on the way from on hand to a target."""

    #: What takes the step: a key of a rule, or one of ``on hand``, ``uncounted``, ``floor``, ``read only``.
    rule: str
    #: Units after it; ``None``: the listing is not to be written.
    units: int | None
    #: What the rule is set to, and where.
    setting: int = 0
    source: str = ""

    @property
    def words(self) -> str:
        """What it does, in words for a merchant."""
        return WORDS[self.rule].format(self.setting)


WORDS = {
    "on hand": "the stock of record",
    "uncounted": "the authority has not counted it yet",
    "floor": "more was sold than there was; less than nothing is never shown",
    "read only": "this channel is read and never written",
    "exclude": "not for this channel",
    "pin": "its level here is left to people",
    "buffer": "{} kept back",
    "share": "{} percent of it, rounded down",
    "cap": "at most {}",
    "fixed": "{}, while there are so many",
    "overcommit": "{}, however many there are",
    "minimum": "fewer than {} are shown as 0",
}


class Target(NamedTuple):
    """What one channel should show of a SKU, and why."""

    #: ``None`` where the listing is not to be written.
    units: int | None
    steps: tuple[Step, ...]


class Setting(NamedTuple):
    """What one key is set to for a listing, and where."""

    value: int | str
    source: str


#: The rules of one listing, put together.
Settled = Mapping[str, Setting]

READ_ONLY = Target(None, (Step("read only", None),))


class Policy:
    """What the channels should show. It knows the settings and nothing else: the same record, the same targets.

    The targets of one SKU are decided together, from its whole record.
    """

    def __init__(self, channels: Iterable[tuple[str, bool]], rules: Sequence[Rule] = ()) -> None:
        """``channels``: the names of all of them, and whether they can be written; ``rules``: in their order."""
        self._channels = tuple(channels)
        self._rules = sorted(rules, key=_specificity)  # equals stay in their order
        self._wide: dict[str, Settled] = {
            name: _settle({}, (rule for rule in self._rules if not rule.sku), name) for name, _ in self._channels
        }
        self._patterns = [
            (re.compile(translate(fold(rule.sku))), rule) for rule in self._rules if PATTERN.search(rule.sku)
        ]
        self._digests: dict[str, str] = {}
        self._exact: dict[str, list[Rule]] = {}
        for rule in self._rules:
            if rule.sku and not PATTERN.search(rule.sku):
                self._exact.setdefault(fold(rule.sku), []).append(rule)

    def targets(self, record: Record) -> Mapping[str, Target]:
        """The target of every channel, whether or not the SKU is listed there."""
        own = [rule for pattern, rule in self._patterns if pattern.match(record.folded)]
        own += self._exact.get(record.folded, ())
        return {
            name: aim(record.on_hand, _settle(self._wide[name], own, name) if own else self._wide[name])
            if writes
            else READ_ONLY
            for name, writes in self._channels
        }

    def target(self, record: Record, channel: str) -> int | None:
        """The level that a channel should show, in units.

        ``None`` where nothing is to be written: the authority has not counted the SKU, a rule says so, or the
        channel is only read.
        """
        return self.targets(record)[channel].units

    def digest(self, channel: str) -> str:
        """A short text that changes whenever the rules for a channel do."""
        if channel not in self._digests:
            mine = [(fold(rule.sku), rule.channel, rule.keys) for rule in self._rules if rule.channel in ("", channel)]
            self._digests[channel] = hashlib.blake2b(json.dumps(mine).encode(), digest_size=12).hexdigest()
        return self._digests[channel]


def aim(on_hand: int | None, rules: Settled) -> Target:
    """The way from on hand to the target of one listing."""
    if on_hand is None:
        return Target(None, (Step("uncounted", None),))
    steps = [Step("on hand", on_hand)]
    if not rules:  # as most are
        if on_hand < 0:
            steps.append(Step("floor", 0))
        return Target(max(0, on_hand), tuple(steps))

    def number(key: str) -> int | None:
        value = rules[key].value if key in rules else NONE
        return None if isinstance(value, str) else value

    def step(key: str, units: int | None, *, of: str = "") -> None:
        steps.append(Step(key, units, number(of or key) or 0, rules[key].source))

    for key in ("exclude", "pin"):
        if number(key):
            step(key, None)
            return Target(None, tuple(steps))
    left = max(0, on_hand)
    if on_hand < 0:
        steps.append(Step("floor", 0))
    fixed, buffer, share, cap, minimum = (number(key) for key in ("fixed", "buffer", "share", "cap", "minimum"))
    if fixed is not None and number("overcommit"):
        step("overcommit", fixed, of="fixed")
        return Target(fixed, tuple(steps))
    if fixed is not None:
        step("fixed", left := min(fixed, left))
    else:
        if buffer:
            step("buffer", left := max(0, left - buffer))
        if share is not None:
            step("share", left := left * share // 100)
        if cap is not None:
            step("cap", left := min(left, cap))
    if minimum:
        step("minimum", left := left if left >= minimum else 0)
    return Target(left, tuple(steps))


def _settle(wide: Settled, rules: Iterable[Rule], channel: str) -> Settled:
    """What the rules, the least specific first, make of the settings of a channel."""
    found = dict(wide)
    for rule in rules:
        if rule.channel in ("", channel):
            found.update((key, Setting(value, rule.source)) for key, value in rule.keys)
    return found


def _specificity(rule: Rule) -> tuple[int, bool]:
    kind = 0 if not rule.sku else 1 if PATTERN.search(rule.sku) else 2
    return kind, bool(rule.channel)
