"""What all tests share: one real store for the session, a clock that is turned by hand, and channels in memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings

from channels import Capabilities, Channel, ChannelSettings, Level, Outcome, Page, Result, Services, Write
from channels.errors import ChannelError, Unreachable
from sync.context import Context
from sync.guard.judge import GuardSettings
from sync.settings import Settings
from sync.stock.ledger import NO_BUNDLES, Ledger, Merged, Movement, Roster, Window
from sync.stock.mapping import Aliases
from sync.stock.recipes import Recipes
from sync.stock.records import Listing, Record
from sync.stock.worklist import Worklist
from sync.stock.writes import Answer, Claim, Intent, Settlement, Writes
from sync.storage import embedded
from sync.storage.store import BUCKETS, Store, bucket_prefix, fold
from sync.telemetry.counters import Counters

# A property is wrong when an example breaks it, not when the machine has other things to do.
settings.register_profile("untimed", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

#: When the tests' clock starts, in milliseconds.
START_MS = 1_790_000_000_000

#: A till that is only read and whose answers come as files; it opens the stock of record.
TILL = Capabilities(writes=False)
#: A store whose answer to a write shows the level.
STORE = Capabilities(
    writes=True, write_batch=3, read_batch=4, settle_s=2.0, visible_within_s=60.0, accepted_is_applied=True
)
#: A marketplace that takes a write and shows it some time later.
MARKET = Capabilities(writes=True, write_batch=3, read_batch=4, settle_s=5.0, visible_within_s=60.0)

#: Whoever tests something else does not want to be asked whether it may be written.
TRUSTING = GuardSettings(auto_approve_first=True, plan_share=1.0)

CHANNELS: Mapping[str, Capabilities] = {"till": TILL, "store": STORE, "market": MARKET}


class Clock:
    """The store's clock as tests see it: it moves when somebody moves it, and a little with every look."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        self.ms += 1
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class TimedStore(Store):
    """A real store with the tests' clock."""

    def __init__(self, url: str, clock: Clock) -> None:
        super().__init__(url)
        self.clock = clock

    def now_ms(self) -> int:
        return self.clock()


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the session's embedded store."""
    folder = tmp_path_factory.mktemp("store")
    embedded.start(folder)
    yield folder
    embedded.stop(folder)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def session_store(data_dir: Path) -> Iterator[TimedStore]:
    store = TimedStore(embedded.url(data_dir), Clock())
    yield store
    store.close()


@pytest.fixture
def store(session_store: TimedStore, clock: Clock) -> TimedStore:
    """An empty store, by the test's clock."""
    session_store.client.flushall()
    session_store.clock = clock
    return session_store


@pytest.fixture
def bench(store: TimedStore) -> Bench:
    """The stock of record of a till (the authority), a store and a marketplace, with no channel behind it."""
    return Bench(store)


