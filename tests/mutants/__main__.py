"""``make mutants``: seeded mutants of the packages that decide, and what the tests say to them.

Each package has a table row and .mutants/PACKAGE.json, which names every survivor. A survivor is
a hole in the tests, or a change that makes no difference; reading it decides. ``--again`` tries the
survivors of the last time again, with tests that are new and with others that take longer.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
from pathlib import Path

from tests.mutants.coverage_map import coverage_map
from tests.mutants.report import print_progress, print_table, print_tried, read_survivors, write
from tests.mutants.session import Figures, Limits, Session, draw, run_session, try_mutants

PACKAGES = ("allowlist", "salesforce", "traffic", "runs", "cutover")


def main() -> None:
    arguments = _arguments()
    # A shell's background jobs ignore it, and tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder:
        limits = Limits(arguments.seconds, arguments.longest)
        work = Session(coverage_map(), limits, lambda session: _try_packages(session, arguments))
        run_session(work, Path(folder, "tests"))


def _try_packages(session: Session, arguments: argparse.Namespace) -> None:
    rows = []
    for package in arguments.packages:
        figures = Figures(package, arguments.seed)
        mutants = draw(package, arguments.seed)
        if arguments.again:
            names = read_survivors(package)
            mutants = [each for each in mutants if each.name in names]
        try:
            for tried in try_mutants(session, figures, mutants, arguments.count):
                print_tried(tried)
                print_progress(figures)
        finally:
            write(figures, f"{package}-again" if arguments.again else package)
        rows.append(figures)
    print_table(rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("packages", nargs="*", default=PACKAGES, help="folders of sfcutover/")
    parser.add_argument("--count", type=int, default=400, help="mutants a package")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6.0, help="of tests a mutant")
    parser.add_argument("--longest", type=float, default=1.0, help="slower tests do not count")
    parser.add_argument("--again", action="store_true", help="only the last time's survivors")
    return parser.parse_args()


if __name__ == "__main__":
    main()
