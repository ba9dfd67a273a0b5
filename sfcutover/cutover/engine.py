"""Durable execution: DBOS keeps what each step returned, and every step is done once.

The whole run is one workflow, and what happens on a target is a workflow of its own, which
any process of the cutover may take from the queue. A process that dies leaves its workflows
behind; the others, or the next one, take them over and go on behind the last step that ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import wraps
from typing import ParamSpec, TypeVar

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID, WorkflowStatus
from dbos import DBOSPortableJSONSerializer as JsonSerializer
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from sfcutover.allowlist.templates import Templates
from sfcutover.config.cutover import Cutover
from sfcutover.cutover.actions import STEPS, TARGET_STEPS, retire
from sfcutover.cutover.flow import Flow, Outcomes
from sfcutover.cutover.notify import notify, wait_for_approval
from sfcutover.cutover.outcome import Outcome
from sfcutover.cutover.sampler import TrafficSampler
from sfcutover.cutover.step import BEFORE_LEAVING, Connections, Probes, TargetWork, Work
from sfcutover.cutover.switch import forget_switches
from sfcutover.cutover.workflow import CutoverFlow
from sfcutover.errors import SfcutoverError, Text
from sfcutover.runs.journal import VigilJournal
from sfcutover.runs.processes import Presence
from sfcutover.runs.settings import config_text, fingerprint
from sfcutover.runs.store import WORKFLOW_VERSION, Run, RunStore
from sfcutover.util.document import text_of
from sfcutover.util.processes import current_actor

TARGETS_AT_ONCE = 10  # by one process: the others take the rest
_POLL_SECONDS = 0.1
_TAKE_OVER_SECONDS = 1.0
_VIGILS = ("retire", "restore-old")
Json = dict[str, object]
P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Engine:
    """This process's part in the runs of one cutover. There is one in a process.

    presence: entered already. failure: why this process can't go on with what it had begun.
    """

    cutover: Cutover
    store: RunStore
    presence: Presence
    templates: Templates = field(default_factory=Templates)
    failure: Exception | None = field(default=None, init=False)
    _probes: Probes = field(init=False)
    _connections: Connections = field(init=False)
    _vigils: set[object] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self._probes = Probes(self.cutover)
        self._connections = Connections(self.cutover)

    def launch(self) -> None:
        """Take part: from the queue, and from processes that have died."""
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        _engines[:] = [self]
        self.store.database.patiently(self._launch)
        threading.Thread(target=self._take_over, name="take-over", daemon=True).start()

    def _launch(self) -> None:
        """All or nothing: a database that goes away meanwhile leaves no half of it."""
        DBOS(
            config={
                "name": "sfcutover",
                "system_database_url": self.store.database.engine_url,
                "executor_id": self.presence.id,
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
        """Begin a run; one that was begun already is left to its owner, or taken over."""
        with SetWorkflowID(run.id):
            DBOS.start_workflow(perform_run, run.id)

    def check(self) -> None:
        """Raise the failure, if there is one and no list is watched here or put back."""
        if self.failure is None or self._vigils:
            return
        if isinstance(self.failure, DBAPIError | PoolTimeoutError):
            raise self.store.database.unavailable(self.failure)
        raise self.failure

    @contextmanager
    def vigil(self, step: str) -> Iterator[None]:
        """While a list loses addresses and is watched, or gets them back, this process stays."""
        vigil = object()
        if step in _VIGILS:
            self._vigils.add(vigil)
        try:
            yield
        finally:
            self._vigils.discard(vigil)

    @property
    def runs(self) -> str:
        """The queue of runs that somebody has left behind."""
        return f"runs of {self._config}"

    @property
    def targets(self) -> str:
        """The queue of what is to be done on targets."""
        return f"targets of {self._config}"

    @property
    def _config(self) -> str:
        """Who has another cutover.yaml has no part in it."""
        return f"{self.cutover.name} {fingerprint(config_text(self.cutover, self.templates))[:12]}"

    def work(self, run: str, step: str) -> Work:
        return Work(
            self.cutover,
            self.store.journal(run),
            self.store.requests(run),
            self.presence,
            step,
            f"{run} {self.store.find(run).started!r}",
            self._probes,
            self._connections,
            self.templates,
        )

    def _take_over(self) -> None:
        while True:
            time.sleep(_TAKE_OVER_SECONDS)
            try:
                self.take_over()
            except (SfcutoverError, SQLAlchemyError):
                continue  # the database is away; it is tried again

    def take_over(self) -> None:
        """Go on with what processes have left behind that are gone."""
        run = self.store.active(self.cutover.name)
        if run is None or run.config != config_text(self.cutover, self.templates):
            return
        left = self._left_behind(run)
        owners = {one.executor_id or "" for one in left} - {self.presence.id}
        executors = self.store.executors
        gone = {each for each in owners if not executors.is_alive(each)}
        taken = {each for each in gone if executors.take(each, self.presence.id)}
        if run.owner in taken and self.store.claim(run, self.presence.id):
            self.store.journal(run.id).write("taken-over", None, None, {})
        for one in left:
            if one.executor_id in taken:
                self._queue_again(run, one.workflow_id)

    def adopt(self, run: Run) -> None:
        """Have the run's workflows in the queues of this cutover.yaml, if another was accepted.

        Those that are there already are left alone: somebody may just be taking them.
        """
        for one in self._left_behind(run, "ENQUEUED"):
            if one.queue_name not in (self.runs, self.targets):
                self._queue_again(run, one.workflow_id)

    def _left_behind(self, run: Run, status: str = "PENDING") -> list[WorkflowStatus]:
        of_targets = DBOS.list_workflows(
            status=status, workflow_id_prefix=f"{run.id}/", load_input=False, load_output=False
        )
        of_run = DBOS.list_workflows(
            status=status, workflow_ids=[run.id], load_input=False, load_output=False
        )
        return [*of_run, *of_targets]

    def _queue_again(self, run: Run, workflow: str) -> None:
        DBOS.resume_workflow(workflow, queue_name=self.runs if workflow == run.id else self.targets)


_engines: list[Engine] = []  # the one of this process; DBOS calls the workflows without it


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
def perform_run(run: str) -> Json:
    """The whole of one run."""
    engine = _engine()
    names = tuple(each.name for each in engine.cutover.targets)
    durable = DurableSteps(engine, run)
    flow = CutoverFlow(Flow(durable), engine.cutover, names)
    change = engine.cutover.change
    old, new = (list(map(str, ranges)) for ranges in (change.old, change.new))
    durable.tell(
        "run-started",
        targets=list(names),
        app=engine.cutover.app,
        old=old,
        new=new,
        by=current_actor(),
    )
    sampler = TrafficSampler([engine.work(run, "").at(name) for name in names])
    sampler.start()
    ending = flow.run()
    sampler.finish()
    kept = asdict(ending)
    DBOS.run_step({"name": "end"}, _end, run, kept)
    return kept


@DBOS.workflow(name="target", max_recovery_attempts=None)
@left_open
def perform_on_target(run: str, action: str, target: str, arguments: Json) -> Json:
    """One action on one target."""
    step = _retire if action == "retire" else _on_target
    done: Json = DBOS.run_step({"name": action}, step, run, action, target, arguments)
    return done


@dataclass
class DurableSteps:
    """What the flow calls: every call is a step, or a workflow, that is recorded."""

    engine: Engine
    run: str
    _calls: int = 0

    def step(self, name: str, **arguments: object) -> Outcome:
        done = DBOS.run_step({"name": name}, _step, self.run, name, dict(arguments))
        return Outcome.model_validate(done)

    def on_targets(
        self, action: str, targets: Sequence[str], arguments: Mapping[str, Mapping[str, object]]
    ) -> Outcomes:
        self._calls += 1
        handles = {}
        for name in targets:
            given = dict(arguments.get(name, {}))
            org = self._org_of(name)
            with (
                SetWorkflowID(f"{self.run}/{self._calls}/{action}/{name}"),
                SetEnqueueOptions(queue_partition_key=org),
            ):
                handles[name] = DBOS.enqueue_workflow(
                    self.engine.targets, perform_on_target, self.run, action, name, given
                )
        return {
            name: Outcome.model_validate(handle.get_result(polling_interval_sec=_POLL_SECONDS))
            for name, handle in handles.items()
        }

    def pause(self, step: str, reason: str, message: str, next_: Text) -> bool:
        self._calls += 1
        done = DBOS.run_step(
            {"name": "pause"}, _pause, self.run, step, self._calls, reason, message, next_
        )
        return bool(done["approved"])

    def is_to_wait(self, step: str) -> bool:
        return bool(DBOS.run_step({"name": "is-to-wait"}, _is_to_wait, self.run, step))

    def canceled(self) -> bool:
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
def _step(run: str, name: str, arguments: Json) -> Json:
    work = _engine().work(run, name)
    return work.perform(lambda: STEPS[name](work, arguments)).model_dump(mode="json")


@left_open
def _on_target(run: str, step: str, target: str, arguments: Json) -> Json:
    work: TargetWork = _engine().work(run, step).at(target)
    with _engine().vigil(step):
        return work.perform(lambda: TARGET_STEPS[step](work, arguments)).model_dump(mode="json")


@left_open
def _retire(run: str, action: str, target: str, arguments: Json) -> Json:
    """A removal and its watch are one step to DBOS: between the two, nobody may be kept by a
    database that is away. How far it has come stands in the journal."""
    work = _engine().work(run, action).at(target)
    journal = VigilJournal(work.journal, target, work.journal.read())

    def perform(step: str, **more: object) -> Outcome:
        one = replace(work, step=step, journal=journal)
        return one.perform(lambda: TARGET_STEPS[step](one, {**arguments, **more}))

    with _engine().vigil(action), closing(journal):
        outcome = retire(replace(work, journal=journal), perform, time.sleep)
    return outcome.model_dump(mode="json")


@left_open
def _pause(run: str, step: str, number: int, reason: str, message: str, next_: Text) -> Json:
    return wait_for_approval(_engine().work(run, step), number, reason, message, next_)


@left_open
def _is_to_wait(run: str, step: str) -> bool:
    return step in _engine().store.find(run).options.pause_before


@left_open
def _is_canceled(run: str) -> bool:
    return _engine().store.requests(run).cancellation() is not None


@left_open
def _tell(run: str, kind: str, data: Json) -> None:
    _engine().store.journal(run).write(kind, None, None, data)


@left_open
def _end(run: str, ending: Json) -> None:
    """The last word of a run; said again after a crash, the first time counts."""
    engine = _engine()
    with BEFORE_LEAVING:
        if engine.store.end(run, ending):
            work = engine.work(run, "end")
            next_ = text_of(ending["next"])
            notify(work, str(ending["outcome"]), str(ending["message"]), next_)
            forget_switches(work)
