"""Bugs of this field, built in one at a time: a simulator that does not catch them proves nothing.

Each changes the text of a script, or a function, in this process alone. A change whose place is not found is an
error, so that a mutant never goes on living beside code that has moved on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import sync.guard.watch
import sync.look
import sync.push
import sync.stock.recovery
import sync.storage.store
from channels import Outcome, Result, Write
from sync.policy.targets import Policy
from sync.stock.ledger import Merged, Window, Withhold
from sync.stock.records import Record
from sync.storage.store import Script
from tests.simulator import channels
from tests.simulator.channels import CAPABILITIES, ModelChannel
from tests.simulator.engine import Worker, current_worker

#: A change to a script: its name, what stands there, what stands there instead.
Change = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug. ``like``: the rule it breaks, or where it was seen, by the list in ``docs/correctness.md``.

    ``rare``: it does harm in less than one in a thousand of these worlds, because much must come together, or because
    another rule stands behind it. A test of its own refuses it.
    """

    like: str
    mode: str
    lua: Sequence[Change] = ()
    python: Callable[[ExitStack], None] | None = None
    rare: bool = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """With the bug built in."""
        with ExitStack() as stack:
            if self.lua:
                scripts = {name: _changed(name, self.lua) for name in {name for name, _, _ in self.lua}}
                real = sync.storage.store.script
                stack.enter_context(
                    patch.object(sync.storage.store, "script", lambda name: scripts.get(name) or real(name))
                )
            if self.python:
                self.python(stack)
            yield


def _changed(name: str, changes: Sequence[Change]) -> Script:
    script = Script(name)
    for of, old, new in changes:
        if of == name:
            if old not in script.text:
                raise LookupError(f"{name}.lua has no {old!r} any more: mend the mutant")
            script.text = script.text.replace(old, new)
    script.sha = hashlib.sha1(script.text.encode(), usedforsecurity=False).hexdigest()
    return script


def _captured(stack: ExitStack) -> None:
    """The number is worked out once, when the task begins, and written whatever has happened since."""
    captured: dict[tuple[Worker, str, str], int | None] = {}
    real = Policy.target

    def first(self: Policy, record: Record, channel: str) -> int | None:
        worker, now = current_worker(), real(self, record, channel)
        return captured.setdefault((worker, record.folded, channel), now) if worker else now

    stack.enter_context(patch.object(Policy, "target", first))


def _sure(stack: ExitStack) -> None:
    """A lost answer counts as done."""
    real = sync.push._certain

    def certain(write: Write, outcome: Outcome) -> Result:
        result = real(write, outcome)
        return Result.CONFIRMED if result is Result.UNKNOWN else result

    stack.enter_context(patch.object(sync.push, "_certain", certain))


def _unguarded(stack: ExitStack) -> None:
    """Nothing is read before a write."""

    def nothing(context: Any, name: str, refs: Sequence[str], cause: str) -> Merged:
        known = {
            listing.ref: record.folded
            for record in context.ledger.every_record()
            for listing in [record.listings.get(name)]
            if listing
        }
        return Merged(valid={known[ref] for ref in refs})

    stack.enter_context(patch.object(sync.look, "read_refs", nothing))


def _unaudited(stack: ExitStack) -> None:
    """Orders are not asked for."""
    stack.enter_context(
        patch.dict(channels.CAPABILITIES, {kind: replace(what, orders=False) for kind, what in CAPABILITIES.items()})
    )


def _unnoticed(stack: ExitStack) -> None:
    """The store is set back, and work goes on as if nothing had been."""
    stack.enter_context(patch.object(sync.stock.recovery, "begin", lambda _: 0))


def _again(stack: ExitStack) -> None:
    """A write whose answer was lost is sent again."""
    real = ModelChannel.write

    def write(self: ModelChannel, writes: Sequence[Write], **options: Any) -> list[Outcome]:
        outcomes = real(self, writes, **options)
        if all(outcome.result is Result.UNKNOWN for outcome in outcomes):
            outcomes = real(self, writes, **options)
        return outcomes

    stack.enter_context(patch.object(ModelChannel, "write", write))


def _late_is_new(stack: ExitStack) -> None:
    """Rows that waited for the guard are merged as if they were read only now."""
    real = sync.guard.watch.merge

    def merge(
        context: Any, channel: Any, levels: Any, window: Window, cause: str, withhold: Withhold = Withhold.NOTHING
    ) -> Merged:
        if withhold is Withhold.NOTHING:
            now_ms = context.store.now_ms()
            window = Window(now_ms, now_ms)
        return real(context, channel, levels, window, cause, withhold)

    stack.enter_context(patch.object(sync.guard.watch, "merge", merge))


_NO_FENCE = ("claim", "if (seen[1] or '0') ~= rev or (ref ~= '' and ref ~= seen[5]) then return 'moved', '' end", "")

