"""Everything a task or a command works with, put together once for each process."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from channels import Channel, ChannelSettings, Services, channel_type
from sync.breaker import Breaker
from sync.budget import StoreBudget
from sync.errors import UnknownChannel
from sync.guard.admissions import Admissions
from sync.guard.holds import Holds
from sync.guard.pauses import Pauses
from sync.policy.targets import Policy
from sync.settings import Settings
from sync.stock.ledger import Ledger, Roster
from sync.stock.mapping import Aliases
from sync.stock.worklist import Worklist
from sync.stock.writes import Writes
from sync.storage import embedded
from sync.storage.memory import StoreMemory
from sync.storage.store import TIMEOUT_S, Store
from sync.stores import CHANNEL_PREFIX, Stores
from sync.telemetry.counters import Counters
from sync.telemetry.latency import Latency
from sync.telemetry.redaction import Redactor, secrets_of


@dataclass
class Context:
    """The settings and all that follows from them. Parts come into being when first used."""

    settings: Settings
    #: The adapters of stores that have installed the app, and the version of the list that they were made by.
    _joined: dict[str, Channel] = field(default_factory=dict, repr=False)
    _version: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

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
        """The adapters of all channels, by name: those of the file in its order, then those of installed stores.

        Where there is an app this may be another mapping after :meth:`keep_up`.
        """
        configured = {name: _adapter(self, name, settings) for name, settings in self.settings.channel_settings.items()}
        return configured | self._installed()

    @cached_property
    def stores(self) -> Stores:
        """Stores that have installed the app."""
        return Stores(self.store, self.settings.oauth)

    def keep_up(self) -> None:
        """Take notice of stores that have installed or uninstalled the app meanwhile: one question to the store."""
        if self.settings.oauth is None or "channels" not in self.__dict__:
            return
        version = self.stores.version()
        if version == self._version:
            return
        with self._lock:
            if version == self._version:
                return  # another thread was first
            gone = dict(self._joined)
            kept = {name: channel for name, channel in self.channels.items() if name not in gone}
            channels = kept | self._installed()
            policy, ledger = self._policy_of(channels), self._ledger_of(channels)
            self.__dict__.update(channels=channels, policy=policy, ledger=ledger)  # in one step for other threads
            for name, channel in gone.items():
                if self._joined.get(name) is not channel:
                    channel.close()

    def _installed(self) -> dict[str, Channel]:
        """The adapters of installed stores. Those whose settings are the same as before are the same."""
        if self.settings.oauth is None:
            return {}
        self._version, found = self.stores.all()
        before, self._joined = self._joined, {}
        for name, settings in self.stores.channels(found).items():
            same = before.get(name)
            self._joined[name] = same if same and same.settings == settings else _adapter(self, name, settings)
        return dict(self._joined)

    @property
    def aliases(self) -> Aliases:
        """The SKUs that channels write otherwise than we do."""
        return self.settings.aliases

    @cached_property
    def policy(self) -> Policy:
        """What each channel should show."""
        return self._policy_of(self.channels)

    def _policy_of(self, channels: Mapping[str, Channel]) -> Policy:
        writes = ((name, channel.capabilities.writes) for name, channel in channels.items())
        return Policy(writes, self.settings.rules)

    @cached_property
    def ledger(self) -> Ledger:
        """The stock of record."""
        return self._ledger_of(self.channels)

    def _ledger_of(self, channels: Mapping[str, Channel]) -> Ledger:
        writable = tuple(name for name, channel in channels.items() if channel.capabilities.writes)
        return Ledger(self.store, Roster(self.settings.authority, writable, self.settings.recipes))

    @cached_property
    def writes(self) -> Writes:
        """Claims on listings."""
        return Writes(self.store, lease_s=self.settings.write_lease_s)

    @cached_property
    def worklist(self) -> Worklist:
        """What waits."""
        return Worklist(self.store)

    @cached_property
    def redactor(self) -> Redactor:
        """Keeps the secrets of the settings, and of stores that have installed the app, out of what is told."""
        return Redactor.of(self.settings)

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

    def has_left(self, name: str) -> bool:
        """Whether a channel is that of a store which does not, or no longer, join."""
        return self.settings.oauth is not None and name.startswith(CHANNEL_PREFIX) and name not in self.channels

    def named(self, channel: str | None) -> Iterable[str]:
        """This channel, or all of them."""
        return [channel] if channel and self.channel(channel) else list(self.channels)


def _adapter(context: Context, name: str, settings: ChannelSettings) -> Channel:
    """One channel, with all that it is lent: a budget and a memory of its own."""
    context.redactor.learn(secrets_of(settings))
    budget = StoreBudget.of(context.store, name, settings, context.counters)
    services = Services(budget=budget, memory=StoreMemory(context.store, name))
    return channel_type(settings.type)(name, settings, services)
