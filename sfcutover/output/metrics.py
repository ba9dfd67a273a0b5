"""The figures of a run or a command as a text file for Prometheus.

Node exporter's textfile collector reads it, from a file named ``*.prom``. It is written whole and
renamed. They serve external monitoring: no decision depends on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prometheus_client import Metric, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sfcutover.allowlist.ranges import subtract
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.evidence import Evidence
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.runfollower import View
from sfcutover.runs.event import Event
from sfcutover.util.secrets import one_line

STATES = ("running", "waiting", "rolling-back", "done", "failed", "rolled-back", "canceled")
_REFRESH_SECONDS = 10.0  # between two writes that differ in the time alone

Labels = tuple[str, ...]
Rows = Iterable[tuple[Labels, float]]


class MetricsFile:
    """path: relative to the working folder. warn: gets one sentence if the file can't be
    written; the run continues."""

    def __init__(self, path: Path, cutover: Cutover, warn: Callable[[str], None]) -> None:
        self._path = path
        self._cutover = cutover
        self._warn = warn
        self._shown: object = None
        self._written = 0.0  # monotonic
        self._has_warned = False

    def update(self, progress: RunProgress, *, run: str = "", ended: str = "") -> None:
        """Write what has changed since. run: its id, if it is one. ended: how a command ended."""
        now = time.monotonic()
        shown = (progress.last, ended)
        if shown == self._shown and now < self._written + _REFRESH_SECONDS:
            return
        self._shown, self._written = shown, now
        try:
            write_to_textfile(str(self._path), Figures(self._cutover, progress, run, ended))
        except OSError as error:
            if not self._has_warned:
                self._warn(f"metrics: {self._path} can't be written: {error.strerror}")
            self._has_warned = True


class MeteredView:
    """A view of a run that also keeps the file up to date."""

    def __init__(self, view: View, file: MetricsFile) -> None:
        self._view = view
        self._file = file
        self._run = ""

    @property
    def whole(self) -> bool:
        return self._view.whole

    def show(self, event: Event, progress: RunProgress) -> None:
        self._run = event.run
        self._view.show(event, progress)

    def tick(self, progress: RunProgress) -> None:
        self._view.tick(progress)
        self._file.update(progress, run=self._run)


class CommandMeter:
    """The figures of a command that no run executes."""

    def __init__(self, file: MetricsFile) -> None:
        self._file = file
        self._progress = RunProgress()
        self._ended = ""

    def show(self, event: Event) -> None:
        """One more event."""
        self._progress.apply(event)
        self._file.update(self._progress)

    def proven(self, step: str, evidence: Evidence) -> None:
        """What a step has proven of a target."""
        self._progress.prove(step, evidence.target, evidence)

    def close(self, ended: str) -> None:
        """ended: how, one of STATES; the first word counts."""
        self._ended = self._ended or ended
        self._file.update(self._progress, ended=self._ended)


class Figures(Collector):
    """The state as metrics. run: its id, empty for a command. ended: how a command ended."""

    def __init__(
        self, cutover: Cutover, progress: RunProgress, run: str = "", ended: str = ""
    ) -> None:
        self._cutover = cutover
        self._progress = progress
        self._run = run
        self._ended = ended

    def collect(self) -> Iterator[Metric]:
        """As Prometheus' client asks for them."""
        progress, labels = self._progress, (self._cutover.app, self._run)
        yield self._gauge("info", "App and run of the metrics.", ("app", "run"), [(labels, 1.0)])
        states = [((each,), float(each == self._state)) for each in STATES]
        yield self._gauge("state", "1 for the current state.", ("state",), states)
        yield self._gauge("step", "1 for each running step.", ("step", "target"), self._steps())
        if self._run:
            words = "Old addresses that are, or may be, off the allowlist of a target."
            yield self._gauge("old_addresses_off", words, ("target",), self._off())
        yield from self._redemptions()
        yield from self._times(progress)

    def _redemptions(self) -> Iterator[Metric]:
        progress = self._progress
        yield self._counter(
            "redemptions",
            "Redemptions by any client that LoginHistory shows since the start.",
            ("address", "outcome"),
            [
                ((one_line(address), outcome), count)
                for address, counts in sorted(progress.traffic.items())
                for outcome, count in sorted(counts.items())
            ],
        )
        yield self._counter(
            "canary_redemptions",
            "Redemptions by the canaries since the start.",
            ("outcome",),
            [(("redeemed",), progress.redeemed), (("blocked",), progress.refused)],
        )
        yield self._gauge(
            "proven_redemptions",
            "Redemptions through an address in the newest evidence.",
            ("target", "canary", "address"),
            [
                ((target, canary.canary, each.address), each.redeemed)
                for target, proof in progress.proofs.items()
                for canary in proof.canaries
                for each in canary.addresses
            ],
        )
        yield self._counter(
            "watch_results",
            "Results of the watch by source.",
            ("source", "verdict"),
            [
                ((one_line(source), verdict), count)
                for source, verdicts in progress.results.items()
                for verdict, count in verdicts.items()
            ],
        )

    def _times(self, progress: RunProgress) -> Iterator[Metric]:
        name, pause = "start_timestamp_seconds", progress.pause
        yield self._gauge(name, "Start time.", (), [((), progress.started)])
        waits = [] if pause is None else [((pause.step, pause.reason), pause.since)]
        name, words = (
            "waiting_since_timestamp_seconds",
            "Time since which the run waits for the operator.",
        )
        yield self._gauge(name, words, ("step", "reason"), waits)
        name = "last_update_timestamp_seconds"
        yield self._gauge(name, "Time of the last write of this file.", (), [((), time.time())])

    @property
    def _state(self) -> str:
        progress = self._progress
        if progress.ended is not None:
            return progress.ended.text("outcome")
        if progress.pause is not None:
            return "waiting"
        return self._ended or ("running" if progress.rollback is None else "rolling-back")

    def _steps(self) -> Rows:
        if self._ended:
            return []
        return [((each.name, each.target or ""), 1) for each in self._progress.running()]

    def _off(self) -> Rows:
        change = self._cutover.change
        count = sum(each.size for each in subtract(change.old, change.new))
        return [((name,), count if self._lacks_old(name) else 0) for name in self._progress.targets]

    def _lacks_old(self, target: str) -> bool:
        """True where they were removed, or may have been, and not restored since."""
        progress = self._progress
        removals = [one for one in progress.of_step("remove-old") if one.target == target]
        back = [one for one in progress.of_step("restore-old") if one.target == target]
        newest = max((one.newest_start for one in removals), default=0.0)
        is_back = any(one.mark == "done" and one.newest_start >= newest for one in back)
        return progress.may_lack_old(target) and not is_back

    def _gauge(self, name: str, words: str, labels: Labels, rows: Rows) -> Metric:
        family = GaugeMetricFamily(f"sfcutover_{name}", words, labels=("cutover", *labels))
        for values, value in rows:
            family.add_metric((self._cutover.name, *values), value)
        return family

    def _counter(self, name: str, words: str, labels: Labels, rows: Rows) -> Metric:
        family = CounterMetricFamily(f"sfcutover_{name}", words, labels=("cutover", *labels))
        for values, value in rows:
            family.add_metric((self._cutover.name, *values), value)
        return family
