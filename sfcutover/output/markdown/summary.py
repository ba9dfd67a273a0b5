"""The parts of a CI step's summary: an error, what was deployed, a run's steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sfcutover.allowlist.plan import PhaseDocument
from sfcutover.cutover.progress import RunProgress
from sfcutover.cutover.rundocument import RunStepDocument
from sfcutover.errors import EXIT_CODE_MEANINGS, SfcutoverError
from sfcutover.output.console import error_text
from sfcutover.output.markdown.detail import LEVELS
from sfcutover.output.markdown.gfm import block, code, table
from sfcutover.output.markdown.phases import change_lines, changes_of
from sfcutover.output.text import duration
from sfcutover.salesforce.results import ResultDocument


def failure_markdown(error: SfcutoverError) -> str:
    """A heading, and the error as the log has it."""
    head = f"### Exit {int(error.exit_code)}: {EXIT_CODE_MEANINGS[error.exit_code]}"
    return _text([head, "", *block(error_text(error).split("\n"), "text")])


def deployed_markdown(target: str, phase: PhaseDocument) -> str:
    """What was deployed to a target: the entries added and removed, and the fields changed."""
    lines = change_lines(changes_of([(target, phase)]), LEVELS[0], 1)
    return _text(["### Deployed", "", *lines])


def deployments_markdown(done: Sequence[tuple[str, str, ResultDocument]]) -> str:
    """The ids and times of deployments. done: target, phase and result of each."""
    head = ("deployment", "target", "phase", "status", "sent", "took")
    rows = [
        (
            code(each.id),
            code(target),
            phase,
            code(each.status),
            each.created_date or "",
            _between(each.created_date, each.completed_date),
        )
        for target, phase, each in done
    ]
    return _text(["### Deployments", "", *table(head, rows)])


def steps_markdown(run: str, progress: RunProgress) -> str:
    """A run's steps, with the time that each took."""
    head = ("step", "target", "state", "started", "took")
    steps = [RunStepDocument.of(each, "running") for each in progress.steps.values()]
    rows = [
        (
            each.step,
            code(each.target) if each.target else "",
            each.state,
            each.started,
            _between(each.started, each.ended),
        )
        for each in steps
    ]
    return _text([f"### Run {code(run)}", "", *table(head, rows)])


def _between(start: str | None, end: str | None) -> str:
    if start is None or end is None:
        return ""
    passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return duration(passed.total_seconds())


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
