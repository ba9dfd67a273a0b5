"""Durable execution: DBOS keeps what each step returned, and every step is executed once.

The whole run is one workflow, and what happens on a target is a workflow of its own, which
any process of the cutover may take from the queue. A process that dies leaves its workflows
behind; the others, or the next one, take them over and continue behind the last step that ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID, WorkflowStatus
from dbos import DBOSPortableJSONSerializer as JsonSerializer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.announcement import Announced, outline
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.dispatch import (
    ACTIONS,
    RESTORE,
    execute_action,
    execute_on_target,
    execute_step,
    parse_result,
)
from sfcutover.cutover.loginsampler import TrafficSampler
from sfcutover.cutover.operator import notify, wait_for_approval
from sfcutover.cutover.recordedbaselines import RecordedBaselines
from sfcutover.cutover.resources import SHUTDOWN_GUARD, Connections, PreparedRestores, Probes
from sfcutover.cutover.stepresult import StepResult
from sfcutover.cutover.steprunner import (
    NO_ARGUMENTS,
    Approval,
    Flow,
    Question,
    StepArguments,
    StepResults,
)
from sfcutover.cutover.switch import forget_switches
from sfcutover.cutover.workflow import Workflow
from sfcutover.errors import SfcutoverError
from sfcutover.runs.journal import BufferedJournal
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.store import (
    WORKFLOW_VERSION,
    Run,
    RunControl,
    RunStore,
    config_text,
    fingerprint,
)
from sfcutover.util.document import Document, text_of
from sfcutover.util.processes import current_actor

TARGETS_AT_ONCE = 10  # by one process: the others take the rest
_POLL_SECONDS = 0.1
_TAKE_OVER_SECONDS = 1.0
Json = dict[str, object]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Engine:
    """This process's part in the runs of one cutover. There is one in a process.

    lock: held already. failure: why this process can't continue what it had started.
    """

    cutover: Cutover
    store: RunStore
    lock: ProcessLock
    templates: Templates = field(default_factory=Templates)
    failure: Exception | None = field(default=None, init=False)
    _probes: Probes = field(init=False)
    _connections: Connections = field(init=False)
    _baselines: RecordedBaselines = field(init=False)
    _restores: PreparedRestores = field(default_factory=PreparedRestores, init=False)
    _unfinished: set[object] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._probes = Probes(self.cutover)
        self._connections = Connections(self.cutover)
        self._baselines = RecordedBaselines(self.cutover, self.store.database)

    def launch(self) -> None:
        """Take part: from the queue, and from processes that have died."""
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        _engines[:] = [self]
        self.store.database.patiently(self._launch)
        threading.Thread(target=self._take_over, name="take-over", daemon=True).start()

    def _launch(self) -> None:
        """All or nothing: a database that goes away meanwhile leaves DBOS unlaunched."""
        DBOS(
            config={
                "name": "sfcutover",
                "system_database_url": self.store.database.engine_url,
                "executor_id": self.lock.id,
                "application_version": f"{WORKFLOW_VERSION}:{self.cutover.name}",
                "log_level": "CRITICAL",
                "use_listen_notify": False,
                "serializer": JsonSerializer(),
            }
        )
        try:
            DBOS.listen_queues([self.runs, self.targets])
            DBOS.launch()
            DBOS.register_queue(
                self.runs, polling_interval_sec=_POLL_SECONDS, on_conflict="always_update"
            )
            DBOS.register_queue(
                self.targets,
                partition_concurrency=1,
                worker_concurrency=TARGETS_AT_ONCE,
                polling_interval_sec=_POLL_SECONDS,
                on_conflict="always_update",
            )
        except DBAPIError:
            DBOS.destroy()
            raise

    def start(self, run: Run) -> None:
        """Start a run; one that exists already is left to its owner, or taken over."""
        with SetWorkflowID(run.id):
            DBOS.start_workflow(execute_run, run.id)

    def check(self) -> None:
        """Raise the failure, if there is one and no list is watched or restored here."""
        if self.failure is None or self._unfinished:
            return
        if isinstance(self.failure, DBAPIError | PoolTimeoutError):
            raise self.store.database.unavailable(self.failure)
        raise self.failure

    @contextmanager
    def unfinished(self) -> Iterator[None]:
        """While a list loses addresses and is watched, or is restored, this process stays."""
        marker = object()
        self._unfinished.add(marker)
        try:
            yield
        finally:
            self._unfinished.discard(marker)

    @property
    def runs(self) -> str:
        """The queue of runs whose process died."""
        return f"runs of {self._config}"

    @property
    def targets(self) -> str:
        """The queue of actions on targets."""
        return f"targets of {self._config}"

    @property
    def _config(self) -> str:
        """A process with another cutover.yaml has other queues."""
        return f"{self.cutover.name} {fingerprint(config_text(self.cutover, self.templates))[:12]}"

    def context(self, run: str, step: str) -> StepContext:
        """What a step of a run is given."""
        journal, requests = self.store.journal(run), self.store.requests(run)
        return StepContext(
            self.cutover,
            journal,
            RunControl(self.lock, requests, journal),
            step,
            f"{run} {self.store.find(run).started!r}",
            self._probes,
            self._connections,
            self._baselines,
            self.templates,
            self._restores,
        )

    def _take_over(self) -> None:
        while True:
            time.sleep(_TAKE_OVER_SECONDS)
            try:
                self.take_over()
            except (SfcutoverError, SQLAlchemyError):
                continue  # the database is away; it is tried again

    def take_over(self) -> None:
        """Continue the workflows of processes that died."""
        run = self.store.active(self.cutover.name)
        if run is None or run.config != config_text(self.cutover, self.templates):
            return
        left = self._left_behind(run)
        owners = {one.executor_id or "" for one in left} - {self.lock.id}
        executors = self.store.executors
        gone = {each for each in owners if not executors.is_alive(each)}
        taken = {each for each in gone if executors.take(each, self.lock.id)}
        if run.owner in taken and self.store.claim(run, self.lock.id):
            self.store.journal(run.id).write("taken-over", None, None, {})
        for one in left:
            if one.executor_id in taken:
                self._queue_again(run, one.workflow_id)

    def adopt(self, run: Run) -> None:
        """Move the run's workflows to the queues of a cutover.yaml that was accepted instead.

        Those that are there already are left alone: another process may be taking them.
        """
        for one in self._left_behind(run, "ENQUEUED"):
            if one.queue_name not in (self.runs, self.targets):
                self._queue_again(run, one.workflow_id)

    def _left_behind(self, run: Run, status: str = "PENDING") -> list[WorkflowStatus]:
        found = partial(DBOS.list_workflows, status=status, load_input=False, load_output=False)
        return [*found(workflow_ids=[run.id]), *found(workflow_id_prefix=f"{run.id}/")]

    def _queue_again(self, run: Run, workflow: str) -> None:
        DBOS.resume_workflow(workflow, queue_name=self.runs if workflow == run.id else self.targets)


_engines: list[Engine] = []  # the one of this process; DBOS calls the workflows without it


def is_launched() -> bool:
    """True if this process takes part in runs."""
    return bool(_engines)


def _engine() -> Engine:
    return _engines[0]


class LeftError(BaseException):
    """This process can't go on. No Exception, as DBOS would keep that as the step's result."""


def left_open(function: Callable[P, R]) -> Callable[P, R]:
    """What can't be done here, as the disk is full or the database away, is left as it is for
    another try, and the engine's failure says why."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            _engine().failure = error
            raise LeftError(str(error)) from error

    return wrapped


