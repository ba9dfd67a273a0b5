"""The tests that are collected once, and the mutants that are tried on them."""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import sfcutover
from tests.mutants.coverage_map import CoverageMap
from tests.mutants.mutants import Functions, Mutant, loaded_functions, mutants_of
from tests.mutants.trial import Outcome, Trial, adopt_orphans, run_trial

_CONTROL_EVERY = 25  # a trial without a change: a test that fails in it proves nothing


@dataclass(frozen=True)
class Limits:
    """seconds: how long the tests of a mutant may take together, as they took for the map.

    longest: slower tests do not count.
    """

    seconds: float
    longest: float

    def patience(self, expected: float) -> float:
        """The processor time after which a mutant ends nowhere."""
        return 5.0 + 2.0 * expected


@dataclass(frozen=True)
class Tried:
    """A mutant and what became of it. tests: that ran at most; covering: that reach its line."""

    mutant: Mutant
    trial: Trial
    tests: int
    covering: int


@dataclass
class Figures:
    """What a package's trials came to.

    unreached: drawn, and no quick test runs the line. not_applicable: the running code could not
    become it.
    """

    package: str
    seed: int
    tried: list[Tried] = field(default_factory=list)
    unreached: list[Mutant] = field(default_factory=list)
    not_applicable: list[Mutant] = field(default_factory=list)
    controls: int = 0
    failed_controls: list[str] = field(default_factory=list)

    def of(self, outcome: Outcome) -> list[Tried]:
        return [each for each in self.tried if each.trial.outcome is outcome]


@dataclass(eq=False)  # pytest keeps plugins in sets
class Session:
    """A pytest plugin that tries mutants in place of running the tests."""

    covered: CoverageMap
    limits: Limits
    work: Callable[[Session], None]
    items: dict[str, pytest.Item] = field(default_factory=dict)
    functions: Functions = field(default_factory=dict)

    def pytest_configure(self) -> None:
        from hypothesis import Phase, settings  # pytest rewrites it first

        settings.register_profile(
            "mutants",
            database=None,
            deadline=None,
            derandomize=True,
            max_examples=20,
            phases=(Phase.explicit, Phase.generate),  # a failure is enough, it need not be small
        )
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        for module in pkgutil.walk_packages(sfcutover.__path__, "sfcutover."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        self.functions = loaded_functions()
        adopt_orphans()
        self.work(self)
        return True

    def tests(self, mutant: Mutant) -> list[str]:
        """The tests that reach a mutant, fastest first."""
        if mutant.owner.line:
            lines = range(mutant.statement, mutant.line + 1)
            return self.covered.tests(mutant.file, lines, self.limits.longest)
        return self.covered.tests_of_name(mutant.owner.name, self.limits.longest)

    def try_one(self, mutant: Mutant, names: Sequence[str]) -> Tried:
        chosen = list(self._within_limit(names))
        trial = self._trial(lambda: mutant.become(self.functions), chosen)
        return Tried(mutant, trial, len(chosen), len(names))

    def control(self, names: Sequence[str]) -> Trial:
        """The same without a change."""
        return self._trial(lambda: None, list(self._within_limit(names)))

    def _trial(self, change: Callable[[], None], names: Sequence[str]) -> Trial:
        expected = sum(self.covered.durations[name] for name in names)
        items = [self.items[name] for name in names]
        return run_trial(change, items, self.limits.patience(expected))

    def _within_limit(self, names: Sequence[str]) -> Iterator[str]:
        left = self.limits.seconds
        for name in names:
            left -= self.covered.durations[name]
            if left < 0 and name != names[0]:
                return
            yield name


def draw(package: str, seed: int) -> list[Mutant]:
    """All mutants of a package of sfcutover/ in the order that the seed gives."""
    files = sorted(Path("sfcutover", package).rglob("*.py"))
    mutants = [each for file in files for each in mutants_of(file)]
    random.Random(seed).shuffle(mutants)
    return mutants


def try_mutants(
    session: Session, figures: Figures, mutants: Sequence[Mutant], count: int
) -> Iterator[Tried]:
    """Try mutants in turn until count have run; a control in between."""
    for mutant in mutants:
        names = session.tests(mutant)
        if not names:
            figures.unreached.append(mutant)
            continue
        tried = session.try_one(mutant, names)
        if tried.trial.outcome is Outcome.NOT_APPLICABLE:
            figures.not_applicable.append(mutant)
            continue
        figures.tried.append(tried)
        yield tried
        if len(figures.tried) % _CONTROL_EVERY == 0:
            figures.controls += 1
            figures.failed_controls += filter(None, [session.control(names).killer])
        if len(figures.tried) == count:
            return


def run_session(session: Session, folder: Path) -> None:
    """Collect the tests that count and let the session work. folder: for the tests' files."""
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"  # tests/unit/strategies.py loads it
    files = sorted({name.split("::")[0] for name in session.covered.durations})
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", f"--basetemp={folder}"]
    pytest.main([*files, *options], plugins=[session])
