"""Which test runs which line, and how long it takes: made once, kept in .mutants/."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest

FOLDER = Path(".mutants")
_DATA = FOLDER / "coverage"
_DURATIONS = FOLDER / "durations.json"
_STATE = FOLDER / "state"
_QUICK = "not slow and not interop and not fuzz"
_PLACES = ("runs", "salesforce", "traffic", "cutover", "safety", "cli")
TESTS = ("tests/unit", *(f"tests/integration/{place}" for place in _PLACES))


@dataclass
class CoverageMap:
    """durations: of each test that passed, in seconds. data: the tests of each line."""

    durations: dict[str, float]
    data: coverage.CoverageData
    _lines: dict[Path, dict[int, list[str]]] = field(default_factory=dict)

    def tests(self, file: Path, lines: range, longest: float) -> list[str]:
        """The passing tests of the last of these lines that any test runs.

        Those of the file come first, then those of its package; among them the fastest.
        """
        if file not in self._lines:
            self._lines[file] = self.data.contexts_by_lineno(str(file.absolute()))
        for line in reversed(lines):
            run_it = self._lines[file].get(line, ())
            names = [name for name in run_it if self.durations.get(name, longest) < longest]
            if names:
                return sorted(names, key=lambda name: (_distance(name, file), self.durations[name]))
        return []

    def tests_of_name(self, name: str, longest: float) -> list[str]:
        """The same of all lines of code that name a constant."""
        word = re.compile(rf"\b{name}\b")
        found: set[str] = set()
        for file in Path("sfcutover").rglob("*.py"):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if word.search(line):
                    found.update(self.tests(file, range(number, number + 1), longest))
        return sorted(found, key=lambda test: self.durations[test])


def _distance(test: str, file: Path) -> int:
    """tests/ mirrors the code: 0 for a test of the file, 1 for one of its package, 2 for others."""
    if f"/test_{file.stem}.py::" in test:
        return 0
    return 1 if f"/{file.parent.name}/" in test else 2


@dataclass(eq=False)  # pytest keeps plugins in sets
class _Recorder:
    """A pytest plugin that gives each test a context of its own."""

    measured: coverage.Coverage
    durations: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.measured.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.measured.switch_context("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.passed and self.durations.get(report.nodeid, 0.0) >= 0:
            self.durations[report.nodeid] = self.durations.get(report.nodeid, 0.0) + report.duration
        else:
            self.durations[report.nodeid] = -1.0


def coverage_map() -> CoverageMap:
    """The map of the code and tests as they are now; runs the tests unless one is kept."""
    FOLDER.mkdir(exist_ok=True)
    state = _state()
    if not _STATE.exists() or _STATE.read_text() != state:
        # a process of its own: pytest cannot be started twice in one
        subprocess.run([sys.executable, "-m", "tests.mutants.coverage_map"], check=True)
        _STATE.write_text(state)
    data = coverage.CoverageData(str(_DATA))
    data.read()
    return CoverageMap(json.loads(_DURATIONS.read_text()), data)


def _record() -> None:
    measured = coverage.Coverage(str(_DATA), source=["sfcutover"], config_file=False)
    measured.erase()
    recorder = _Recorder(measured)
    measured.start()
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-m", _QUICK]
    ended = pytest.main([*TESTS, *options], plugins=[recorder])
    measured.stop()
    measured.save()
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit("the tests did not run to their end")
    passed = {name: taken for name, taken in recorder.durations.items() if taken >= 0}
    _DURATIONS.write_text(json.dumps(passed))


def _state() -> str:
    digest = hashlib.sha256()
    for folder in ("sfcutover", "tests"):
        for file in sorted(Path(folder).rglob("*.py")):
            if not file.is_relative_to("tests/mutants"):
                digest.update(file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    _record()
