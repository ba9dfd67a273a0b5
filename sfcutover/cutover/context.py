"""What a step is given: settings, memory, control and connections; and how one is executed.

A single command and a run execute the same steps. They differ in the memory (a log of the
command, or the journal of the run) and in what may stop a step.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from sfcutover.allowlist.plan import Planner
from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover, Target
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import (
    SHUTDOWN_GUARD,
    Connections,
    PreparedRestores,
    Probes,
)
from sfcutover.cutover.stepresult import Canceled, Problem, StepEvidence, StepResult
from sfcutover.errors import LockLostError, OperationFailedError, SfcutoverError
from sfcutover.runs.event import BOUND, Event
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.org import Bound
from sfcutover.util.clock import Clock

if TYPE_CHECKING:
    from sfcutover.runs.baselinerecord import BaselineRecord

_POLL_SECONDS = 0.5  # between two checks for a request to cancel


class StepCanceledError(Exception):
    """The run is to be canceled: it ends a wait, and never a deployment or a watch."""


class Memory(Protocol):
    """What happened before, event by event: what was started, sent and proven."""

    run: str

    def write(
        self,
        kind: str,
        step: str | None,
        target: str | None,
        data: Mapping[str, object],
        *,
        durably: bool = ...,
    ) -> int:
        """Keep an event; its number. durably: it is on disk when this returns."""

    def last(self, kind: str, step: str | None = None, target: str | None = None) -> Event | None:
        """The newest event of a kind, of a step and a target."""

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Every event of a kind, of a step and a target, the oldest first."""

    def buffered(self, target: str) -> Memory:
        """A memory of this target that does not wait for a database."""

    def close(self) -> None:
        """Take no more events; events so far are still written."""


class Control(Protocol):
    """Whether a step may continue."""

    @property
    def place(self) -> str:
        """The machine and process that execute the step."""

    def is_canceled(self) -> bool:
        """True if the run is to be canceled."""

    def claim_list(self, organization_id: str, app: str) -> None:
        """Keep other runs from the list of an app. Raises StillRunningError."""

    def require_lock(self) -> None:
        """Directly before an effect. Raises LockLostError if another process continues the
        run or it has ended, and NetworkError if the state does not answer."""

    def require_lock_soon(self) -> None:
        """As require_lock, but a state that does not answer does not stop the step."""


class CommandControl:
    """Of a single command, which only Ctrl-C stops."""

    @property
    def place(self) -> str:
        return f"{socket.gethostname()}, process {os.getpid()}"

    def is_canceled(self) -> bool:
        return False

    def claim_list(self, organization_id: str, app: str) -> None:
        """A command looks for open runs by itself."""

    def require_lock(self) -> None:
        """A command holds no lock."""

    def require_lock_soon(self) -> None:
        """A command holds no lock."""


@dataclass(frozen=True)
class StepContext:
    """One step. step: its name in the memory.

    key: identifies the run, or the command's cutover, on this machine. probes, connections,
    baselines, restores: what the steps of a process share.
    """

    cutover: Cutover
    memory: Memory
    control: Control
    step: str
    key: str
    probes: Probes
    connections: Connections
    baselines: RecordedBaselines
    templates: Templates = field(default_factory=Templates)
    restores: PreparedRestores = field(default_factory=PreparedRestores)

    def at(self, target: Target) -> TargetContext:
        """The same for one target."""
        return TargetContext(**{**vars(self), "target": target})

    @property
    def target_name(self) -> str | None:
        return None

    @property
    def planner(self) -> Planner:
        """Computes the phases of this cutover."""
        return self.cutover.planner(self.templates)

    def tell(self, kind: str, **data: object) -> int:
        """An event of this step; its number."""
        return self.memory.write(kind, self.step or None, self.target_name, data)

    def tell_durably(self, kind: str, **data: object) -> None:
        """An event that is on disk before what it announces. Raises what the memory raises."""
        self.memory.write(kind, self.step or None, self.target_name, data, durably=True)

    def note(self, text: str) -> None:
        self.tell("note", text=text)

    def require_not_canceled(self) -> None:
        """Raises StepCanceledError if the run is to be canceled."""
        if self.control.is_canceled():
            raise StepCanceledError

    @property
    def clock(self) -> Clock:
        """For waits that a request to cancel ends."""
        return Clock(pause=self._pause)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.require_not_canceled()
            time.sleep(min(left, _POLL_SECONDS))

    def execute(self, work: Callable[[], StepEvidence]) -> StepResult:
        """Do the work between two events. What it raises becomes a problem, a defect too:
        after a removal, the run must still restore addresses. Raises LockLostError."""
        started = time.time()
        SHUTDOWN_GUARD.require_open()
        self.tell("step-started")
        result = _result_of(work, self.step)
        SHUTDOWN_GUARD.require_open()
        seconds = round(time.time() - started, 3)
        self.tell("step-ended", seconds=seconds, **result.model_dump(mode="json"))
        return result


@dataclass(frozen=True)
class TargetContext(StepContext):
    """One step for one target."""

    target: Target = field(kw_only=True)

    @property
    def target_name(self) -> str | None:
        return self.target.name

    def buffered(self) -> TargetContext:
        """The same with a memory that does not wait for the database."""
        return replace(self, memory=self.memory.buffered(self.target.name))

    @contextmanager
    def connection(self, *, any_component: bool = False) -> Iterator[Connection]:
        """The target's org, which must be the one that the cutover is bound to.

        any_component: also where a component was created again since. Raises IdentityError for
        another org.
        """
        with self.connections.of(self.target) as connection:
            if (bound := self._bound) is not None:
                known = replace(bound, component_ids={}) if any_component else bound
                connection.org.bind(known)
            yield connection

    @property
    def _bound(self) -> Bound | None:
        """By the record of the first deployment; in a run before it, by its snapshot."""
        version = self.cutover.api_version
        if (record := self.baselines.find_soon(self.target.name)) is not None:
            return bound_by(record, version)
        if (event := self.memory.last(BOUND, target=self.target.name)) is None:
            return None
        ids = event.text_map("component_ids")
        return Bound(event.text("organization_id"), f"the run {event.run}", version, ids)


def bound_by(record: BaselineRecord, api_version: str) -> Bound:
    """What the record of the first deployment binds a cutover to."""
    return Bound(record.organization_id, record.origin, api_version, record.component_ids)


def _result_of(work: Callable[[], StepEvidence], step: str) -> StepResult:
    try:
        return StepResult(evidence=work())
    except StepCanceledError:
        return StepResult(evidence=Canceled())
    except LockLostError:
        raise  # what this process finds no longer counts
    except (SfcutoverError, OSError) as error:
        return StepResult(problem=Problem.of(_as_ours(error)))
    except Exception as error:
        SHUTDOWN_GUARD.require_open()
        logging.getLogger(__name__).exception("a defect in the step %s", step)
        return StepResult(problem=Problem.of(_defect(error)))


def _as_ours(error: SfcutoverError | OSError) -> SfcutoverError:
    if isinstance(error, SfcutoverError):
        return error
    return OperationFailedError(
        f"{type(error).__name__}: {error.strerror or error}",
        where=str(error.filename) if error.filename else None,
        hint="free disk space or correct the permissions, then run this again",
    )


def _defect(error: Exception) -> SfcutoverError:
    return OperationFailedError(
        f"a defect in sfcutover stopped this step ({type(error).__name__})",
        hint="run it again with -v and report the traceback",
        impact="the allowlist is as this step found it or as planned; a run rolls back",
    )
