"""Whether a step of a run may continue: cancellation, other runs of the allowlist, and the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from sfcutover.errors import LockLostError
from sfcutover.runs.database import Database
from sfcutover.runs.event import BOUND, CANCEL_REQUESTED
from sfcutover.runs.process import config_key
from sfcutover.runs.processlock import ProcessLock
from sfcutover.runs.runcontrol import ListClaimedError, RunControl
from sfcutover.runs.store import RunOptions, RunStore
from tests.unit.runs.working import ENDING, config_of, state_in

ORG = "00D000000000001AAA"
OpenRun = Callable[..., RunControl]


@pytest.fixture
def open_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenRun]:
    """A run of a cutover that this process executes, bound to an app; owner: of its workflow."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "machine"))
    with ExitStack() as stack:

        def open_(
            cutover: str,
            org: str = ORG,
            app: str = "Acme",
            at: Database = database,
            *,
            owner: bool = True,
        ) -> RunControl:
            store = RunStore(at)
            run = store.begin(cutover, config_of(cutover), RunOptions())
            journal = store.journal(run.id)
            journal.write(BOUND, None, None, {"organization_id": org, "app": app})
            lock = stack.enter_context(ProcessLock(at, cutover, "run", config_key(run.config)))
            return RunControl(lock, journal, lambda: owner)

        yield open_


def test_a_run_is_canceled_once_that_was_requested_of_it(open_run: OpenRun) -> None:
    control, other = open_run("move"), open_run("other")
    other.journal.write(CANCEL_REQUESTED, None, None, {})
    assert not control.is_canceled()
    assert other.is_canceled()


def test_a_list_to_which_a_run_is_bound_that_has_not_ended_is_refused(
    open_run: OpenRun, database: Database
) -> None:
    first, second = open_run("first"), open_run("second")
    with pytest.raises(ListClaimedError) as refused:
        second.claim_list(ORG, "Acme")
    assert refused.value.where == first.journal.run
    RunStore(database).end(first.journal.run, ENDING)
    second.claim_list(ORG, "Acme")


@pytest.mark.parametrize(("org", "app"), [("00D000000000002AAA", "Acme"), (ORG, "Other")])
def test_another_app_or_org_is_another_list(open_run: OpenRun, org: str, app: str) -> None:
    open_run("first", org, app)
    open_run("second").claim_list(ORG, "Acme")


def test_a_list_that_a_run_of_another_state_on_this_machine_changes_is_refused(
    open_run: OpenRun, tmp_path: Path
) -> None:
    open_run("first").claim_list(ORG, "Acme")
    with closing(Database.open(state_in(tmp_path / "another"))) as another:
        second = open_run("second", at=another)
        with pytest.raises(ListClaimedError, match="another state database on this machine"):
            second.claim_list(ORG, "Acme")
        second.claim_list(ORG, "Other")


def test_a_process_that_holds_the_lock_may_act(open_run: OpenRun) -> None:
    control = open_run("move")
    control.require_lock()
    control.require_lock_soon()


def test_a_process_whose_workflow_another_one_has_taken_may_not_act(open_run: OpenRun) -> None:
    control = open_run("move", owner=False)
    with pytest.raises(LockLostError, match="this process lost its lock"):
        control.require_lock()
    with pytest.raises(LockLostError, match="this process lost its lock"):
        control.require_lock_soon()


def test_a_process_that_holds_no_lock_may_not_act(database: Database) -> None:
    lock = ProcessLock(database, "move", "run", config_key(""))  # never acquired
    control = RunControl(lock, RunStore(database).journal("move.1"), lambda: True)
    with pytest.raises(LockLostError, match="this process lost its lock"):
        control.require_lock()
    with pytest.raises(LockLostError, match="this process lost its lock"):
        control.require_lock_soon()


def test_a_process_without_which_the_run_has_ended_may_not_act(
    open_run: OpenRun, database: Database
) -> None:
    control = open_run("move")
    RunStore(database).end(control.journal.run, ENDING)
    with pytest.raises(LockLostError, match="the run ended without this process"):
        control.require_lock()
