"""``make chaos``: whole cutovers under live traffic, each with a fault.

Prints its seed; the same seed repeats the same troubles. Without --state, PostgreSQL, if it is
installed, keeps the state of every second run.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Queue

from tests.chaos.databases import SharedDatabases, shared_databases
from tests.chaos.faults import ON_SQLITE, TROUBLES
from tests.chaos.trial import Trial, run_trial
from tests.real import postgres

AT_ONCE = 2


def main() -> None:
    options = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    options.add_argument("--runs", type=int, default=100)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--only", type=int, help="the trial of this number")
    options.add_argument("--state", choices=("sqlite", "postgresql"), help="of every run")
    given = options.parse_args()
    print(f"seed {given.seed}, {given.runs} runs", flush=True)
    trials = run_all(given.runs, given.seed, given.only, given.state)
    bad = [each for each in trials if each.problems]
    outcomes = Counter(each.outcome for each in trials)
    print(
        f"{len(trials) - len(bad)} of {len(trials)} ended as they must "
        f"({', '.join(f'{count} {name}' for name, count in outcomes.items())}); "
        f"{sum(each.redeemed for each in trials)} redemptions of customers; seed {given.seed}"
    )
    sys.exit(bool(bad))


def run_all(runs: int, seed: int, only: int | None, state: str | None) -> list[Trial]:
    """Run all trials, a few at a time, and print each when it has ended. Concurrent trials have
    separate clusters, because a trouble may affect the whole cluster."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfcutover-chaos-")))
        clusters: Queue[SharedDatabases] = Queue()
        has_postgres = state != "sqlite" and _has_postgres(state)
        for _ in range(AT_ONCE if has_postgres else 0):
            clusters.put(stack.enter_context(shared_databases()))
        troubles = TROUBLES if has_postgres else ON_SQLITE

        def trial(number: int) -> Trial:
            is_shared = has_postgres and (state is not None or _is_shared(number))
            databases = clusters.get() if is_shared else None
            try:
                done = run_trial(number, seed, folder / str(number), troubles, databases)
            finally:
                if databases is not None:
                    clusters.put(databases)
            print(done, *done.problems, sep="\n     ", flush=True)
            return done

        numbers = range(runs) if only is None else [only]
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        return list(pool.map(trial, numbers))


def _has_postgres(state: str | None) -> bool:
    """Raises SystemExit if it was requested and is missing."""
    reason = postgres.missing()
    if reason and state is not None:
        raise SystemExit(reason)
    if reason:
        print(f"without PostgreSQL: {reason}", flush=True)
    return reason is None


def _is_shared(number: int) -> bool:
    """True for every second one, so that each trouble occurs with both databases."""
    lap, kind = divmod(number, len(TROUBLES))
    return bool(TROUBLES[kind].database) or (lap + kind) % 2 == 0


if __name__ == "__main__":
    main()
