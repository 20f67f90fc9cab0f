"""One run: the world of a seed, everything that happens in it, then calm, then the judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from channels.errors import ChannelError
from sync import audit, changes, pull, push, refresh
from sync.context import Context
from sync.deadline import Deadline
from sync.guard import decisions
from sync.guard.judge import GuardSettings
from sync.policy.targets import Policy
from sync.readings import Pulls
from sync.settings import Settings
from sync.stock import recovery
from sync.stock.writes import Claim, Intent, Writes
from tests.conftest import counters
from tests.simulator import judge
from tests.simulator.channels import ModelChannel
from tests.simulator.engine import Engine, Worker
from tests.simulator.isolation import isolated
from tests.simulator.plan import (
    Approval,
    Edit,
    Event,
    File,
    Gap,
    Hint,
    Outage,
    Plan,
    Refusal,
    Return,
    Run,
    Sale,
    SetBack,
)
from tests.simulator.store import SimStore
from tests.simulator.till import TillChannel
from tests.simulator.world import Place, World

#: What the clock shows when a run begins; any moment will do.
START_MS = 1_700_000_000_000

#: For how long nothing happens after the first reading: whether a sale beside it is in it, nobody could tell.
QUIET_MS = 10_000

#: Seconds between two looks at what is still to be done, once the world is calm.
CALM_S = 30.0

#: The most such looks after a reconcile. Amazon may hold a write back for a minute, and a lease lasts as long.
LOOKS = 14

#: For how long somebody waits for a good moment to restock, in seconds.
PATIENCE_S = 400


@dataclass(slots=True)
class Report:
    """What became of one run."""

    plan: Plan
    #: What the judge found; empty when all is well.
    faults: list[str]
    counts: Counter[str]
    trace: list[str] = field(default_factory=list)


class _Writes(Writes):
    """Notes at which revision a worker claimed a listing."""

    engine: Engine

    def claim(self, channel: str, token: str, intents: Sequence[Intent], now_ms: int, **options: Any) -> list[Claim]:
        """See :meth:`Writes.claim`."""
        claims = super().claim(channel, token, intents, now_ms, **options)
        worker = self.engine.current
        for claim, intent in zip(claims, intents, strict=True):
            if claim.what == "claimed":
                (worker or self.engine).revisions[channel, claim.folded] = intent.revision
        return claims


def _model(world: World, place: Place) -> ModelChannel:
    kind = TillChannel if place.site.kind == "till" else ModelChannel
    return kind(name=place.site.name, settings=ModelChannel.Settings(type="model"), world=world, place=place)


class Simulation:
    """One run of one plan."""

    def __init__(self, plan_: Plan, store: SimStore, *, trace: bool = False) -> None:
        self.plan = plan_
        self.trace: list[str] = []
        self.engine = Engine(START_MS, self._say if trace else None)
        self.world = World(plan_, self.engine)
        store.attach(self.engine)
        self.store = store
        guard = GuardSettings(auto_approve_first=True, **({"min_listings": 0} if plan_.guarded else {}))
        self.context = Context(Settings.model_construct(authority=plan_.authority, guard=guard))
        self.context.settings._recipes = plan_.recipes
        channels = [(site.name, site.kind != "till") for site in plan_.sites]
        self.context.policy = Policy(channels, plan_.rules)
        models = {name: _model(self.world, place) for name, place in self.world.places.items()}
        writes = _Writes(store)
        writes.engine = self.engine
        self.context.__dict__.update(store=store, counters=counters(store), channels=models, writes=writes)

    def run(self) -> Report:
        """Let it all happen, and judge."""
        faults: list[str] = []
        with isolated(self.engine):
            try:
                self._open()
                for event in self.plan.events:
                    at_ms = self.engine.now + QUIET_MS + event.at
                    if isinstance(event, SetBack):
                        self.engine.at(max(self.engine.now, at_ms - event.by), self.store.keep)
                    self.engine.at(at_ms, partial(self._happen, event))
                self.engine.run()
                self._calm()
                faults = judge.faults(self.world, self.context)
            except Exception as error:  # noqa: BLE001 - a failure of the code under test
                faults = [f"{type(error).__name__}: {error}"]
                self._say("!", faults[0])
                self.engine.error = self.engine.error or error
            finally:
                with suppress(BaseException):  # it is in the report
                    self.engine.raise_error()
        counts = self.world.counts + Counter({"crashes": self.engine.crashes, "known again": self.store.known_again})
        return Report(self.plan, faults, counts, self.trace)

    def _open(self) -> None:
        """A first reading of all channels, the authority first, and one that is as it was, before anything happens."""
        self.world.calm = True
        authority = self.plan.authority
        self.world.put_file()
        names = [authority, *(name for name in self.world.places if name != authority)]
        for name in 2 * names:
            pull.pull(self.context, name, self._deadline())
        self.world.calm = False

    def _calm(self) -> None:
        """Nothing happens any more: two reconciles, each followed by looks at what is due, as the sweeper does."""
        world, engine = self.world, self.engine
        world.calm = True
        for place, shelf in world.shelves():
            shelf.hidden = shelf.refused = place.unreachable = 0
        for reconcile in (1, 2):
            if reconcile == 2:
                for sku in world.refused_ever:  # a parked row is tried again once its number has changed
                    world.change(self.plan.authority, sku, 1, "restocks")
            engine.pause(round(CALM_S * 1000))
            engine.tell("", f"--- calm: reconcile {reconcile}")
            world.put_file()
            for name in world.places:
                while not pull.pull(self.context, name, self._deadline()):
                    pass
            for look in range(LOOKS):
                if look:
                    engine.pause(round(CALM_S * 1000))
                if not self._look():
                    break

    def _look(self) -> bool:
        """Do what is due everywhere. False when nothing waits anywhere, due or not."""
        context = self.context
        context.ledger.bundles.work()
        anything = self._approve()
        anything = recovery.end_if_over(context) or anything
        for name, channel in context.channels.items():
            while Pulls(context.store).state(name).wanted_ms:
                pull.pull(context, name, self._deadline())
            waiting = context.worklist.waiting(name, self.engine.now)
            anything = anything or any(waiting)
            if waiting.due:
                refresh.refresh(context, name, self._deadline())
            if waiting.audits:
                audit.audit(context, name, self._deadline())
            if channel.capabilities.writes and (waiting.dirty or waiting.due or waiting.audits):
                push.push(context, name, self._deadline())
        return anything

    def _happen(self, event: Event, waited_s: int = 0) -> None:
        world, engine = self.world, self.engine
        if isinstance(event, Sale):
            world.sell(event.channel, event.sku, event.units, self.plan.rng(event.id).randint(-900, 900))
        elif isinstance(event, (Edit, Return)):
            if waited_s < PATIENCE_S and not judge.good_moment(world, self.context, event):
                engine.at(engine.now + 1000, lambda: self._happen(event, waited_s + 1))
            elif waited_s < PATIENCE_S and isinstance(event, Edit):
                world.edit(event.channel, event.sku, event.units)
            elif waited_s < PATIENCE_S:
                world.give_back(event.channel, event.sku)
        elif isinstance(event, File):
            world.put_file(event.delay)
        elif isinstance(event, Hint):
            self.context.worklist.mark(event.channel, [world.shelf(event.channel, event.sku).ref], engine.now)
            engine.tell(event.channel, f"hints at {event.sku}")
        elif isinstance(event, Run):
            engine.at(engine.now, self._worker(event))
        elif isinstance(event, Approval):
            body = partial(self._approve)
            name = f"approval#{event.id}"
            engine.at(engine.now, Worker(name, body, self.plan.rng(event.id), event.crash_at, self.plan.stalls, 0))
        elif isinstance(event, SetBack):
            self._set_back()
        elif isinstance(event, (Refusal, Outage, Gap)):
            self._trouble(event)

    def _approve(self) -> bool:
        """What a person does, who has looked at what is held. Whether there was any."""
        decisions.carry_out_all(self.context)
        held = self.context.holds.open_ones()
        for hold in held:
            self.engine.tell("", f"approves {hold.kind} of {hold.channel}: {'; '.join(hold.words)}")
            self.world.counts["approved"] += 1
            with suppress(decisions.Undecidable):  # the world was faster
                decisions.approve(self.context, hold, "somebody")
        return bool(held)

    def _set_back(self) -> None:
        """What a person does after a restored backup: workers stopped, the store as it was, then a recovery."""
        self.engine.kill()
        self.store.set_back()
        self.world.sent.clear()  # the history that explains them is gone
        for _, shelf in self.world.shelves():
            shelf.revision = -1
        self.engine.tell("", "--- the store is set back")
        self.world.counts["set back"] += 1
        recovery.begin(self.context)

    def _trouble(self, event: Refusal | Outage | Gap) -> None:
        place, engine = self.world.places[event.channel], self.engine
        target, field_ = (
            (place, "unreachable")
            if isinstance(event, Outage)
            else (place.shelves[event.sku], "refused" if isinstance(event, Refusal) else "hidden")
        )

        def change(by: int) -> None:
            setattr(target, field_, max(0, getattr(target, field_) + by))
            engine.tell(event.channel, f"{getattr(event, 'sku', '')} {field_}: {bool(getattr(target, field_))}")

        change(1)
        if isinstance(event, Refusal):
            self.world.refused_ever.setdefault(event.sku)
        engine.at(engine.now + event.lasts, lambda: change(-1))

    def _worker(self, event: Run) -> Worker:
        name, context = event.channel, self.context

        def body() -> None:
            self.engine.tell(worker.name, "begins")
            try:
                if event.task == "pull":
                    changes.pull(context, name, self._deadline())
                elif event.task == "push":
                    push.push(context, name, self._deadline())
                elif event.task == "refresh":
                    refresh.refresh(context, name, self._deadline())
                else:
                    audit.audit(context, name, self._deadline())
            except ChannelError as error:
                self.engine.tell(worker.name, f"gives up: {error.reason}")
            else:
                self.engine.tell(worker.name, "ends")

        worker = Worker(
            f"{event.task}#{event.id} {name}",
            body,
            self.plan.rng(event.id),
            event.crash_at,
            self.plan.stalls,
            self.engine.now + event.stands_ms if event.stands_ms else 0,
        )
        return worker

    def _deadline(self) -> Deadline:
        return Deadline(45.0, clock=lambda: self.engine.now / 1000)

    def _say(self, who: str, what: str) -> None:
        self.trace.append(f"{(self.engine.now - START_MS) / 1000:10.3f}  {who:<18} {what}")