@DBOS.workflow(name="cutover", max_recovery_attempts=None)
@left_open
def execute_run(run: str) -> Json:
    """The whole of one run."""
    engine = _engine()
    cutover, runner = engine.cutover, DurableStepRunner(engine, run)
    names = tuple(each.name for each in cutover.targets)
    runner.tell(
        "run-started",
        targets=list(names),
        app=cutover.app,
        old=list(map(str, cutover.change.old)),
        new=list(map(str, cutover.change.new)),
        by=current_actor(),
    )
    sampler = TrafficSampler([engine.context(run, "").at(each) for each in cutover.targets])
    sampler.start()
    result = Workflow(Flow(runner), cutover, names).run()
    sampler.finish()
    kept = asdict(result)
    DBOS.run_step({"name": "end"}, _end, run, kept)
    return kept


@DBOS.workflow(name="target", max_recovery_attempts=None)
@left_open
def execute_target(run: str, action: str, target: str, arguments: Json) -> Json:
    """One action on one target."""
    execute = _execute_action if action in ACTIONS else _execute_on_target
    done: Json = DBOS.run_step({"name": action}, execute, run, action, target, arguments)
    return done


@dataclass
class DurableStepRunner:
    """What the workflow calls: every call is a step, or a workflow, whose result is kept."""

    engine: Engine
    run: str
    _calls: int = 0

    def step(self, name: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
        done = DBOS.run_step({"name": name}, _execute_step, self.run, name, _as_json(arguments))
        return parse_result(name, done)

    def on_targets(
        self,
        action: str,
        targets: Sequence[str],
        arguments: Mapping[str, StepArguments] | None = None,
    ) -> StepResults:
        self._calls += 1
        handles = {}
        for name in targets:
            given = _as_json((arguments or {}).get(name, NO_ARGUMENTS))
            with (
                SetWorkflowID(f"{self.run}/{self._calls}/{action}/{name}"),
                SetEnqueueOptions(queue_partition_key=self._org_of(name)),
            ):
                handles[name] = DBOS.enqueue_workflow(
                    self.engine.targets, execute_target, self.run, action, name, given
                )
        return {
            name: parse_result(action, handle.get_result(polling_interval_sec=_POLL_SECONDS))
            for name, handle in handles.items()
        }

    def announce(self, step: str) -> Announced:
        return Announced.model_validate(DBOS.run_step({"name": "announce"}, _announce, step))

    def pause(self, question: Question) -> Approval:
        self._calls += 1
        done = DBOS.run_step({"name": "pause"}, _pause, self.run, self._calls, question)
        return Approval.model_validate(done)

    def pauses_before(self, step: str) -> bool:
        return bool(DBOS.run_step({"name": "pauses-before"}, _pauses_before, self.run, step))

    def says_traffic_moved(self) -> bool:
        return bool(DBOS.run_step({"name": "traffic-moved"}, _says_traffic_moved, self.run))

    def is_canceled(self) -> bool:
        return bool(DBOS.run_step({"name": "canceled"}, _is_canceled, self.run))

    def sleep(self, seconds: float) -> None:
        DBOS.sleep(seconds)

    def tell(self, kind: str, **data: object) -> None:
        DBOS.run_step({"name": kind}, _tell, self.run, kind, dict(data))

    def _org_of(self, target: str) -> str:
        """One deployment at a time goes to an org, whichever of its targets it is for."""
        (found,) = self.engine.cutover.select_targets((target,))
        return found.org.model_dump_json()


@left_open
def _execute_step(run: str, name: str, arguments: Json) -> Json:
    context, given = _engine().context(run, name), StepArguments.model_validate(arguments)
    return _as_json(context.execute(lambda: execute_step(context, given)))


@left_open
def _execute_on_target(run: str, step: str, target: str, arguments: Json) -> Json:
    engine, given = _engine(), StepArguments.model_validate(arguments)
    (found,) = engine.cutover.select_targets((target,))
    context = engine.context(run, step).at(found)
    return _as_json(context.execute(lambda: execute_on_target(context, given)))


@left_open
def _execute_action(run: str, action: str, target: str, arguments: Json) -> Json:
    """Steps that are one step to DBOS: between a removal and its watch, or before a list is
    restored, a database that is away must delay nothing. The journal says how far they are."""
    engine, given = _engine(), StepArguments.model_validate(arguments)
    (found,) = engine.cutover.select_targets((target,))
    context = engine.context(run, action).at(found)
    journal = engine.store.journal(run)
    buffered = (
        journal.buffered(target)
        if action == RESTORE
        else BufferedJournal(journal, target, journal.read())  # what was sent must be known
    )
    context = replace(context, memory=buffered)

    def execute(step: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
        one = replace(context, step=step)
        return one.execute(lambda: execute_on_target(one, arguments))

    with engine.unfinished(), closing(buffered):
        return _as_json(execute_action(context, action, given, execute, time.sleep))


@left_open
def _announce(step: str) -> Json:
    return _as_json(outline(step, _engine().cutover))


@left_open
def _pause(run: str, number: int, question: Question) -> Json:
    engine = _engine()
    context, requests = engine.context(run, question.step), engine.store.requests(run)
    return _as_json(wait_for_approval(context, requests, number, question))


@left_open
def _pauses_before(run: str, step: str) -> bool:
    return step in _engine().store.find(run).options.pause_before


@left_open
def _says_traffic_moved(run: str) -> bool:
    return _engine().store.find(run).options.traffic_moved


@left_open
def _is_canceled(run: str) -> bool:
    return _engine().store.requests(run).cancellation() is not None


@left_open
def _tell(run: str, kind: str, data: Json) -> None:
    _engine().store.journal(run).write(kind, None, None, data)


@left_open
def _end(run: str, result: Json) -> None:
    """The last word of a run; said again after a crash, the first time counts."""
    engine = _engine()
    with SHUTDOWN_GUARD:
        if engine.store.end(run, result):
            context, next_ = engine.context(run, "end"), text_of(result["next"])
            notify(context, str(result["outcome"]), str(result["message"]), next_)
            forget_switches(context)


def _as_json(document: Document) -> Json:
    return document.model_dump(mode="json")
