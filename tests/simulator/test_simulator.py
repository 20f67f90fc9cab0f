"""A few hundred seeds, as part of every test run. ``make simulate`` runs as many as one likes."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from tests.simulator.campaign import run_seeds
from tests.simulator.channels import CAPABILITIES
from tests.simulator.mutants import MUTANTS
from tests.simulator.plan import MODES, Plan, Run, SetBack, plan
from tests.simulator.run import Simulation
from tests.simulator.shrink import shrink
from tests.simulator.store import SimStore

#: How many seeds of each mode.
SEEDS = 50

#: In so many seeds at the most a bug is caught.
ENOUGH = 600


@pytest.mark.parametrize("mode", MODES)
def test_the_judge_finds_nothing(store: SimStore, mode: str) -> None:
    assert run_seeds(store, mode, range(SEEDS)).failed == {}


@pytest.mark.parametrize("mode", MODES)
def test_a_seed_gives_the_same_trace_byte_for_byte(store: SimStore, mode: str) -> None:
    first, second = (Simulation(plan(mode, 7), store, trace=True).run() for _ in range(2))
    assert first.trace
    assert "\n".join(first.trace) == "\n".join(second.trace)


def test_the_worlds_are_as_wild_as_they_should_be(store: SimStore) -> None:
    counts = run_seeds(store, "inventory", range(SEEDS)).counts
    rare = (
        "sales",
        "writes",
        "unknown",
        "over a sale",
        "crashes",
        "edits",
        "returns",
        "why sold under a write",
        "explained",
        "approved",
    )
    rare += ("in bundles", "why components changed", "known again")
    assert [what for what in rare if not counts[what]] == []


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if name and not mutant.rare])
def test_a_bug_that_is_built_in_is_caught(store: SimStore, name: str) -> None:
    caught = (seed for seed in range(ENOUGH) if run_seeds(store, MUTANTS[name].mode, [seed], name).failed)
    assert next(caught, None) is not None


def test_failing_runs_are_made_short(store: SimStore) -> None:
    def fails(one: Plan) -> bool:
        return bool(Simulation(one, store).run().faults)

    with MUTANTS["orders not checked"].installed():
        failing = filter(fails, (plan("catalog", seed) for seed in range(ENOUGH)))
        pairs = [(long, shrink(long, fails)) for long in islice(failing, 3)]
        assert all(fails(short) for _, short in pairs)
    lengths = [(len(long.events), len(short.events)) for long, short in pairs]
    assert len(lengths) == 3
    assert all(short <= long / 3 for long, short in lengths)
    assert min(short for _, short in lengths) <= 4


def test_relative_writes_need_no_orders_while_answers_arrive(store: SimStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CAPABILITIES, "relative", replace(CAPABILITIES["relative"], orders=False))
    failed = {}
    for seed in range(2 * SEEDS):
        world = plan("relative", seed)
        if {site.kind for site in world.sites} <= {"relative", "till"}:
            faults = Simulation(_undisturbed(world), store).run().faults
            failed[seed] = [fault for fault in faults if "from nowhere" not in fault]  # readings lag, and catch up
    assert len(failed) > SEEDS
    assert not any(failed.values())


def _undisturbed(world: Plan) -> Plan:
    """The same world, but no call fails, no worker dies or stands still, and the store keeps all it knows."""
    events = tuple(
        replace(event, crash_at=0, stands_ms=0) if isinstance(event, Run) else event
        for event in world.events
        if not isinstance(event, SetBack)
    )
    return replace(world, faults=0.0, stalls=0.0, events=events)
