"""What stands below a step: which targets fail, and what is under way, with its bar. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sfcutover.output.livelines import Line, Span, Style, Weight, clock
from sfcutover.output.livelook import Look
from sfcutover.runs.progress import Deployment, StepState

NAMED = 3  # of many targets: so many have a line of their own
_BAR = 12
_INDENT = 4


def detail_lines(look: Look, states: Sequence[StepState]) -> Iterator[Line]:
    """Of one step on all its targets. What fails comes first, then what is the last to end."""
    failed = [_problem(look, state) for state in states if state.mark == "failed"]
    yield from _some(failed, "not done", "bad")
    running = [state for state in states if state.mark == "running"]
    several = len(look.progress.targets) > 1
    lagging = (_under_way(look, state, several) for state in sorted(running, key=_begun))
    yield from _some([line for line in lagging if line], "under way", "dim")


def deployments_of(look: Look, step: str) -> list[Deployment]:
    """Those that a step has sent, the newest last."""
    return [each for each in look.progress.deployments.values() if each.step == step]


def restored_by_watch(look: Look, states: Sequence[StepState]) -> bool:
    """True if the watch itself has put the old addresses back on all these targets."""
    sent = deployments_of(look, "watch")
    done = {each.target for each in sent if each.status == "Succeeded"}
    return all(state.target in done for state in states)


def _begun(state: StepState) -> float:
    return state.begun


def _some(lines: Sequence[Line], what: str, style: Style) -> Iterator[Line]:
    """The first few, and how many more there are."""
    yield from lines[:NAMED]
    if (more := len(lines) - NAMED) > 0:
        weight = max(line.weight for line in lines)
        yield Line.of(f"and {more} more {what}", style, weight, _INDENT)


def _problem(look: Look, state: StepState) -> Line:
    mark, word = look.marks.failed, "NOT DONE"
    style: Style = "bad"
    if state.undecided:
        mark, word, style = look.marks.undecided, "UNDECIDED", "warn"
    place = f"{state.target}: " if state.target else ""
    text = f"{mark.strip()} {place}{word}: {state.problem}"
    return Line.of(text, style, Weight.ALARM, _INDENT, whole=look.left)


def _under_way(look: Look, state: StepState, several: bool) -> Line | None:
    sent = [each for each in deployments_of(look, state.name) if _is_of(each, state)]
    since = f"  {clock(look.now - state.begun)}" if several else ""
    place = f"{state.target}{since}  " if state.target else ""
    if sent:
        spans: tuple[Span, ...] = ((place, ""), *_bar(look, sent[-1], state))
        return Line(spans, Weight.RUNNING, _INDENT)
    if several or (state.detail and state.name != "watch"):  # which has a line of its own
        return Line.of(f"{place}{state.detail}", "dim", Weight.DETAIL, _INDENT)
    return None


def _is_of(deployment: Deployment, state: StepState) -> bool:
    """True if it belongs to this try, or is one of an earlier try that this one waits for."""
    same = deployment.target == state.target
    return same and (deployment.sent >= state.begun or not deployment.done)


def _bar(look: Look, deployment: Deployment, state: StepState) -> tuple[Span, ...]:
    marks = look.marks
    filled = _BAR * deployment.deployed // max(1, deployment.total)
    counts = f" {deployment.deployed}/{deployment.total}" if deployment.total else ""
    phase = "" if deployment.phase == state.name else f"{deployment.phase} "
    shown = deployment.done and deployment.status not in state.detail
    said = f"  {state.detail}" if shown else ""
    return (
        (phase, "bold"),
        (marks.full * filled, "good"),
        (marks.empty * (_BAR - filled), "dim"),
        (f"{counts}  {deployment.status}  {deployment.id}{said}", ""),
    )