#: By name. The first is none.
MUTANTS: dict[str, Mutant] = {
    "": Mutant("", "catalog"),
    "captured quantity": Mutant("F1, F2", "catalog", [_NO_FENCE], _captured),
    "older revision wins": Mutant("F2", "catalog", [_NO_FENCE]),
    "quantity in the key": Mutant(
        "F3",
        "catalog",
        [
            (
                "claim",
                "  local due = now + lease_ms\n",
                "  local seen_key = prefix .. table.concat({'seen', channel, folded, target}, ':')\n"
                "  if not redis.call('SET', seen_key, 1, 'NX') then\n"
                "    redis.call('ZREM', DIRTY, folded)\n    return 'right', ''\n  end\n  local due = now + lease_ms\n",
            )
        ],
    ),
    "two writes in flight": Mutant("F2", "inventory", [("claim", "if seen[3] then", "if false then")]),
    "history clamped at zero": Mutant(
        "F5",
        "catalog",
        [
            (
                "merge",
                "  local id = redis.call('XADD', prefix .. 'movements'",
                "  on_hand = math.max(on_hand, 0)\n  local id = redis.call('XADD', prefix .. 'movements'",
            )
        ],
    ),
    "delta booked twice": Mutant(
        "F6", "catalog", [("merge", "if level ~= confirmed then redis.call('HSET', key, F.level, level) end", "")]
    ),
    "last submitted is confirmed": Mutant(
        "F11",
        "inventory",
        [
            ("settle", "if result == 'accepted' or result == 'unknown' then", "if false then"),
            ("settle", "if result == 'confirmed' then", "if result ~= 'refused' and result ~= 'deferred' then"),
        ],
    ),
    "lost answer counts as done": Mutant("F11", "catalog", python=_sure),
    "lost answer counts as lost": Mutant(
        "F11",
        "catalog",
        [("merge", "units, reason, assumed = story(", "units, reason, assumed = level - base, why, 0 --")],
    ),
    "accepted is not waited for": Mutant(
        "F11",
        "amazon",
        [("merge", "return not applied_if_accepted and (level ~= target or", "return false and (true or")],
    ),
    "window ignored": Mutant("rule 3", "catalog", [("merge", "if began < read_at then", "if false then")]),
    "settle time ignored": Mutant(
        "rule 3",
        "catalog",
        [
            ("merge", "began <= ended_at + settle_ms", "began <= ended_at"),
            ("merge", "began <= wrote_at + settle_ms", "false"),
        ],
    ),
    "stranger settles a write": Mutant(
        "rule 2",
        "catalog",
        [("settle", "if phase ~= 'sent' or owner ~= token then return 'late' end", "")],
        rare=True,
    ),
    "change forgotten during a write": Mutant(
        "rule 1",
        "catalog",
        [("settle", "if result == 'deferred' or redis.call('HGET', key, 'rev') ~= rev then", "if false then")],
    ),
    "note outlives a write": Mutant("rule 5", "catalog", [("claim", "  note.rouse(key)\n", "")], rare=True),
    "note outlives a change": Mutant("rule 4", "catalog", [("merge", "  note.leave(seen[3], 1)\n", "")]),
    "missing is zero": Mutant(
        "F8",
        "catalog",
        [
            (
                "absent",
                "redis.call('HSET', key, channel .. ':hold', 'missing|' .. now .. '|')",
                "redis.call('HINCRBY', key, 'on_hand', -tonumber(redis.call('HGET', key, channel .. ':level')))\n"
                "    redis.call('HSET', key, channel .. ':level', 0)",
            )
        ],
    ),
    "first reading moves stock": Mutant(
        "rule 4",
        "catalog",
        [
            (
                "merge",
                "    dirty_here(key, folded)\n    return tell(index, 'opened')",
                "    if seen[8] then move(key, folded, level, level, 'opened', cause) end\n"
                "    return tell(index, 'opened')",
            )
        ],
    ),
    "bundle booked twice": Mutant(
        "rule 4",
        "catalog",
        [
            ("book", "if rev <= booked_rev then return 0 end", ""),
            ("book", "booked_rev, booked_own = tonumber(booked_rev), tonumber(booked_own)", "booked_rev = nil"),
        ],
    ),
    "bundle forgets its components": Mutant(
        "rule 1", "catalog", [("merge", "if kin[folded] then redis.call('ZADD'", "if false then redis.call('ZADD'")]
    ),
    "late rows count as new": Mutant("rule 8", "catalog", python=_late_is_new),
    "relative write sent again": Mutant("rule 6", "relative", python=_again),
    "nothing read before a write": Mutant("F1", "catalog", python=_unguarded),
    "set back unnoticed": Mutant("backups", "catalog", python=_unnoticed),
    "forgotten writes are sales": Mutant(
        "backups",
        "catalog",
        [
            (
                "merge",
                "return audited and 0 or math.min(0, if_lost), 'restored, less stock assumed', 0",
                "return if_lost, why, 0",
            )
        ],
    ),
    "orders not checked": Mutant("F1", "catalog", python=_unaudited),
    "audit believes hands are sales": Mutant(
        "F19",
        "catalog",
        [
            ("audit", "math.max(-sold - tonumber(d), -beside)", "(-sold - tonumber(d))"),
            ("audit", "if beside == 0 then missed = tonumber(assumed) end", ""),
        ],
    ),
}
