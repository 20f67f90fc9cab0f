"""What each channel should show of a SKU: a pure function of its record, with the steps that explain it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sync.records import Record


class Step(NamedTuple):
    """One step on the way from on hand to a target."""

    #: What takes the step: ``on hand``, ``floor``, or the name of a rule.
    rule: str
    #: Units after it; ``None``: the listing is not to be written.
    units: int | None
    #: What it did, in words for a merchant.
    words: str


class Target(NamedTuple):
    """What one channel should show of a SKU, and why."""

    #: ``None`` where the listing is not to be written.
    units: int | None
    steps: tuple[Step, ...]


class Policy:
    """What the channels should show. It knows the settings and nothing else: the same record, the same targets.

    The targets of one SKU are decided together, from its whole record.
    """

    def __init__(self, channels: Iterable[tuple[str, bool]]) -> None:
        """``channels``: the names of all of them, and whether they can be written."""
        self._channels = tuple(channels)

    def targets(self, record: Record) -> Mapping[str, Target]:
        """The target of every channel, whether or not the SKU is listed there."""
        return {name: _target(record) if writes else READ_ONLY for name, writes in self._channels}

    def target(self, record: Record, channel: str) -> int | None:
        """The level that a channel should show, in units.

        ``None`` where nothing is to be written: the authority has not counted the SKU, or the channel is only read.
        """
        return self.targets(record)[channel].units


READ_ONLY = Target(None, (Step("read only", None, "this channel is read and never written"),))


def _target(record: Record) -> Target:
    """On hand may be negative (more was sold than there was); what is shown never is."""
    if record.on_hand is None:
        return Target(None, (Step("on hand", None, "the authority has not counted it yet"),))
    steps = [Step("on hand", record.on_hand, "the stock of record")]
    if record.on_hand < 0:
        steps.append(Step("floor", 0, "more was sold than there was; less than nothing is never shown"))
    return Target(steps[-1].units, tuple(steps))
