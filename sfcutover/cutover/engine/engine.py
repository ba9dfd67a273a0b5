"""Durable execution: DBOS keeps what each step returned, and every step is executed once.

The whole run is one workflow, and what happens on a target is a workflow of its own. Both wait in
queues, which every process of the cutover serves. A process that dies leaves its workflows
behind; another one, or the next, queues them again, and they continue behind the last step that
ended.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from dbos import DBOS, SetWorkflowID
from dbos import DBOSPortableJSONSerializer as JsonSerializer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.engine.client import APPLICATION, POLL_SECONDS, EngineClient
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import (
    LEAVING_SECONDS,
    SHUTDOWN_GUARD,
    Connections,
    PreparedRestores,
    Probes,
)
from sfcutover.errors import Advice, Command, LockLostError, NetworkError, SfcutoverError
from sfcutover.runs.process import config_key
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.runcontrol import RunControl
from sfcutover.runs.store import WORKFLOW_VERSION, Run, RunStore, config_text

_TAKE_OVER_SECONDS = 1.0
_CLOSE_SECONDS = 3.0  # a database that hangs delays the end of the process no longer


@dataclass
class Engine:
    """This process's part in the runs of one cutover, from enter to exit.

    lock: held already. register: makes the workflows known to DBOS; what it returns queues a run by
    its id. failure: why this process can't continue what it had started.
    """

    cutover: Cutover
    store: RunStore
    lock: ProcessLock
    register: Callable[[Engine], Callable[[str], object]]
    templates: Templates = field(default_factory=Templates)
    failure: Exception | None = field(default=None, init=False)
    client: EngineClient = field(init=False)
    _start_run: Callable[[str], object] = field(init=False)
    _probes: Probes = field(init=False)
    _connections: Connections = field(init=False)
    _baselines: RecordedBaselines = field(init=False)
    _restores: PreparedRestores = field(default_factory=PreparedRestores, init=False)
    _unfinished: set[object] = field(default_factory=set, init=False)
    _executed: set[str] = field(default_factory=set, init=False)  # ids of workflows
    _unreachable: NetworkError | None = field(default=None, init=False)  # until it answers again
    _closing: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self._probes = Probes(self.cutover)
        self._connections = Connections(self.cutover)
        self._baselines = RecordedBaselines(self.cutover, self.store.database)

    def __enter__(self) -> Self:
        """Serve the queues, and look for processes that have died."""
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        self.store.database.patiently(self._launch)
        threading.Thread(target=self._poll, name="take-over", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish what must not be cut off, and leave the rest to be continued."""
        SHUTDOWN_GUARD.close(LEAVING_SECONDS)
        self._closing.set()
        # It waits for a database that hangs, so it is not waited for without end.
        closing = threading.Thread(target=_destroy, name="close", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)
        self._connections.close()

    def _launch(self) -> None:
        """All or nothing: a database that goes away meanwhile leaves DBOS unlaunched."""
        database = self.store.database
        if not database.is_shared:
            DBOS.migrate(database.engine_url)  # so that queues are known when DBOS looks for them
            self._register_queues()
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": database.engine_url,
                "system_database_engine": database.engine if database.is_shared else None,
                "executor_id": self.lock.id,
                "application_version": f"{WORKFLOW_VERSION}:{self.cutover.name}",
                "log_level": "CRITICAL",
                "use_listen_notify": False,
                "notification_listener_polling_interval_sec": POLL_SECONDS,
                "serializer": JsonSerializer(),
            }
        )
        try:
            self._start_run = self.register(self)
            DBOS.listen_queues([self.runs, self.targets])
            DBOS.launch()
            if database.is_shared:
                self._register_queues()
        except DBAPIError:
            _destroy()
            raise

    def _register_queues(self) -> None:
        self.client = EngineClient(self.store.database)
        self.client.register_queues(self.runs, self.targets)

    def submit(self, run: Run) -> None:
        """Queue a run for execution: a new one, or one that was left, perhaps with another
        cutover.yaml."""
        if not self.client.unfinished(run.id):
            with SetWorkflowID(run.id):
                self._start_run(run.id)
        for each in self.client.unfinished(run.id):
            is_elsewhere = each.queue_name not in (self.runs, self.targets)
            if each.status == "ENQUEUED" and is_elsewhere:
                self._queue(run, each.workflow_id)
        self.take_over(is_told=True)  # as run-resumed
        self.client.wake(run.id)

    def check(self) -> None:
        """Raise the failure, if there is one and no list is watched or restored here."""
        failure = self.failure or self._unreachable
        if failure is None or self._unfinished:
            return
        if isinstance(failure, DBAPIError | PoolTimeoutError):
            raise self.store.database.unavailable(failure)
        raise failure

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """While a list loses addresses and is watched, or is restored, this process stays."""
        marker = object()
        self._unfinished.add(marker)
        try:
            yield
        finally:
            self._unfinished.discard(marker)

    @contextmanager
    def executing(self, workflow: str) -> Iterator[None]:
        """Raises LockLostError where this process executes the workflow already."""
        if workflow in self._executed:
            raise LockLostError(
                "this process lost the run for a moment and no longer executes it",
                hint=Advice("resume it: ", Command("run")),
                impact="this process changes nothing more",
            )
        self._executed.add(workflow)
        try:
            yield
        finally:
            self._executed.discard(workflow)

    @property
    def runs(self) -> str:
        """The queue of runs."""
        return f"runs of {self._name}"

    @property
    def targets(self) -> str:
        """The queue of actions on targets."""
        return f"targets of {self._name}"

    @property
    def _config(self) -> str:
        return config_text(self.cutover, self.templates)

    @property
    def _name(self) -> str:
        """A process with another cutover.yaml has other queues."""
        return f"{self.cutover.name} {config_key(self._config)}"

    def context(self, run: str, step: str, workflow: str) -> StepContext:
        """What a step of a run is given. workflow: the id of the one that executes it."""
        journal = self.store.journal(run)
        return StepContext(
            self.cutover,
            journal,
            RunControl(
                self.lock, journal, lambda: self.client.is_executed_by(workflow, self.lock.id)
            ),
            step,
            f"{run} {self.store.find(run).started!r}",
            self._probes,
            self._connections,
            self._baselines,
            self.templates,
            self._restores,
        )

    def _poll(self) -> None:
        while not self._closing.wait(_TAKE_OVER_SECONDS):
            try:
                self.lock.require()  # taken again where the server has lost it
                self.take_over()
                self._unreachable = None
            except NetworkError as error:
                self._unreachable = error  # it was asked for long, and DBOS asks without end
            except (SfcutoverError, SQLAlchemyError):
                continue  # asked again in a second; its steps find out what is wrong, too

    def take_over(self, *, is_told: bool = False) -> None:
        """Queue again what dead processes have left. is_told: True if the journal has that the
        run resumes here."""
        run = self.store.active(self.cutover.name)
        if run is None or run.config != self._config:
            return
        executed = [one for one in self.client.unfinished(run.id) if one.status == "PENDING"]
        for executor in {one.executor_id or "" for one in executed} - {self.lock.id}:
            with self.lock.taking(executor) as is_taken:
                if is_taken:
                    self._take(run, executor, is_told=is_told)

    def _take(self, run: Run, executor: str, *, is_told: bool) -> None:
        """Again by what is queued now: another process may have taken it a moment ago."""
        for one in self.client.unfinished(run.id):
            if one.status == "PENDING" and one.executor_id == executor:
                if one.workflow_id == run.id and not is_told:
                    self.store.journal(run.id).write("taken-over", None, None, {})
                self._queue(run, one.workflow_id)

    def _queue(self, run: Run, workflow: str) -> None:
        self.client.queue(workflow, self.runs if workflow == run.id else self.targets)


def _destroy() -> None:
    DBOS.destroy(destroy_registry=True)
