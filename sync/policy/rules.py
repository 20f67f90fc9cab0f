"""The merchant's rules on what a channel shows, as they are set: in the settings file, or in a CSV that it names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from channels.contract import MAX_UNITS
from sync.errors import SettingsError
from sync.stock.sheets import rows

#: In place of a number of units: a wider rule is taken back.
NONE = "none"


def _units_or_none(value: object) -> int | str:
    """A number of units, or the word that takes a wider rule back."""
    text = str(value).strip().casefold()
    if text == NONE:
        return NONE
    if isinstance(value, bool) or not text.isdecimal() or int(text) > MAX_UNITS:
        raise ValueError(f"must be a number of units from 0 on, or {NONE!r}")
    return int(text)


Units = Annotated[int, Field(ge=0, le=MAX_UNITS)]
UnitsOrNone = Annotated[int | str, PlainValidator(_units_or_none)]


class RuleKeys(BaseModel):
    """What a rule may say. What it leaves out, a wider rule says."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    buffer: Units | None = None
    """Units that are kept back: 2 of 10 on hand leave 8 to show."""

    share: Annotated[int, Field(ge=0, le=100)] | None = None
    """The percentage of what the buffer leaves that is shown, rounded down."""

    cap: UnitsOrNone | None = None
    """The most units that are shown, or ``"none"``."""

    fixed: UnitsOrNone | None = None
    """So many units are shown while on hand has them, else what there is, whatever ``buffer``, ``share`` and ``cap``
    say; or ``"none"``."""

    overcommit: bool | None = None
    """Whether ``fixed`` units are shown even when on hand has fewer, as for goods that are made to order."""

    minimum: Units | None = None
    """With fewer units than these to show, 0 is shown."""

    pin: bool | None = None
    """Whether the level is left to people: it is read, its sales count, and it is never written."""

    exclude: bool | None = None
    """Whether the SKU is not for this channel: should it be listed there all the same, it is never written."""


class SkuRule(RuleKeys):
    """A rule for one SKU, or for those of a pattern."""

    sku: Annotated[str, Field(min_length=1)]
    """A SKU, or a shell pattern such as ``GIFT-*``; upper and lower case are the same."""

    channel: str | None = None
    """The channel that it is for; unset: all of them."""

    @model_validator(mode="after")
    def _says_something(self) -> SkuRule:
        if not _given(self):
            raise ValueError(f"says nothing; it must set one of: {', '.join(RuleKeys.model_fields)}")
        return self


class PolicySettings(RuleKeys):
    """The ``[policy]`` table. Rules on its top level are for all channels."""

    channels: dict[str, RuleKeys] = Field(default_factory=dict)
    """Rules for one channel, in ``[policy.channels.NAME]``."""

    rules: list[SkuRule] = Field(default_factory=list)
    """Rules for some SKUs, each in a ``[[policy.rules]]`` of its own."""

    rules_csv: Path | None = None
    """A CSV file with more of them: the columns ``sku`` and ``channel`` (blank: all), and one for each key."""


class Rule(NamedTuple):
    """One rule, ready to be applied."""

    #: A SKU or a pattern as it is written; empty: all SKUs.
    sku: str
    #: Empty: all channels.
    channel: str
    keys: tuple[tuple[str, int | str], ...]
    #: Where it stands, for people.
    source: str


def rules_of(settings: PolicySettings, file: Path, channels: Collection[str]) -> tuple[Rule, ...]:
    """All rules in the order in which they are written, those of the CSV last.

    Raises:
        SettingsError: a rule names a channel that there is not, or the CSV has a bad row.
    """
    return tuple(_rules(settings, file, channels))


def _rules(settings: PolicySettings, file: Path, channels: Collection[str]) -> Iterator[Rule]:
    if keys := _given(settings):
        yield Rule("", "", keys, "policy")
    for name, table in settings.channels.items():
        _check_channel(f"{file}: policy.channels.{name}", name, channels)
        yield Rule("", name, _given(table), f"policy.channels.{name}")
    for place, rule in enumerate(settings.rules, 1):
        _check_channel(f"{file}: policy.rules.{place - 1}.channel", rule.channel, channels)
        yield Rule(rule.sku, rule.channel or "", _given(rule), f"policy.rules, number {place}")
    if settings.rules_csv:
        sheet = file.parent / settings.rules_csv
        for where, cells in rows(sheet, needed=("sku",), optional=("channel", *RuleKeys.model_fields)):
            try:
                rule = SkuRule.model_validate(cells)
            except ValidationError as error:
                found = error.errors()[0]
                column = f"{found['loc'][0]}: " if found["loc"] else ""
                raise SettingsError(f"{where}: {column}{found['msg'].removeprefix('Value error, ')}") from None
            _check_channel(where, rule.channel, channels)
            yield Rule(rule.sku, rule.channel or "", _given(rule), where.rpartition("/")[2])


def _given(rule: RuleKeys) -> tuple[tuple[str, int | str], ...]:
    """What a rule says."""
    return tuple((key, value) for key in RuleKeys.model_fields if (value := getattr(rule, key)) is not None)


def _check_channel(where: str, name: str | None, channels: Collection[str]) -> None:
    if name is not None and name not in channels:
        raise SettingsError(f"{where}: there is no channel {name!r}; there are: {', '.join(channels)}")
