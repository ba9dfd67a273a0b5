"""What any process asks of the workflow engine: which workflows there are, wake one, move one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from dbos import DBOSClient, WorkflowStatus
from dbos import DBOSPortableJSONSerializer as JsonSerializer
from dbos import error as dbos_error

from sfcutover.runs.database import Database
from sfcutover.runs.store import Run, RunStore

APPLICATION = "sfcutover"
TOPIC = "answers"  # of the messages that wake a run: the journal has what they are about
POLL_SECONDS = 0.1
RESULT_SECONDS = 0.05  # between two polls for the result of an action, one query each
TARGETS_AT_ONCE = 10  # by one process: the others take the rest
T = TypeVar("T")


def remove_runs(store: RunStore, runs: Sequence[Run]) -> None:
    """Remove ended runs, with their journals and what DBOS has kept of them."""
    client = EngineClient(store.database)
    for run in runs:
        client.remove(run.id)
    store.remove(runs)


class EngineClient:
    """Beside a database whose tables of DBOS exist. Every method raises what the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._client = DBOSClient(
            system_database_engine=database.engine,
            serializer=JsonSerializer(),
            application_name=APPLICATION,
            lazy=True,
            retry_connection_errors=False,
        )

    def register_queues(self, runs: str, targets: str) -> None:
        """Queues for runs, and for actions on targets: one at a time for an org."""
        self._ask(lambda: self._client.register_queue(runs, polling_interval_sec=POLL_SECONDS))
        self._ask(
            lambda: self._client.register_queue(
                targets,
                partition_concurrency=1,
                worker_concurrency=TARGETS_AT_ONCE,
                polling_interval_sec=POLL_SECONDS,
            )
        )

    def wake(self, run: str) -> None:
        """Wake a waiting run, so that it reads its journal again."""
        with suppress(
            dbos_error.DBOSNonExistentWorkflowError
        ):  # it has not started, so it does not wait
            self._ask(lambda: self._client.send(run, "look", TOPIC))

    def unfinished(self, run: str) -> list[WorkflowStatus]:
        """The workflows of a run that are executed, or queued."""
        return [each for each in self._all(run) if each.status in ("PENDING", "ENQUEUED")]

    def is_executed_by(self, workflow: str, executor: str) -> bool:
        """True while a process executes a workflow."""
        found = self._ask(
            lambda: self._client.list_workflows(
                workflow_ids=[workflow], load_input=False, load_output=False
            )
        )
        return any(each.status == "PENDING" and each.executor_id == executor for each in found)

    def queue(self, workflow: str, queue: str) -> None:
        """Queue a workflow that another process has left."""
        self._ask(lambda: self._client.resume_workflow(workflow, queue_name=queue))

    def remove(self, run: str) -> None:
        """Remove the workflows of a run that has ended."""
        ids = [each.workflow_id for each in self._all(run)]
        self._ask(lambda: self._client.delete_workflows(ids))

    def _all(self, run: str) -> list[WorkflowStatus]:
        def look() -> list[WorkflowStatus]:
            list_ = self._client.list_workflows
            own = list_(workflow_ids=[run], load_input=False, load_output=False)
            targets = list_(workflow_id_prefix=f"{run}/", load_input=False, load_output=False)
            return [*own, *targets]

        return self._ask(look)

    def _ask(self, work: Callable[[], T]) -> T:
        return self._database.patiently(work)
