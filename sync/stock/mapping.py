"""SKUs that a channel writes otherwise than we do. They are translated where they cross the border and nowhere else:
levels as they are read, sales as they are audited, writes as they are sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from channels import Page
from sync.errors import SettingsError, instead
from sync.stock.sheets import rows
from sync.storage.store import fold


class MappingSettings(BaseModel):
    """The ``[mapping]`` table."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True)

    aliases: Path | None = None
    """A CSV file of SKUs that differ between channels: the columns ``channel``, ``channel_sku`` and ``sku`` (ours)."""


class Alias(NamedTuple):
    """One SKU as a channel writes it, and as we do."""

    channel: str
    channel_sku: str
    sku: str


class Aliases:
    """All of them. What has none is the same SKU everywhere."""

    def __init__(self, aliases: Iterable[Alias] = ()) -> None:
        self._ours: dict[str, dict[str, str]] = {}
        self._theirs: dict[str, dict[str, str]] = {}
        for channel, channel_sku, sku in aliases:
            self._ours.setdefault(channel, {})[fold(channel_sku)] = sku
            self._theirs.setdefault(channel, {}).setdefault(fold(sku), channel_sku)

    def ours(self, channel: str) -> Mapping[str, str]:
        """Our SKUs, by the folded ones of a channel; most channels have none."""
        return self._ours.get(channel, {})

    def translated(self, channel: str, page: Page) -> Page:
        """A page of a channel, in our SKUs."""
        ours = self._ours.get(channel)
        if not ours:
            return page
        levels = [level._replace(sku=ours.get(fold(level.sku), level.sku)) for level in page.levels]
        return replace(page, levels=levels)

    def theirs(self, channel: str, sku: str) -> str:
        """One of our SKUs as the channel writes it."""
        names = self._theirs.get(channel)
        return names.get(fold(sku), sku) if names else sku


def aliases_of(settings: MappingSettings, file: Path, channels: Collection[str]) -> Aliases:
    """The aliases of the CSV that the settings name.

    Raises:
        SettingsError: a row names a channel that there is not, or one SKU of a channel is given two of ours.
    """
    found: dict[tuple[str, str], Alias] = {}
    if settings.aliases:
        for where, cells in rows(file.parent / settings.aliases, needed=("channel", "channel_sku", "sku")):
            alias = Alias(cells["channel"], cells["channel_sku"], cells["sku"])
            if alias.channel not in channels:
                raise SettingsError(f"{where}: there is no channel {alias.channel!r}{instead(alias.channel, channels)}")
            before = found.setdefault((alias.channel, fold(alias.channel_sku)), alias)
            if fold(before.sku) != fold(alias.sku):
                raise SettingsError(f"{where}: {alias.channel_sku} is {before.sku} already, by a row above")
    return Aliases(found.values())
