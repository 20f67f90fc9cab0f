"""Making a failing run short: whatever can be left out while it still fails is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.simulator.plan import Event, Plan, Run


def shrink(plan: Plan, fails: Callable[[Plan], bool]) -> Plan:
    """A plan with few events that still fails."""
    for simpler in (replace(plan, faults=0.0), replace(plan, stalls=0.0), replace(plan, faults=0.0, stalls=0.0)):
        if simpler != plan and fails(simpler):
            plan = simpler
    size = max(1, len(plan.events) // 2)
    while True:
        shorter = _without_parts(plan, size, fails)
        if shorter == plan and size == 1:
            break
        plan, size = shorter, max(1, size // 2)
    for event in plan.events:
        if isinstance(event, Run) and event.crash_at:
            calmer = replace(plan, events=_replaced(plan, event, replace(event, crash_at=0)))
            if fails(calmer):
                plan = calmer
    return plan


def _without_parts(plan: Plan, size: int, fails: Callable[[Plan], bool]) -> Plan:
    start = 0
    while start < len(plan.events):
        shorter = replace(plan, events=plan.events[:start] + plan.events[start + size :])
        if fails(shorter):
            plan = shorter
        else:
            start += size
    return plan


def _replaced(plan: Plan, old: Event, new: Event) -> tuple[Event, ...]:
    return tuple(new if event is old else event for event in plan.events)
