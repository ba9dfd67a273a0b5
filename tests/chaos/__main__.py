"""``make chaos``: whole cutovers under live traffic, each with something going wrong.

Prints its seed; the same seed repeats the same troubles. PostgreSQL, where it is installed, keeps
the state of every second run.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.faults import TROUBLES
from tests.chaos.trial import Trial, run_trial
from tests.real import postgres

AT_ONCE = 2


def main() -> None:
    options = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    options.add_argument("--runs", type=int, default=100)
    options.add_argument("--seed", type=int, default=random.randrange(10**6))
    options.add_argument("--only", type=int, help="the trial of this number")
    given = options.parse_args()
    print(f"seed {given.seed}, {given.runs} runs", flush=True)
    trials = run_all(given.runs, given.seed, given.only)
    bad = [each for each in trials if each.problems]
    outcomes = Counter(each.outcome for each in trials)
    print(
        f"{len(trials) - len(bad)} of {len(trials)} ended as they must "
        f"({', '.join(f'{count} {name}' for name, count in outcomes.items())}); "
        f"{sum(each.redeemed for each in trials)} redemptions of customers; seed {given.seed}"
    )
    sys.exit(bool(bad))


def run_all(runs: int, seed: int, only: int | None = None) -> list[Trial]:
    """Run all trials, a few at once, and print each when it has ended."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sfcutover-chaos-")))
        cluster = None if postgres.missing() else stack.enter_context(postgres.running())
        if cluster is None:
            print(f"without PostgreSQL: {postgres.missing()}", flush=True)
        alone = threading.Lock()  # only one trial at a time uses a cluster that it may restart

        def trial(number: int) -> Trial:
            state, restart = "", None
            if cluster is not None and _is_shared(number):
                state, restart = cluster.url(f"run{number}"), cluster.restart
            with alone if restart else ExitStack():
                done = run_trial(number, seed, folder / str(number), state, restart)
            print(done, *done.problems, sep="\n     ", flush=True)
            return done

        numbers = range(runs) if only is None else [only]
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        return list(pool.map(trial, numbers))


def _is_shared(number: int) -> bool:
    """True for every second one, so that each trouble meets both databases."""
    lap, kind = divmod(number, len(TROUBLES))
    return TROUBLES[kind].restart or (lap + kind) % 2 == 0


if __name__ == "__main__":
    main()
