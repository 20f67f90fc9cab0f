"""``python -m tests.simulator``: run many seeds and print the table, or replay one with its trace."""

from __future__ import annotations

import argparse
import os
import sys

from tests.simulator.campaign import COLUMNS, Crew, table
from tests.simulator.mutants import MUTANTS
from tests.simulator.plan import MODES, plan
from tests.simulator.run import Report, Simulation
from tests.simulator.server import server
from tests.simulator.shrink import shrink
from tests.simulator.store import SimStore

#: The most failing seeds of a mode that are made short and shown.
SHOWN = 3


def main() -> int:
    """Parse, run, print. 0 when the judge found nothing (or, of mutants, caught every one)."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds for each mode (default 200)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default 0)")
    parser.add_argument("--mode", choices=[*MODES, "all"], default="all", help="how the shop is written (default all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (default: all cores)")
    parser.add_argument("--seed", type=int, help="replay this one seed of --mode")
    parser.add_argument("--trace", action="store_true", help="with --seed: show all that happens")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), default="", help="run with this bug built in")
    parser.add_argument(
        "--mutants", action="store_true", help="build in each bug in turn: in how many seeds is it caught?"
    )
    args = parser.parse_args()
    modes = MODES if args.mode == "all" else (args.mode,)
    with server() as url:
        if args.seed is not None:
            with MUTANTS[args.mutant].installed():
                return _replay(SimStore(url), modes[0], args.seed, trace=args.trace)
        crew = Crew(url, args.jobs)
        try:
            if args.mutants:
                return _mutants(crew, args.first, args.seeds)
            return _campaign(crew, SimStore(url), modes, args)
        finally:
            crew.close()


def _campaign(crew: Crew, store: SimStore, modes: tuple[str, ...], args: argparse.Namespace) -> int:
    tallies = []
    for mode in modes:
        for tally in crew.campaign(mode, args.first, args.seeds, args.mutant):
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{mode}: {tally.seeds} seeds, {len(tally.failed)} failed")
        tallies.append(tally)
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    _say(table(["mode", "seeds", "failures", *COLUMNS, "seeds/min"], [tally.row() for tally in tallies]))
    for tally in tallies:
        for seed in list(tally.failed)[:SHOWN]:
            with MUTANTS[args.mutant].installed():
                _short(store, tally.mode, seed)
        if tally.failed:
            _say(f"\n{tally.mode}: failed seeds: {' '.join(map(str, sorted(tally.failed)))}")
    return int(any(tally.failed for tally in tallies))


def _replay(store: SimStore, mode: str, seed: int, *, trace: bool) -> int:
    report = Simulation(plan(mode, seed), store, trace=True).run()
    if trace:
        _say(*report.trace)
    _say(f"{mode}, seed {seed}: {_verdict(report)}")
    if report.faults:
        _short(store, mode, seed)
    return int(bool(report.faults))


def _short(store: SimStore, mode: str, seed: int) -> None:
    """Print the shortest version of a run that still fails."""
    shorter = shrink(plan(mode, seed), lambda one: bool(Simulation(one, store).run().faults))
    report = Simulation(shorter, store, trace=True).run()
    _say(f"\n{mode}, seed {seed}, made short:")
    _say(f"  {', '.join(f'{site.name}: {site.kind}' for site in shorter.sites)}; authority {shorter.authority}")
    _say(*report.trace)
    _say(f"{mode}, seed {seed}, made short: {_verdict(report)}")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _verdict(report: Report) -> str:
    return "; ".join(report.faults) if report.faults else "the judge found nothing"


def _mutants(crew: Crew, first: int, count: int) -> int:
    rows, missed = [], False
    for name, mutant in MUTANTS.items():
        if not name:
            continue
        *_, tally = crew.campaign(mutant.mode, first, count, name)
        caught = sorted(tally.failed)
        missed = missed or not caught
        rows.append([name, mutant.like, mutant.mode, f"{len(caught)} of {count}", str(caught[0]) if caught else "-"])
        sys.stderr.write(".")
        sys.stderr.flush()
    sys.stderr.write("\n")
    _say(table(["bug built in", "as in", "mode", "caught in seeds", "first"], rows))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
