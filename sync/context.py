"""Everything a task or a command works with, put together once for each process."""

from __future__ import annotations

import atexit
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from channels import Channel, ChannelSettings, Services, channel_type
from sync import embedded
from sync.admissions import Admissions
from sync.breaker import Breaker
from sync.budget import StoreBudget
from sync.counters import Counters
from sync.errors import UnknownChannel
from sync.holds import Holds
from sync.latency import Latency
from sync.ledger import Ledger, Roster
from sync.memory import StoreMemory
from sync.pauses import Pauses
from sync.policy import Policy
from sync.settings import Settings
from sync.store import TIMEOUT_S, Store
from sync.worklist import Worklist
from sync.writes import Writes


@dataclass
class Context:
    """The settings and all that follows from them. Parts come into being when first used."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        """The store, started if it is the embedded one."""
        return self.open_store()

    def open_store(self, *, timeout_s: float = TIMEOUT_S) -> Store:
        """Another connection to the store, with a patience of its own."""
        if self.settings.redis_url:
            return Store(self.settings.redis_url.get_secret_value(), timeout_s=timeout_s)
        embedded.start(self.settings.data_dir)
        return Store(embedded.url(self.settings.data_dir), timeout_s=timeout_s)

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """The adapters of all configured channels, by name, in the order of the file."""
        return {
            name: channel_type(settings.type)(name, settings, _services(self, name, settings))
            for name, settings in self.settings.channel_settings.items()
        }

    @cached_property
    def policy(self) -> Policy:
        """What each channel should show."""
        channels = ((name, channel.capabilities.writes) for name, channel in self.channels.items())
        return Policy(channels, self.settings.rules)

    @cached_property
    def ledger(self) -> Ledger:
        """The stock of record."""
        writable = tuple(name for name, channel in self.channels.items() if channel.capabilities.writes)
        roster = Roster(self.settings.authority, writable, self.settings.recipes, self.settings.aliases)
        return Ledger(self.store, roster)

    @cached_property
    def writes(self) -> Writes:
        """Claims on listings."""
        return Writes(self.store, lease_s=self.settings.write_lease_s)

    @cached_property
    def worklist(self) -> Worklist:
        """What waits."""
        return Worklist(self.store)

    @cached_property
    def counters(self) -> Counters:
        """Counters shared with all other processes; what is still here when this one ends is brought to the store."""
        counters = Counters(self.store)
        atexit.register(counters.flush)
        return counters

    @cached_property
    def latency(self) -> Latency:
        """How long news takes."""
        return Latency(self.store, self.counters)

    @cached_property
    def breaker(self) -> Breaker:
        """Channels in trouble."""
        return Breaker(self.store)

    @cached_property
    def holds(self) -> Holds:
        """What the guard has stopped."""
        return Holds(self.store)

    @cached_property
    def admissions(self) -> Admissions:
        """Listings that a person has let through one by one."""
        return Admissions(self.store)

    @cached_property
    def pauses(self) -> Pauses:
        """Channels that a person has paused."""
        return Pauses(self.store)

    def channel(self, name: str) -> Channel:
        """The adapter of a channel.

        Raises:
            UnknownChannel: the settings have none of this name.
        """
        try:
            return self.channels[name]
        except KeyError:
            known = ", ".join(self.channels)
            raise UnknownChannel(f"there is no channel {name!r} in {self.settings.file}; there are: {known}") from None

    def named(self, channel: str | None) -> Iterable[str]:
        """This channel, or all of them."""
        return [channel] if channel and self.channel(channel) else list(self.channels)


def _services(context: Context, name: str, settings: ChannelSettings) -> Services:
    """All that one channel is lent."""
    budget = StoreBudget.of(context.store, name, settings, context.counters)
    return Services(budget=budget, memory=StoreMemory(context.store, name))
