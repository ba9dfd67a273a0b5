"""The workflows of a run, and its steps: each is executed once, and its result kept.

Workflows are asynchronous, so that a process that ends waits for none of them. Steps are
synchronous and have a thread each, which ends with the process: a step that is cut off is executed
again, and finds in the journal how far it had come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from sfcutover.config.cutover import Target
from sfcutover.cutover.announcement import Announced, outline
from sfcutover.cutover.answers import answer_to, ask
from sfcutover.cutover.context import StepContext, TargetContext
from sfcutover.cutover.dispatch import (
    ACTIONS,
    RESTORE,
    execute_action,
    execute_on_target,
    execute_step,
    parse_result,
)
from sfcutover.cutover.engine.client import RESULT_SECONDS, TOPIC
from sfcutover.cutover.engine.engine import Engine
from sfcutover.cutover.loginsampler import TrafficSampler
from sfcutover.cutover.monitor import SwitchMonitor
from sfcutover.cutover.operator import ending_event, notify
from sfcutover.cutover.resources import SHUTDOWN_GUARD
from sfcutover.cutover.stepresult import StepResult
from sfcutover.cutover.steprunner import (
    CHECKS,
    NO_ARGUMENTS,
    Approval,
    Flow,
    Question,
    StepArguments,
    StepResults,
)
from sfcutover.cutover.switch import forget_switches
from sfcutover.cutover.workflow import Workflow
from sfcutover.runs.event import CANCEL_REQUESTED
from sfcutover.runs.journal import BufferedJournal, Journal
from sfcutover.runs.store import RunOptions
from sfcutover.util.ciprovider import current_actor
from sfcutover.util.document import Document, text_of
from sfcutover.util.threads import call_in_thread

Json = dict[str, object]
OnTarget = Callable[[str, str, str, Json], Coroutine[object, object, Json]]
T = TypeVar("T")
_RECHECK_SECONDS = 600.0  # the message that wakes a run may be lost with its sender


def register_workflows(engine: Engine) -> Callable[[str], object]:
    """Make the workflows known to DBOS; a function that queues a run, by its id."""

    @DBOS.workflow(name="target", max_recovery_attempts=None)
    async def on_target(run: str, action: str, target: str, arguments: Json) -> Json:
        steps = TargetSteps(engine, run, DBOS.workflow_id or "")
        return await _alone(engine, lambda: steps.execute(action, target, arguments))

    @DBOS.workflow(name="cutover", max_recovery_attempts=None)
    async def cutover(run: str) -> Json:
        return await _alone(engine, DurableStepRunner(engine, run, on_target).execute)

    return lambda run: DBOS.enqueue_workflow(engine.runs, cutover, run)


async def _alone(engine: Engine, work: Callable[[], Awaitable[T]]) -> T:
    """The result of a workflow. A process that had lost it, and takes it again while its own steps
    are still at work, leaves it to others: the steps would not know of each other."""

    async def execute() -> T:
        with engine.executing(DBOS.workflow_id or ""):
            return await work()

    return await _or_left(engine, execute())


async def _or_left(engine: Engine, work: Awaitable[T]) -> T:
    """What can't be done here, as the disk is full or the database away, is left as it is for
    another try: DBOS would keep the error as the result. The engine's failure says why."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - the next process tries again
        engine.failure = error
        while True:
            await asyncio.sleep(_RECHECK_SECONDS)  # until this process ends


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.wrap_future(call_in_thread(work, "step"))


async def _once(engine: Engine, name: str, work: Callable[[], T]) -> T:
    """A step: executed once, and its result kept."""

    async def execute() -> T:
        return await _or_left(engine, _in_thread(work))

    return await DBOS.run_step_async({"name": name}, execute)


