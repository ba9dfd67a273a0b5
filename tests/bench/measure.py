"""Timing whole processes: wall and CPU seconds, peak memory; commands in turn, medians compared."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """One finished process. cpu: user and system time, in seconds as wall is. memory: largest
    resident set of it or a child, in MiB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Command:
    """What to run. before: put the world back first, not timed."""

    argv: Sequence[str]
    environment: dict[str, str]
    folder: Path
    before: Callable[[], None] = lambda: None
    expected: int = 0

    def run(self) -> Sample:
        """Run it once. Raises RuntimeError if it ends with another exit code."""
        self.before()
        with (self.folder / "output.txt").open("wb") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                self.argv,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != self.expected:
            text = (self.folder / "output.txt").read_text(errors="replace")
            raise RuntimeError(f"{self.argv} ended with {process.returncode}:\n{text}")
        return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def in_turn(first: Command, second: Command, runs: int) -> tuple[list[Sample], list[Sample]]:
    """Both, A B A B …, after one uncounted run of each."""
    first.run()
    second.run()
    pairs = [(first.run(), second.run()) for _ in range(runs)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def median_wall(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.wall for sample in samples)


def median_cpu(samples: Sequence[Sample]) -> float:
    """For what waits for nothing: other programs on the machine change it less than wall time."""
    return statistics.median(sample.cpu for sample in samples)


def median_memory(samples: Sequence[Sample]) -> float:
    return statistics.median(sample.memory for sample in samples)
