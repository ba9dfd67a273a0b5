"""A command that a signal interrupts: its last message, and whom it notifies."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sfcutover.allowlist.phases import Phase
from sfcutover.config.cutover import Target
from sfcutover.cutover.context import StepContext
from sfcutover.cutover.interruption import (
    QUERY_SECONDS,
    SentPackage,
    TargetNow,
    query_targets,
    sent_by,
)
from sfcutover.cutover.resources import LEAVING_SECONDS, SHUTDOWN_GUARD
from sfcutover.errors import (
    UNCHANGED,
    Advice,
    Command,
    InterruptedRunError,
    Text,
)
from sfcutover.output import cistep
from sfcutover.runs.event import EventList
from sfcutover.traffic.switch import SWITCH_IMPACT
from sfcutover.util.ciprovider import end_seconds
from sfcutover.util.signals import received, since_received

if TYPE_CHECKING:
    from sfcutover.cli.context import Invocation
    from sfcutover.runs.store import RunStore

_STATE_SECONDS = 2.0
# Time reserved for the rest if a CI system ends the process.
_END_SECONDS = 0.3
_WORDS_SECONDS = 2.0  # with notify
_READ_SECONDS = 3.0  # of the state and the orgs
_WATCHES = ("watch", Phase.RESTORE_OLD.value)  # steps of commands that follow a removal
_UNDONE = (Phase.REMOVE_OLD.value, Phase.RESTORE_OLD.value)


@dataclass
class Started:
    """What a command has started, which its last message reports.

    steps: those outside a run. deployments: earlier ones that it waits for. cancels: whether
    pending deployments are to be canceled. store: of the run that it executes, if any. unwatched:
    set at the end: targets whose old addresses are removed, or may be, and that no process watches.
    """

    steps: list[StepContext] = field(default_factory=list)
    deployments: list[SentPackage] = field(default_factory=list)
    cancels: bool = False
    store: RunStore | None = None
    unwatched: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Ending:
    """What is known when a command is interrupted, before an org is asked.

    at_risk: targets whose old addresses may be off, by what was done. run: its id, if it executes
    one. others: the places of other processes that continue it. switching: the direction of a
    switch command whose end the run has not seen. is_paused: True if the run awaits an approval.
    """

    targets: Sequence[Target] = ()
    sent: Sequence[SentPackage] = ()
    at_risk: Collection[str] = ()
    run: str = ""
    others: Sequence[str] = ()
    is_run: bool = False
    switching: str = ""
    is_paused: bool = False


def interrupted(run: Invocation) -> InterruptedRunError:
    """The error that the command ends with; notify and the run's journal hear of it.

    Takes less than END_SECONDS: finishing what must not be cut off, the look at the orgs, and
    notify have a limit each.
    """
    started = run.started
    ending = _of_command(run) if started.store is None else _of_run(run, started.store)
    if not ending.targets:
        return _nothing_sent(run)
    seconds = _at_most(QUERY_SECONDS, leaving=_WORDS_SECONDS)
    now = query_targets(
        run.cutover, ending.targets, ending.sent, cancels=started.cancels, seconds=seconds
    )
    unwatched = [
        each
        for each in now
        if each.target.name in ending.at_risk and each.holds_old(run.cutover) is not True
    ]
    if not ending.others:
        started.unwatched = tuple(each.target.name for each in unwatched)
    error = InterruptedRunError(
        "; ".join(_message(ending, now)),
        hint=_next(run, ending, now, unwatched),
        impact="; ".join(_impact(run, ending, now, unwatched)),
    )
    _tell(run, ending, error)
    return error


def _at_most(seconds: float, *, leaving: float) -> float:
    """So many seconds, or as many as leave so much until a CI system ends the process."""
    left = end_seconds() - since_received() - leaving
    return max(0.0, min(seconds, left))


def _of_command(run: Invocation) -> _Ending:
    started = run.started
    sent = list(started.deployments)
    for step in started.steps:
        for target in run.targets:
            sent += sent_by(step.memory, target.name)
    at_risk = {each.target for each in sent if each.phase in _UNDONE}
    if any(step.step in _WATCHES for step in started.steps):
        at_risk = {each.name for each in run.targets}
    names = at_risk | {each.target for each in sent}
    return _Ending([each for each in run.targets if each.name in names], sent, at_risk)


def _of_run(run: Invocation, store: RunStore) -> _Ending:
    """After other threads have finished what must not be cut off, and start nothing more."""
    from sfcutover.cutover.progress import RunProgress
    from sfcutover.cutover.runfollower import lists_at_risk
    from sfcutover.runs.background import BackgroundThread

    seconds = _at_most(LEAVING_SECONDS, leaving=_WORDS_SECONDS + _READ_SECONDS)
    if SHUTDOWN_GUARD:
        run.console.warn(
            f"interrupted: finishing what must not be cut off, at most {seconds:.0f} s"
        )
    SHUTDOWN_GUARD.close(seconds)
    names = [each.name for each in run.targets]
    found = BackgroundThread("last look").do(lambda: _read(store, run), _STATE_SECONDS)
    if found is None:
        return _Ending(run.targets, at_risk=names, is_run=True)
    identifier, events, others = found
    sent = [each for name in names for each in sent_by(events, name)]
    progress = RunProgress.of(events.events)
    cistep.step().catch_up(events.events, progress)
    at_risk = lists_at_risk(progress)
    switching = _switching(events)
    return _Ending(
        run.targets,
        sent,
        at_risk,
        identifier,
        others,
        is_run=True,
        switching=switching,
        is_paused=progress.pause is not None,
    )


def _switching(events: EventList) -> str:
    started = events.all("switching")[-1:]
    steps = [each for each in events.all("step-ended") if each.step in ("switch", "switch-back")]
    has_ended = any(each.seq > one.seq for one in started for each in steps)
    return "" if has_ended or not started else started[0].text("direction")


def _read(store: RunStore, run: Invocation) -> tuple[str, EventList, list[str]]:
    """The run that has not ended, what it told, and the other processes that take part."""
    active = store.active(run.cutover.name)
    here = f"{socket.gethostname()}, process {os.getpid()}"
    places = [each.place for each in store.alive(run.cutover.name)]
    events = EventList(store.journal(active.id).read() if active else [])
    return active.id if active else "", events, [each for each in places if each != here]


def _nothing_sent(run: Invocation) -> InterruptedRunError:
    moves_traffic = any(step.memory.all("switching") for step in run.started.steps)
    impact = SWITCH_IMPACT if moves_traffic else UNCHANGED
    hint = "run the same command again when ready"
    return InterruptedRunError(_head(), hint=hint, impact=impact)


def _head() -> str:
    name = received()
    return f"interrupted by {name}" if name else "interrupted"


def _message(ending: _Ending, now: Sequence[TargetNow]) -> Iterator[str]:
    yield _head()
    if ending.run:
        yield f"the run {ending.run} can be resumed"
    elif ending.is_run:
        yield "the state of the run could not be read, so what it has sent is unknown"
    if ending.switching:
        yield f"the switch command ({ending.switching}) has started, and continues by itself"
    for each in now:
        for package in each.sent:
            yield package.words


def _impact(
    run: Invocation, ending: _Ending, now: Sequence[TargetNow], unwatched: Sequence[TargetNow]
) -> Iterator[str]:
    for each in now:
        if each not in unwatched or not each.holds_only_new(run.cutover):
            yield each.words(run.cutover)
    if any(each.pending for each in now):
        yield "a pending deployment may still take effect"
    if unwatched:
        yield f"{_off(run, unwatched)}; {_watcher(ending)}"


def _off(run: Invocation, unwatched: Sequence[TargetNow]) -> str:
    certain = [each for each in unwatched if each.holds_old(run.cutover) is False]
    unknown = [each for each in unwatched if each not in certain]
    parts = [
        f"the old addresses {verb} removed from the allowlist of "
        f"{', '.join(one.target.name for one in some)}"
        for verb, some in (("are", certain), ("may have been", unknown))
        if some
    ]
    return ", and ".join(parts)


def _watcher(ending: _Ending) -> str:
    if ending.others:
        return f"other processes continue the run: {', '.join(ending.others)}"
    return "no process watches: if the org refuses a new address, customers are locked out"


def _next(
    run: Invocation, ending: _Ending, now: Sequence[TargetNow], unwatched: Sequence[TargetNow]
) -> Text:
    restore = ("; or restore the old addresses: ", run.command("rollback", "--yes"))
    if ending.is_run and unwatched:
        return Advice("either resume, to watch: ", Command("run"), *restore)
    if ending.is_run:
        approve = ("; approve, and resume: ", Command("approve")) if ending.is_paused else ()
        return Advice("resume: ", Command("run"), *approve, "; cancel: ", Command("cancel"))
    if unwatched:
        wait = [part for each in _waits(run, now) for part in ("wait: ", each, "; ")]
        return Advice(*wait, "either watch: ", run.command("watch"), *restore)
    waits = list(_waits(run, now))
    if waits:
        others = [part for each in waits[1:] for part in ("; ", each)]
        return Advice("wait for the deployment: ", waits[0], *others)
    return Advice("show what is live: ", *_looks(run, now))


def _waits(run: Invocation, now: Sequence[TargetNow]) -> Iterator[Command]:
    for each in now:
        for package in each.pending:
            if package.id is not None:
                yield run.command("deployment", "wait", package.id, target=package.target)


def _looks(run: Invocation, now: Sequence[TargetNow]) -> Iterator[str | Command]:
    phases = {each.target.name: [one.phase for one in each.sent if one.phase] for each in now}
    for number, (name, sent) in enumerate(phases.items()):
        yield from ("; ",) if number else ()
        yield run.command("diff", sent[-1] if sent else Phase.ADD_NEW.value, target=name)


def _tell(run: Invocation, ending: _Ending, error: InterruptedRunError) -> None:
    from sfcutover.cutover.notifiers import NOTIFY_SECONDS
    from sfcutover.cutover.operator import notify_and_wait

    words = f"{error.message}; {error.impact}"
    if ending.run:
        _write(run, ending.run, words)
    if not run.started.unwatched:
        return
    problems = notify_and_wait(
        run.cutover,
        ending.run,
        "interrupted",
        words,
        error.advice,
        run.console.note,
        _at_most(NOTIFY_SECONDS, leaving=_END_SECONDS),
    )
    for problem in problems:
        run.console.warn(problem)


def _write(run: Invocation, identifier: str, words: str) -> None:
    """For those who follow the run; a state that is away delays nothing."""
    from sfcutover.runs.background import BackgroundThread

    store = run.started.store
    if store is None:
        return
    journal = store.journal(identifier)
    data = {"message": words, "unwatched": list(run.started.unwatched)}
    BackgroundThread("last word").do(
        lambda: journal.write("interrupted", None, None, data), _STATE_SECONDS
    )
