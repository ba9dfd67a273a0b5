"""sfcutover approve: approve the step that a paused run awaits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from sfcutover.allowlist.templates import Templates
from sfcutover.cli.context import Invocation, pass_invocation, templates_option
from sfcutover.cli.run import execute, require_not_forked, require_runnable
from sfcutover.cli.runs import find_run
from sfcutover.cutover.announcement import is_digest, shown_digest
from sfcutover.cutover.answers import APPROVED, approve
from sfcutover.cutover.progress import Pause, RunProgress
from sfcutover.cutover.runcontroller import RunController
from sfcutover.cutover.runfollower import failure_of_run
from sfcutover.cutover.stepnames import FORWARDS
from sfcutover.cutover.stepresult import ProblemKind
from sfcutover.errors import Advice, Command, ConfigError, GateError, StillRunningError
from sfcutover.runs.event import Event
from sfcutover.runs.processlock import RunningElsewhereError
from sfcutover.runs.store import Run, RunStore
from sfcutover.util.ciprovider import current_actor

_NOTHING_APPROVED = "nothing was approved; the allowlists stay as they are while the run is paused"


@click.command("approve")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--note", metavar="TEXT", help="Reason, which the journal and the report record.")
@click.option(
    "--step",
    type=click.Choice(FORWARDS),
    help="Approve only if the run is paused at this step.",
)
@click.option(
    "--expect",
    metavar="DIGEST",
    help="Approve only if the announced step has this digest, as plan and runs show it.",
)
@click.option(
    "--record-only",
    is_flag=True,
    help="Record the approval only; do not resume the run in this process.",
)
@templates_option
@pass_invocation
def command(
    invocation: Invocation,
    run_id: str | None,
    note: str | None,
    step: str | None,
    expect: str | None,
    record_only: bool,
    templates: Templates,
) -> None:
    """Approve the step at which a run is paused. ID is a run's, or a cutover's name for its
    newest run; by default, the newest run of cutover.yaml.

    The approval covers exactly what the run announced (its digest). It is void if the step
    would change anything else. If a process is executing the run, that process resumes it;
    otherwise this command does, as the run command would. The journal records who approved,
    when, and the note.
    """
    store, run = find_run(invocation, run_id)
    controller = RunController(invocation.cutover, store, invocation.resources, templates=templates)
    controller.require_mine(run)
    question = _question_of(store, run, step)
    _require_expected(run, question, expect)
    place = store.place(run)
    alive = place is not None
    if place is not None:
        _require_helpful(run, question, place)
    resumes_here = not (alive or record_only) and run.ended is None
    if resumes_here:
        require_runnable(invocation)
        controller.require_fit(run)
        require_not_forked(invocation, store, run)
    before = store.journal(run.id).newest()
    if question.open is not None:
        approve(store, run.id, question.open, current_actor(), note)
    by = f" already, by {question.approved_by}" if question.approved_by else ""
    invocation.console.note(f"approved{by}: {run.id}, {question.step}: {question.message}")
    if resumes_here:
        _execute(invocation, controller, run, before)
        return
    if run.ended is not None:
        progress = RunProgress.of(store.journal(run.id).read())
        if failure := failure_of_run(run, progress):
            raise failure
    follow = invocation.command_line("runs", run.id, "--follow")
    state = "the run resumes" if alive else "the run has ended" if run.ended else "recorded"
    invocation.console.data(f"approved; {state}: {follow}")


@dataclass(frozen=True)
class _Approvable:
    """A pause of a run. open: the pause if it is not approved; else approved_by names who did."""

    step: str
    message: str
    digest: str
    open: Pause | None = None
    approved_by: str = ""


def _question_of(store: RunStore, run: Run, step: str | None) -> _Approvable:
    """The pause of the run; if it is not paused at this step, the earlier approval of the step.

    Raises GateError if the run is paused at another step, ConfigError if it is not paused.
    """
    events = store.journal(run.id).read()
    pause = RunProgress.of(events).pause if run.ended is None else None
    if pause is not None and step in (None, pause.step):
        return _Approvable(pause.step, pause.message, pause.digest, open=pause)
    if (done := _approved_before(events, step)) is not None:
        return done
    if pause is not None:
        raise _other_step(run, pause, step)
    raise ConfigError(
        "the run is not paused, so there is nothing to approve",
        where=run.id,
        hint=Advice("show its status: ", Command("runs", run.id)),
    )


def _approved_before(events: Sequence[Event], step: str | None) -> _Approvable | None:
    """The newest approved pause of a step, unless its approval is void. step: None for the pause
    that was approved last, if the run has not resumed since."""
    void = {each.number("pause") for each in events if each.kind == "announcement-void"}
    answers = {each.number("pause"): each for each in events if each.kind == "approved"}
    if step is None and events and events[-1].kind == APPROVED:
        step = events[-1].step  # no process has continued the run since
    asked = [each for each in events if each.kind == "paused" and each.step == step]
    for each in reversed(asked):
        number = each.number("pause")
        if number in answers and number not in void:
            who, message = answers[number].text("who"), each.text("message")
            return _Approvable(each.step or "", message, each.text("digest"), approved_by=who)
    return None


def _require_expected(run: Run, question: _Approvable, expect: str | None) -> None:
    if expect is None or is_digest(expect, question.digest):
        return
    shown = shown_digest(question.digest) or "none, as this pause announces no step"
    raise GateError(
        f"the digest of {question.step} is not {expect}: {shown}",
        where=run.id,
        hint=Advice("show what the run announces: ", Command("runs", run.id)),
        impact=_NOTHING_APPROVED,
    )


def _require_helpful(run: Run, question: _Approvable, place: str) -> None:
    """Raises StillRunningError where the step would fail again: the process that would resume the
    run cannot receive the environment variable that it misses."""
    if question.open is None or question.open.reason != ProblemKind.ENVIRONMENT:
        return
    raise StillRunningError(
        f"the process that executes the run ({place}) cannot receive the variable: "
        f"{question.message}",
        where=run.id,
        hint=Advice(
            "stop that process, set the variable here, then approve again: ",
            Command("approve", run.id),
        ),
        impact=_NOTHING_APPROVED,
    )


def _other_step(run: Run, pause: Pause, step: str | None) -> GateError:
    return GateError(
        f"the run is paused at {pause.step}, not at {step}: {pause.message}",
        where=run.id,
        hint=Advice(
            "show its status: ",
            Command("runs", run.id),
            "; approve that step: ",
            Command("approve", run.id, "--step", pause.step),
        ),
        impact=_NOTHING_APPROVED,
    )


def _execute(invocation: Invocation, controller: RunController, run: Run, since: int) -> None:
    try:
        execute(invocation, controller, run, run.options, stay=None, since=since)
    except RunningElsewhereError as error:
        impact = "the approval is recorded, and the run resumes with it"
        raise error.replaced(impact=impact) from error
