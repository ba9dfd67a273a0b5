"""Results as text for a terminal: deployments, proofs and runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from sfcutover.allowlist.phases import DONE_OR_SWAPPED
from sfcutover.config.verify import called
from sfcutover.errors import Advice, Command, Text
from sfcutover.output.console import shown

if TYPE_CHECKING:
    from sfcutover.cutover.evidence import CanaryEvidence, Evidence
    from sfcutover.cutover.probe import ProbeResult
    from sfcutover.cutover.rundocument import RunDocument, RunStepDocument, RunStepState
    from sfcutover.cutover.stepdocuments import DeployTargetDocument
    from sfcutover.cutover.watchtrigger import RoundDocument
    from sfcutover.salesforce.results import DeployResult

AWAITING_APPROVAL, ACTION_REQUIRED = "AWAITING APPROVAL", "ACTION REQUIRED"
_RUN_COLORS = {"done": "green", "failed": "red", "rolled-back": "red", "canceled": "yellow"}
_VERDICT_COLORS = {"passed": "green", "failed": "red"}
_MARKS: dict[RunStepState, str] = {
    "done": "ok",
    "failed": "FAILED",
    "running": "running",
    "interrupted": "interrupted",
    "skipped": "skipped",
    "unproven": "unproven",
}
_WIDEST_MARK = max(map(len, _MARKS.values()))

KEYS = "type a and Enter to approve, or c and Enter to cancel the run"

_FACTS = {
    "restore-old": "the old addresses are allowed again",
    "remove-new": "the addresses that this cutover added are off the allowlist",
    "restore-policies": "the policies are as they were before the cutover",
}
_NEXT: dict[str, Text] = {
    "add-new": (
        "move your traffic to the new addresses and verify each by a redemption. The allowlist "
        "holds old and new addresses until then; keep the old ones"
    ),
    "remove-old": Advice(
        "monitor redemptions: ",
        Command("watch"),
        "; restore the old addresses if they fail: ",
        Command("rollback"),
    ),
}

RESTORED = Advice(
    "check that redemptions succeed; only if they still fail through the new egress: ",
    Command("switch", "--revert"),
)
"""What follows once the old addresses are restored on every target."""
_WITHOUT_LISTS = Advice(
    "to restore the earlier policies: ",
    Command("rollback", "--to", "baseline"),
)


def deployed_text(deployed: DeployTargetDocument, *, is_watched: bool = False) -> str:
    """What happened, and what to do next. is_watched: the same command watches."""
    phase, target = deployed.phase.phase, deployed.target
    done = click.style("done:", fg="green", bold=True)
    ids = ", ".join(deployed.deployment_ids)
    match deployed.outcome:
        case "no-change" if any(each.endswith(DONE_OR_SWAPPED) for each in deployed.phase.notes):
            return f"{done} nothing was deployed to {target}: {DONE_OR_SWAPPED}"
        case "no-change":
            return f"{done} {phase} is already live on {target}; nothing was deployed"
        case "validated":
            return f"{done} {target} would accept {phase} (validation {ids}); nothing was changed"
        case "started":
            return f"started {ids} on {target}\nnext: {deployed.follow_up}"
        case _:
            return _live(deployed, done, ids, is_watched)


def _live(deployed: DeployTargetDocument, done: str, ids: str, is_watched: bool) -> str:
    phase = deployed.phase.phase
    how = ids or "the answer was lost; the allowlist was read back"
    lines = [f"{done} {phase} is live on {deployed.target}, read back from the org ({how})"]
    lines += [f"  differs: {each}" for each in deployed.differences]
    for component in deployed.live:
        lines.append(f"  {component.carrier}: {', '.join(each.range for each in component.ranges)}")
    is_of_lists = deployed.live or phase == "restore-policies"
    if is_of_lists and phase in _FACTS:
        lines.append(f"  {_FACTS[phase]}")
    next_ = _NEXT.get(phase) if is_of_lists else _WITHOUT_LISTS
    return "\n".join([*lines, *([f"next: {shown(next_)}"] if next_ and not is_watched else [])])


def result_text(result: DeployResult) -> str:
    """A deployment as the org reports it, with everything that went wrong."""
    lines = [
        f"deployment {result.id}: {result.status}",
        f"  components: {result.components_deployed} of {result.components_total}, "
        f"{result.component_errors} errors",
    ]
    lines += [f"  created:    {result.created_date} by {result.created_by}"]
    lines += [f"  completed:  {result.completed_date}"] if result.completed_date else []
    lines += ["  validation only: nothing was changed"] if result.check_only else []
    lines += [f"  error: {result.error_message}"] if result.error_message else []
    lines += [f"  error: {message}" for message in result.failures]
    lines += [
        f"  test failed: {each.name}.{each.method}: {each.message}" for each in result.test_failures
    ]
    lines += [f"  warning: {message}" for message in result.warnings]
    return "\n".join(lines)


def probe_text(result: ProbeResult) -> str:
    """Every address, observed or missing, and what remains uncertain."""
    counts = result.observation.counts
    width = max((len(str(each)) for each in (*counts, *result.missing)), default=0)
    lines = [click.style(f"{result.egress.name}: {result.egress.way}", bold=True)]
    for address in result.seen:
        unexpected = address in result.unexpected
        mark, color = ("UNEXPECTED", "red") if unexpected else ("ok        ", "green")
        answers = f"{counts[address]} answer{'s' if counts[address] > 1 else ''}"
        lines.append(f"  {click.style(mark, fg=color)}  {address!s:<{width}}  {answers}")
    for entry in result.missing:
        lines.append(f"  {click.style('MISSING   ', fg='red')}  {entry!s:<{width}}  not observed")
    if result.observation.errors:
        failed = click.style("FAILED    ", fg="red")
        lines.append(f"  {failed}  {len(result.observation.errors)} of {result.observation.tries}")
    verdict = "passed" if result.passed else "not passed"
    lines.append(f"  = {verdict}; {result.certainty}")
    return "\n".join(lines)


def evidence_text(evidence: Evidence) -> str:
    """One line an address, then the kind of proof and what it leaves open."""
    head = click.style(f"{evidence.target}: {evidence.via} egress proven", bold=True)
    lines = [head]
    for canary in evidence.canaries:
        lines += [f"  {called(canary.canary)}"] if len(evidence.canaries) > 1 else []
        lines += _canary_lines(canary)
    lines += [f"  open: {sentence}" for sentence in evidence.uncertain]
    return "\n".join(lines)


def _canary_lines(canary: CanaryEvidence) -> Iterator[str]:
    width = max(len(each.address) for each in canary.addresses)
    for each in canary.addresses:
        known = f"{each.redeemed} redeemed, " if each.redeemed else ""
        ok = click.style("ok", fg="green")
        yield f"  {ok}  {each.address:<{width}}  {known}{each.seen_by_echo} seen by the probe"
    yield f"  = {canary.redemptions} redemptions; proof: {canary.proven_by}"
    yield from (f"  open: {sentence}" for sentence in canary.uncertain)


def runs_text(runs: Sequence[RunDocument]) -> str:
    """The newest first."""
    if not runs:
        return "no runs"
    width = max(len(run.id) for run in runs)
    return "\n".join(_run_line(run, width) for run in runs)


def run_text(run: RunDocument) -> str:
    """One run: its state, its steps with times, what comes next."""
    lines = [_run_line(run, len(run.id)), *map(_step_line, run.steps)]
    if run.deployments:
        lines.append(f"  deployments: {', '.join(run.deployments)}")
    if run.message:
        lines.append(f"  {run.message}")
    return "\n".join(lines)


def _run_line(run: RunDocument, width: int) -> str:
    state = click.style(run.state, fg=_RUN_COLORS.get(run.state))
    parts = [f"{run.id:<{width}}  {run.started[:19]}Z  {state}"]
    if run.ended is not None:
        parts.append(f"after {duration(_seconds(run.started, run.ended))}")
    if run.exit_code:
        parts.append(f"exit {run.exit_code}")
    if run.place:
        parts.append(f"on host {run.place}")
    if run.waits_for:
        approve = shown(Command("approve", run.id))
        parts.append(f"paused: {run.waits_for}; approve: {approve}")
    return "\n".join(["  ".join(parts), *_interruption(run), *_risk(run)])


def _interruption(run: RunDocument) -> Iterator[str]:
    """Where an interrupted run has stopped, and how it resumes."""
    if run.state != "interrupted":
        return
    open_ = dict.fromkeys(step.step for step in run.steps if step.state == "interrupted")
    where = f"at {', '.join(open_)}" if open_ else "between two steps"
    yield f"  stopped {where}: no process is executing it"
    if not run.unwatched:
        yield f"  resume: {shown(Command('run'))}"


def _risk(run: RunDocument) -> Iterator[str]:
    """That the old addresses may be off an allowlist that no process monitors."""
    if run.unwatched:
        names = ", ".join(run.unwatched)
        yield (
            f"  WARNING: the old addresses may be missing from the allowlist of {names}, and no "
            "process monitors it"
        )
        restore = f"restore the old addresses: {shown(Command('rollback', '--yes'))}"
        if run.state == "interrupted":
            yield f"  either resume, to watch: {shown(Command('run'))}"
            yield f"  or {restore}"
        else:
            yield f"  to {restore}"


def _step_line(step: RunStepDocument) -> str:
    took = duration(_seconds(step.started, step.ended)) if step.ended else ""
    name = f"{step.step}{f' {step.target}' if step.target else ''}"
    again = f"  ({step.tries} tries)" if step.tries > 1 else ""
    problem = f"  {step.problem}" if step.problem else ""
    time = f"{step.started[11:19]}Z"
    return f"  {time}  {took:>7}  {_MARKS[step.state]:<{_WIDEST_MARK}}  {name}{again}{problem}"


def _seconds(started: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def duration(seconds: float) -> str:
    """``0.3 s``, ``42 s``, ``1:05``, ``2:01:05``."""
    if seconds < 10:  # noqa: PLR2004 - below, a tenth of a second tells something
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{int(seconds)} s"
    return clock(seconds)


def clock(seconds: float) -> str:
    """``0:42``, ``12:31``, ``2:01:05``: for what is still running."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def round_text(done: RoundDocument) -> str:
    """One round of a watch: its time, and the result of each source."""
    results = ", ".join(
        f"{each.name} {click.style(each.verdict, fg=_VERDICT_COLORS.get(each.verdict, 'yellow'))}"
        + (f" ({each.detail})" if each.verdict != "passed" else "")
        for each in done.results
    )
    time = datetime.fromisoformat(done.time)
    return f"{time:%H:%M:%SZ} {done.elapsed:6.1f} s  {results}"