class Bench:
    """Merge, claim and settle in a test's own words. Every step takes a little time."""

    def __init__(
        self, store: TimedStore, channels: Mapping[str, Capabilities] = CHANNELS, recipes: Recipes = NO_BUNDLES
    ) -> None:
        self.store = store
        self.clock = store.clock
        self.channels = dict(channels)
        writable = tuple(name for name, can in channels.items() if can.writes)
        self.ledger = Ledger(store, Roster("till", writable, recipes))
        self.writes = Writes(store)
        self.worklist = Worklist(store)

    def window(self, *, took_s: float = 0.02) -> Window:
        """A reading that is taken now."""
        began_ms = self.store.now_ms()
        self.clock.advance(took_s)
        return Window(began_ms, self.store.now_ms())

    def read(self, channel: str, units: int, sku: str = "A", *, window: Window | None = None, ref: str = "") -> Merged:
        """A channel shows a level, and it is merged."""
        level = Level(sku, ref or f"{channel}-{fold(sku)}", units)
        return self.merge(channel, [level], window=window)

    def merge(self, channel: str, levels: Sequence[Level], *, window: Window | None = None) -> Merged:
        return self.ledger.merge(
            channel,
            levels,
            window or self.window(),
            self.channels[channel],
            cause=f"reading of {channel}",
            now_ms=self.store.now_ms(),
        )

    def counted(self, units: int = 10, sku: str = "A") -> None:
        """Every channel shows this many, the authority first; then all is quiet."""
        for channel in self.channels:
            self.read(channel, units, sku)
        self.rest()

    def rest(self) -> None:
        """Nothing that is right is looked at any longer."""
        for channel in self.channels:
            for sku in self.dirty(channel):
                self.writes.rest(channel, [self.intent(sku)], self.store.now_ms())

    def intent(self, sku: str = "A", target: int | None = None) -> Intent:
        record = self.record(sku)
        return Intent(record.folded, record.revision, max(0, record.on_hand or 0) if target is None else target)

    def claim(
        self, channel: str, sku: str = "A", *, target: int | None = None, intent: Intent | None = None, token: str = ""
    ) -> Held:
        """A writer claims a listing for the target that follows from on hand."""
        token = token or self.writes.new_token()
        (claim,) = self.writes.claim(
            channel,
            token,
            [intent or self.intent(sku, target)],
            self.store.now_ms(),
            capabilities=self.channels[channel],
            guard_ms=self.store.now_ms(),
        )
        return Held(self, channel, token, claim)

    def write(self, channel: str, result: Result, sku: str = "A", *, target: int | None = None) -> Held:
        """A write from claim to settlement."""
        held = self.claim(channel, sku, target=target)
        assert held.what == "claimed"
        self.clock.advance(0.1)
        assert held.settle(result) == "done"
        return held

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def record(self, sku: str = "A") -> Record:
        (record,) = self.ledger.records([sku])
        return record

    def listing(self, channel: str, sku: str = "A") -> Listing:
        return self.record(sku).listings[channel]

    def read_ms(self, channel: str, sku: str = "A") -> int:
        return self.ledger.read_ms(channel, fold(sku))

    def level(self, channel: str, sku: str = "A") -> int:
        return self.listing(channel, sku).level

    def on_hand(self, sku: str = "A") -> int | None:
        return self.record(sku).on_hand

    def movements(self, sku: str = "A") -> list[Movement]:
        return self.ledger.history(sku)

    def dirty(self, channel: str) -> list[str]:
        return self.worklist.dirty(channel, 1000)

    def marks(self, channel: str) -> dict[str, int]:
        """The refs to be read again, with their due times."""
        return self._zset("marks", channel)

    def open(self, channel: str) -> dict[str, int]:
        """The SKUs with an open write, with the times at which a reading may tell."""
        return self._zset("open", channel)

    def _zset(self, kind: str, channel: str) -> dict[str, int]:
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.zrange(f"{bucket_prefix(bucket)}{kind}:{channel}", 0, -1, withscores=True)
        return {name: int(score) for rows in pipeline.execute() for name, score in rows}


@dataclass(frozen=True, slots=True)
class Held:
    """A writer with the answer to its claim."""

    bench: Bench
    channel: str
    token: str
    claim: Claim

    @property
    def what(self) -> Answer:
        return self.claim.what

    def settle(self, result: Result, words: str = "") -> str:
        (answer,) = self.bench.writes.settle(
            self.channel,
            self.token,
            [Settlement(self.claim.folded, result, words)],
            self.bench.store.now_ms(),
            settle_s=self.bench.channels[self.channel].settle_s,
        )
        return answer


class MemorySettings(ChannelSettings):
    """A channel in memory has nothing to set."""

    type: str = "memory"