@dataclass(frozen=True)
class TargetSteps:
    """One action on a target. workflow: the id of the one that executes it."""

    engine: Engine
    run: str
    workflow: str

    async def execute(self, action: str, target: str, arguments: Json) -> Json:
        (found,) = self.engine.cutover.select_targets((target,))
        given = StepArguments.model_validate(arguments)
        execute = self._action if action in ACTIONS else self._step
        return await _once(self.engine, action, lambda: _as_json(execute(action, found, given)))

    def _step(self, step: str, target: Target, arguments: StepArguments) -> StepResult:
        context = self._context(step, target)
        return context.execute(lambda: execute_on_target(context, arguments))

    def _action(self, action: str, target: Target, arguments: StepArguments) -> StepResult:
        """Steps that are one step to DBOS: between a removal and its watch, or before a list is
        restored, a database that is away must delay nothing. The journal says how far they are."""
        context = self._context(action, target)
        journal = self.engine.store.journal(self.run)
        buffered = (
            journal.buffered(target.name)
            if action == RESTORE
            else BufferedJournal(journal, target.name, journal.read())  # what was sent is known
        )
        context = replace(context, memory=buffered)

        def execute(step: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
            one = replace(context, step=step)
            return one.execute(lambda: execute_on_target(one, arguments))

        with self.engine.unfinished(), closing(buffered):
            return execute_action(context, action, arguments, execute, time.sleep)

    def _context(self, step: str, target: Target) -> TargetContext:
        return self.engine.context(self.run, step, self.workflow).at(target)


@dataclass
class DurableStepRunner:
    """What the workflow of a run calls: every call is a step, or a workflow, whose result is
    kept. on_target: the workflow of one action on a target."""

    engine: Engine
    run: str
    on_target: OnTarget
    _calls: int = 0

    async def execute(self) -> Json:
        """The whole of one run."""
        cutover = self.engine.cutover
        names = tuple(each.name for each in cutover.targets)
        await self.tell(
            "run-started",
            targets=list(names),
            app=cutover.app,
            old=list(map(str, cutover.change.old)),
            new=list(map(str, cutover.change.new)),
            by=current_actor(),
        )
        context = await _in_thread(lambda: self._context(CHECKS))
        sampler = TrafficSampler([context.at(each) for each in cutover.targets])
        monitor = SwitchMonitor(context, lambda: self.engine.client.wake(self.run))
        sampler.start()
        monitor.start()
        result = asdict(await Workflow(Flow(self), cutover, names).run())
        await _in_thread(monitor.finish)
        await _in_thread(sampler.finish)
        await self._once("end", lambda: self._end(result))
        return result

    async def step(self, name: str, arguments: StepArguments = NO_ARGUMENTS) -> StepResult:
        def execute() -> Json:
            context = self._context(name)
            return _as_json(context.execute(lambda: execute_step(context, arguments)))

        return parse_result(name, await self._once(name, execute))

    async def on_targets(
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
                handles[name] = await DBOS.enqueue_workflow_async(
                    self.engine.targets, self.on_target, self.run, action, name, given
                )
        results = {
            name: await handle.get_result(polling_interval_sec=RESULT_SECONDS)
            for name, handle in handles.items()
        }
        return {name: parse_result(action, done) for name, done in results.items()}

    async def announce(self, step: str) -> Announced:
        done = await self._once("announce", lambda: _as_json(outline(step, self.engine.cutover)))
        return Announced.model_validate(done)

    async def pause(self, question: Question) -> Approval:
        """The journal has the question and its answer; a message says when to look for that."""
        self._calls += 1
        number = self._calls

        def look() -> Json | None:
            found = answer_to(self._context(question.step), number, question)
            return None if found is None else _as_json(found)

        await self._once("pause", lambda: ask(self._context(question.step), number, question))
        while (answer := await self._once("answer", look)) is None:
            await DBOS.recv_async(TOPIC, timeout_seconds=_RECHECK_SECONDS)
        return Approval.model_validate(answer)

    async def pauses_before(self, step: str) -> bool:
        return await self._once("pauses-before", lambda: step in self._options.pause_before)

    async def says_traffic_moved(self) -> bool:
        return await self._once("traffic-moved", lambda: self._options.traffic_moved)

    async def is_canceled(self) -> bool:
        return await self._once(
            "canceled", lambda: self._journal.last(CANCEL_REQUESTED) is not None
        )

    async def sleep(self, seconds: float) -> None:
        await DBOS.sleep_async(seconds)

    async def tell(self, kind: str, **data: object) -> None:
        await self._once(kind, lambda: self._journal.write(kind, None, None, data))

    async def _once(self, name: str, work: Callable[[], T]) -> T:
        return await _once(self.engine, name, work)

    def _end(self, result: Json) -> None:
        """The final event of a run; after a crash it is written again, and the first one counts."""
        with SHUTDOWN_GUARD:
            if self.engine.store.end(self.run, result):
                context, next_ = self._context("end"), text_of(result["next"])
                event = ending_event(str(result["outcome"]))
                notify(context, event, str(result["message"]), next_)
                forget_switches(context)

    def _context(self, step: str) -> StepContext:
        return self.engine.context(self.run, step, self.run)

    @property
    def _journal(self) -> Journal:
        return self.engine.store.journal(self.run)

    @property
    def _options(self) -> RunOptions:
        return self.engine.store.find(self.run).options

    def _org_of(self, target: str) -> str:
        """One deployment at a time goes to an org, whichever of its targets it is for."""
        (found,) = self.engine.cutover.select_targets((target,))
        return found.org.model_dump_json()


def _as_json(document: Document) -> Json:
    return document.model_dump(mode="json")
