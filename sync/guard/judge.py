"""The guard (rule 8): whether a reading or a plan is plausible. Pure functions of figures and limits.

A figure is held against two bounds: it must concern more than ``min_listings`` listings, and be more than its share.
What a person has approved is taken off first, so that what they have seen passes and what is worse does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from sync.errors import SettingsError

#: From so many listings on it is implausible that nearly all of them change at once; a small shop may sell of each.
MANY = 50


class Limits(BaseModel):
    """How much may change at once. A share of 1 is no limit where nothing can exceed the whole."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    zero_share: float = Field(default=0.3, ge=0)
    """The share of a channel's listings that may fall to zero in one reading, or be brought to zero by one plan."""

    units_share: float = Field(default=0.5, ge=0)
    """The share of a channel's units that may go in one full reading or file."""

    rise_share: float = Field(default=3.0, ge=0)
    """The units that may come in one full reading or file, as a share of those that were there: 3 is four times as
    many after it."""

    changed_share: float = Field(default=0.9, ge=0)
    """The share of a channel's listings that may change in one full reading or file, from 50 listings on."""

    missing_share: float = Field(default=0.3, ge=0)
    """The share of a channel's listings that may be missing from a full reading or file; 1 for a till whose files
    tell of some SKUs only."""

    error_share: float = Field(default=0.2, ge=0)
    """The share of rows that may be in error beyond those that were in error in the reading before."""

    plan_share: float = Field(default=0.5, ge=0)
    """The share of a channel's listings that may be written by one plan."""

    min_listings: int = Field(default=5, ge=0)
    """So many listings may always change, whatever their share."""


class GuardSettings(Limits):
    """The ``[guard]`` table. Limits on its top level are for all channels."""

    auto_approve_first: bool = False
    """Whether a channel's first push may be done without a person's approval."""

    channels: dict[str, Limits] = Field(default_factory=dict)
    """Limits for one channel, in ``[guard.channels.NAME]``; what it leaves out is as above."""

    def of(self, channel: str) -> Limits:
        """The limits of one channel."""
        own = self.channels.get(channel)
        return self.model_copy(update={key: getattr(own, key) for key in own.model_fields_set}) if own else self

    def check(self, file: Path, channels: Collection[str]) -> None:
        """Raise :class:`SettingsError` where limits are set for a channel that there is not."""
        for name in self.channels:
            if name not in channels:
                raise SettingsError(
                    f"{file}: guard.channels.{name}: there is no channel {name!r}; there are: {', '.join(channels)}"
                )


class Figures(NamedTuple):
    """What a reading shows, or a plan would do, in numbers of listings and units."""

    #: Listings of the channel that are known.
    known: int = 0
    #: Rows that were read, and the units that they show together.
    rows: int = 0
    units: int = 0
    #: Listings that would fall (those to zero included), fall to zero, rise, and the units that would go and come.
    fell: int = 0
    zeroed: int = 0
    rose: int = 0
    gone: int = 0
    come: int = 0
    #: Rows of listings that are not known yet.
    new: int = 0
    #: Listings that a full reading did not show.
    missing: int = 0
    #: Rows that could not be understood, less those of the reading before.
    errors: int = 0

    @property
    def changed(self) -> int:
        """Listings that would change."""
        return self.fell + self.rose

    def plus(self, other: Figures) -> Figures:
        """Both together, of the same listings."""
        added = (mine + theirs for mine, theirs in zip(self, other, strict=True))
        return Figures(*added)._replace(known=max(self.known, other.known))


#: Nothing has been approved.
NOTHING = Figures()


def judge_reading(found: Figures, limits: Limits, approved: Figures = NOTHING, *, full: bool = True) -> list[str]:
    """What is implausible about a reading, in words; empty where it may be believed.

    ``full``: whether it was to show every listing; of a few listings only falls to zero are judged.
    """
    return list(_findings(found, limits, approved, full=full))


def judge_plan(found: Figures, limits: Limits, approved: Figures = NOTHING) -> list[str]:
    """What is implausible about a plan, in words; empty where it may be done."""
    few = limits.min_listings
    return [
        *_over(found.zeroed, approved.zeroed, found.known, limits.zero_share, few, "listings would be brought to zero"),
        *_over(found.changed, approved.changed, found.known, limits.plan_share, few, "listings would be written"),
    ]


def _findings(found: Figures, limits: Limits, approved: Figures, *, full: bool) -> Iterator[str]:
    few, known = limits.min_listings, found.known
    yield from _over(found.zeroed, approved.zeroed, known, limits.zero_share, few, "listings fall to zero")
    if not full:
        return
    if found.rows == 0 and known > 0 and found.missing > approved.missing:
        yield f"it shows nothing, and {known} listings are known"
    else:
        yield from _over(found.missing, approved.missing, known, limits.missing_share, few, "listings are missing")
    rows = found.rows + found.errors
    yield from _over(found.errors, approved.errors, rows, limits.error_share, few, "more rows are in error than before")
    if known >= MANY:
        yield from _over(found.changed, approved.changed, known, limits.changed_share, few, "listings change")
    before = max(1, found.units + found.gone - found.come)
    if found.fell > few:
        yield from _over(found.gone, approved.gone, before, limits.units_share, 0, "units go")
    if found.rose > few:
        yield from _over(found.come, approved.come, before, limits.rise_share, 0, "units come")


def _over(number: int, approved: int, whole: int, share: float, few: int, what: str) -> Iterator[str]:
    excess = number - approved
    if excess > few and excess > share * whole:
        beyond = f", beyond the {approved} that were approved" if approved else ""
        yield f"{number} {what}, of {whole}{beyond}; the limit is {share:.0%}"