@dataclass(slots=True)
class Shop:
    """The truth behind a :class:`MemoryChannel`."""

    #: The level of every listing, by ref.
    units: dict[str, int] = field(default_factory=dict)
    #: The SKU of every listing, by ref.
    skus: dict[str, str] = field(default_factory=dict)
    #: What becomes of the next writes, one for each listing; afterwards all are confirmed.
    fates: deque[Fate] = field(default_factory=deque)
    #: What every next call of the channel raises, until it is ``None`` again.
    trouble: ChannelError | None = None
    #: Called just before a write is applied, and just before a page is given.
    before_write: Callable[[], None] = lambda: None
    before_page: Callable[[], None] = lambda: None
    #: All writes that were sent, and all refs that were read one by one.
    written: list[Write] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    #: What the channel says has changed, by ref; and since when it was asked for that.
    changed: list[str] = field(default_factory=list)
    asked_since: list[datetime] = field(default_factory=list)

    def put(self, sku: str, units: int, ref: str = "") -> None:
        ref = ref or f"ref-{fold(sku)}"
        self.units[ref], self.skus[ref] = units, sku

    def sell(self, sku: str, units: int = 1) -> None:
        self.units[f"ref-{fold(sku)}"] -= units

    def shown(self, sku: str) -> int:
        return self.units[f"ref-{fold(sku)}"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one write: what is told of it, and whether it is applied."""

    result: Result
    applied: bool
    words: str = ""


class MemoryChannel(Channel):
    """A channel whose outside world is a :class:`Shop` in the test's hands."""

    Settings: ClassVar[type[ChannelSettings]] = MemorySettings

    def __init__(self, name: str, capabilities: Capabilities, *, page: int = 2) -> None:
        super().__init__(name, MemorySettings(), Services())
        self.shop = Shop()
        self.page = page
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        start = int(cursor or 0)
        refs = sorted(self.shop.units)
        while start == 0 or start < len(refs):
            end = start + self.page
            page = self._page(refs[start:end], str(end) if end < len(refs) else None)
            yield page
            start = end

    def changed(self, since: datetime) -> Iterator[Page]:
        self.shop.asked_since.append(since)
        for start in range(0, max(1, len(self.shop.changed)), self.page):
            yield self._page(self.shop.changed[start : start + self.page], None)

    def read(self, refs: Sequence[str]) -> Page:
        assert len(refs) <= self.capabilities.read_batch
        self.shop.looked_at += refs
        return self._page(refs, None)

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        assert len(writes) <= self.capabilities.write_batch
        self._raise()
        self.shop.before_write()
        self.shop.written += writes
        return [self._apply(write) for write in writes]

    def _page(self, refs: Sequence[str], cursor: str | None) -> Page:
        self._raise()
        self.shop.before_page()
        shop = self.shop
        return Page([Level(shop.skus[ref], ref, shop.units[ref]) for ref in refs if ref in shop.units], cursor=cursor)

    def _apply(self, write: Write) -> Outcome:
        shop = self.shop
        fate = shop.fates.popleft() if shop.fates else Fate(Result.CONFIRMED, applied=True)
        if fate.applied:
            base = shop.units[write.ref] - write.base if self.capabilities.relative else 0
            shop.units[write.ref] = base + write.units
        level = shop.units[write.ref] if fate.result is Result.CONFIRMED else None
        return Outcome(write.ref, fate.result, level, fate.words)

    def _raise(self) -> None:
        if self.shop.trouble is not None:
            raise self.shop.trouble


@dataclass(slots=True)
class Town:
    """A till, a store and a marketplace in memory, and a worker's context that knows them."""

    context: Context
    till: MemoryChannel
    store: MemoryChannel
    market: MemoryChannel

    @classmethod
    def build(
        cls,
        store: TimedStore,
        channels: Mapping[str, Capabilities] = CHANNELS,
        recipes: Recipes = NO_BUNDLES,
        aliases: Aliases | None = None,
        guard: GuardSettings = TRUSTING,
    ) -> Town:
        built = {name: MemoryChannel(name, capabilities) for name, capabilities in channels.items()}
        context = Context(Settings.model_construct(authority="till", guard=guard))
        context.store = store
        context.counters = counters(store)
        context.channels = built
        context.settings._recipes, context.settings._aliases = recipes, aliases or Aliases()
        return cls(context, *built.values())

    @property
    def everywhere(self) -> tuple[MemoryChannel, MemoryChannel, MemoryChannel]:
        return self.till, self.store, self.market

    def put(self, sku: str, units: int) -> None:
        for channel in self.everywhere:
            channel.shop.put(sku, units)


def counters(store: Store) -> Counters:
    """Counters that reach the store when somebody looks, by no thread of their own."""
    return Counters(store, gather_s=math.inf)


@pytest.fixture
def town(store: TimedStore) -> Town:
    return Town.build(store)


def unreachable(channel: str = "store") -> Unreachable:
    """No connection came about."""
    return Unreachable(channel, "write", "connection refused")
