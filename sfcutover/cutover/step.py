"""What a step needs, and how one is performed: told to the journal, its error kept as data."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, Target
from sfcutover.cutover.outcome import Outcome, Problem
from sfcutover.cutover.probe import CONFIDENCE, ProbeResult, probe
from sfcutover.errors import Advice, Command, OperationFailedError, SfcutoverError
from sfcutover.runs.journal import Journal, VigilJournal
from sfcutover.runs.processes import Presence, ReplacedError
from sfcutover.runs.store import Requests
from sfcutover.salesforce.connection import Connection, connect
from sfcutover.traffic.canary import Canary
from sfcutover.util.clock import Clock


@dataclass
class Connections:
    """Open connections by target. A step has one to itself; after an error it is opened anew."""

    cutover: Cutover
    _idle: dict[str, list[Connection]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @contextmanager
    def of(self, target: Target) -> Iterator[Connection]:
        """A target's org; its sockets are closed if the step fails."""
        connection = self._take(target)
        try:
            yield connection
        except BaseException:
            connection.org.close()
            raise
        with self._lock:
            self._idle.setdefault(target.name, []).append(connection)

    def _take(self, target: Target) -> Connection:
        with self._lock:
            idle = self._idle.get(target.name)
            if idle:
                return idle.pop()
        return connect(target, self.cutover)


FRESH_SECONDS = 15.0  # so long a look counts for other targets, too


@dataclass
class Probes:
    """The newest look at each egress. Threads may share it; one looks, the others wait."""

    cutover: Cutover
    _newest: dict[str, tuple[float, ProbeResult]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, name: str) -> ProbeResult:
        """What the echo sees behind an egress. Raises EgressError. A look that did not pass is
        not kept."""
        with self._lock:
            if name in self._newest:
                looked, result = self._newest[name]
                if time.monotonic() - looked <= FRESH_SECONDS:
                    return result
            result = self._look(name)
            if result.passed:
                self._newest[name] = (time.monotonic(), result)
            return result

    def _look(self, name: str) -> ProbeResult:
        canary = Canary(self.cutover)
        confidence = self.cutover.verify.confidence if self.cutover.verify else CONFIDENCE
        return probe(canary.egress(name), canary.echo_url, confidence=confidence)


_LOOK_SECONDS = 0.5  # so often somebody who waits asks whether the run is to be canceled
Evidence = dict[str, object]


class CanceledError(BaseException):
    """The run is to be canceled: it ends a wait, and never a deployment or a watch."""


@dataclass(frozen=True)
class Work:
    """One step of a run. step: its name in the journal.

    key: names the run and no other one, of any database. presence: of the process that
    performs it, to be asked before every effect. probes, connections: what
    the steps of a process share.
    """

    cutover: Cutover
    journal: Journal
    requests: Requests
    presence: Presence
    step: str
    key: str
    probes: Probes
    connections: Connections
    templates: Templates = field(default_factory=Templates)

    def at(self, target: str) -> TargetWork:
        """The same for one target."""
        chosen = self.cutover.select_targets((target,))[0]
        return TargetWork(**vars(self), target=chosen)

    @property
    def target_name(self) -> str | None:
        return None

    def tell(self, kind: str, **data: object) -> int:
        """An event of this step; its number."""
        return self.journal.write(kind, self.step or None, self.target_name, data)

    def tell_durably(self, kind: str, **data: object) -> None:
        """An event that is on disk before what it announces. Raises what the journal raises."""
        self.journal.write(kind, self.step or None, self.target_name, data, durably=True)

    def require_wanted(self) -> None:
        """Raises CanceledError if the run is to be canceled."""
        if self.requests.cancellation() is not None:
            raise CanceledError

    def require_to_act(self) -> None:
        """Directly before an effect. Raises NetworkError if this process was taken for dead, or
        the run has ended without it."""
        self.presence.require()
        if self.journal.last("run-ended") is not None:
            raise ReplacedError(
                "the run has ended without this process",
                hint=Advice("see how: ", Command("runs")),
                tokens="nothing more is done from here",
            )

    def note(self, text: str) -> None:
        self.tell("note", text=text)

    @property
    def clock(self) -> Clock:
        """For waits that somebody who cancels the run should not have to sit through."""
        return Clock(pause=self._pause)

    def wait_until(self, moment: float) -> None:
        """Wait until a time of the wall clock (seconds since 1970).

        Within this process the monotonic clock counts, so that no jump shortens the wait.
        Raises CanceledError.
        """
        end = time.monotonic() + moment - time.time()
        while (left := end - time.monotonic()) > 0:
            self._pause(left)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.require_wanted()
            time.sleep(min(left, _LOOK_SECONDS))

    def perform(self, work: Callable[[], Evidence]) -> Outcome:
        """Do the work between two events. What it raises becomes a problem, a defect too:
        behind a removal, somebody must still put addresses back."""
        begun = time.time()
        self.tell("step-started")
        try:
            outcome = Outcome(evidence=work())
        except CanceledError:
            outcome = Outcome(evidence={"canceled": True})
        except ReplacedError:
            raise  # what this process thinks of the step counts for nothing
        except (SfcutoverError, OSError) as error:
            outcome = Outcome(problem=Problem.of(_as_ours(error)))
        except Exception as error:
            logging.getLogger(__name__).exception("a defect in the step %s", self.step)
            outcome = Outcome(problem=Problem.of(_defect(error)))
        self.tell(
            "step-ended", seconds=round(time.time() - begun, 3), **outcome.model_dump(mode="json")
        )
        return outcome


@dataclass(frozen=True)
class TargetWork(Work):
    """One step for one target."""

    target: Target = field(kw_only=True)

    @property
    def target_name(self) -> str | None:
        return self.target.name

    def on_vigil(self) -> TargetWork:
        """The same with a journal that nobody waits for."""
        if isinstance(self.journal, VigilJournal):
            return self
        return replace(self, journal=VigilJournal.soon(self.journal, self.target.name))

    def connection(self) -> AbstractContextManager[Connection]:
        """The target's org."""
        return self.connections.of(self.target)


def _as_ours(error: SfcutoverError | OSError) -> SfcutoverError:
    if isinstance(error, SfcutoverError):
        return error
    return OperationFailedError(
        f"{type(error).__name__}: {error.strerror or error}",
        where=str(error.filename) if error.filename else None,
        hint="make room or correct the permissions, then run this again",
    )


def _defect(error: Exception) -> SfcutoverError:
    return OperationFailedError(
        f"a defect in sfcutover stopped this step ({type(error).__name__})",
        hint="run it again with -v and report the traceback",
        tokens="the list is as this step found it, or as planned; the run goes back",
    )


class UnderWay:
    """Counts what is under way."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        with self._changed:
            self._count += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def __bool__(self) -> bool:
        return self._count > 0

    def wait(self, seconds: float) -> bool:
        """Until nothing is, at most so many seconds; True if nothing is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self, seconds)


BEFORE_LEAVING = UnderWay()  # of this process
