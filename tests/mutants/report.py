"""What the trials came to: a table, and one JSON file a package."""

from __future__ import annotations

import json
import sys

from tests.mutants.coverage_map import FOLDER
from tests.mutants.session import Figures, Tried
from tests.mutants.trial import Outcome

_PROGRESS_EVERY = 20
_SHOWN = (Outcome.SURVIVED, Outcome.TIMED_OUT)


def print_tried(tried: Tried) -> None:
    """A line for a mutant that no test killed, as soon as it is known."""
    outcome = tried.trial.outcome
    if outcome in _SHOWN:
        print(f"{outcome} {tried.tests}/{tried.covering} tests: {tried.mutant.name}")
        sys.stdout.flush()


def print_progress(figures: Figures) -> None:
    if len(figures.tried) % _PROGRESS_EVERY == 0:
        print(f"{figures.package}: {len(figures.tried)} mutants", file=sys.stderr, flush=True)


def print_table(rows: list[Figures]) -> None:
    form = "{:<12} {:>8} {:>8} {:>9} {:>10} {:>10} {:>15} {:>16}"
    titles = ("package", "mutants", "killed", "survived", "timed out", "unreached")
    print(form.format(*titles, "not applicable", "failed controls"))
    for row in rows:
        counts = [len(row.of(each)) for each in (Outcome.KILLED, *_SHOWN)]
        counts += [len(row.unreached), len(row.not_applicable)]
        controls = f"{len(row.failed_controls)} of {row.controls}"
        print(form.format(row.package, len(row.tried), *counts, controls))


def write(figures: Figures, name: str) -> None:
    """.mutants/NAME.json: the counts, and what survived, timed out or was not reached."""
    document = {
        "package": figures.package,
        "seed": figures.seed,
        "tried": len(figures.tried),
        **{str(each): len(figures.of(each)) for each in (Outcome.KILLED, *_SHOWN)},
        "failed controls": figures.failed_controls,
        "controls": figures.controls,
        "survivors": [_survivor(each) for some in _SHOWN for each in figures.of(some)],
        "unreached": [each.name for each in figures.unreached],
        "not applicable": [each.name for each in figures.not_applicable],
        "killers": {each.mutant.name: each.trial.killer for each in figures.of(Outcome.KILLED)},
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def read_survivors(package: str) -> set[str]:
    """The names of the mutants that nothing killed the last time."""
    document = json.loads((FOLDER / f"{package}.json").read_text(encoding="utf-8"))
    return {each["mutant"] for each in document["survivors"]} | set(document["unreached"])


def _survivor(tried: Tried) -> dict[str, object]:
    return {
        "mutant": tried.mutant.name,
        "outcome": tried.trial.outcome,
        "tests": tried.tests,
        "covering": tried.covering,
    }
