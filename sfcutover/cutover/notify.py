"""Calling a person: in the journal, which every view shows, and by the notify command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import Cutover
from sfcutover.config.values import secret_variables
from sfcutover.cutover.step import BEFORE_LEAVING, CanceledError, Evidence, Work
from sfcutover.errors import Advice, Command, Text, written
from sfcutover.util.processes import child_environment, run_in_group

NOTIFY_SECONDS = 10.0
TRIES_A_PAGE = 10  # of putting addresses back; then a person is called again
LARGEST_PAUSE_SECONDS = 60.0  # between two such tries


def pause_after(tries: int) -> float:
    """Seconds until addresses are put back once more."""
    return min(LARGEST_PAUSE_SECONDS, 2.0 ** min(tries, 6))


def page(work: Work, message: str, commands: Sequence[Command]) -> Evidence:
    """Say what is wrong and give the exact commands."""
    parts = [part for command in commands for part in ("; ", command)]
    with BEFORE_LEAVING:
        work.tell("page", message=message, commands=list(commands))
        notify(work, "page", message, Advice(*parts[1:]))
    return {"message": message, "commands": list(map(asdict, commands))}


def notify(work: Work, event: str, message: str, next_: Text) -> None:
    """Run cutover.yaml's notify command; that it fails is worth a note, and stops nothing."""
    argv = work.cutover.notify
    if argv is None:
        return
    facts = {
        "SFCUTOVER_RUN": work.journal.run,
        "SFCUTOVER_EVENT": event,
        "SFCUTOVER_MESSAGE": message,
        "SFCUTOVER_NEXT": written(next_, work.cutover.file),
    }
    try:
        environment = child_environment(secret_variables(work.cutover), facts)
        ended = run_in_group(argv, environment, timeout=NOTIFY_SECONDS, output=work.note)
        failed = str(ended) if ended.cut_short or ended.status else ""
    except OSError as error:
        failed = str(error.strerror)
    if failed:
        work.note(f"the notify command {shlex.join(argv[:1])} failed: {failed}")


def wait_for_approval(work: Work, number: int, reason: str, message: str, next_: Text) -> Evidence:
    """approved: True, with who, when and their note; False for a run that is canceled.

    number: of the pause within the run, so that one that is begun again is the same pause.
    """
    earlier = [each for each in work.journal.all("paused") if each.number("pause") == number]
    seq = earlier[0].seq if earlier else 0
    if not earlier:
        with BEFORE_LEAVING:
            seq = work.tell("paused", pause=number, reason=reason, message=message, next=next_)
            notify(work, "paused", message, Advice(Command("approve", work.journal.run)))
    while True:
        if (approval := work.requests.approval_of(seq)) is not None:
            said = {"who": approval.who, "time": approval.time, "note": approval.note}
            work.tell("approved", pause=number, **said)
            return {"approved": True, **said}
        try:
            work.clock.pause(_LOOK_SECONDS)
        except CanceledError:
            return {"approved": False}


_LOOK_SECONDS = 0.3


def announcement(step: str, cutover: Cutover, targets: Sequence[str]) -> str:
    """For one of the steps a run may wait before. targets: their names."""
    new, old = _listed(cutover.change.added), _listed(cutover.change.removed)
    lists = f"the list{'s' if len(targets) > 1 else ''} of {', '.join(targets)}"
    match step:
        case "add-new":
            return f"it puts {new} on {lists}"
        case "switch":
            return f"{_moves(cutover)}; traffic then leaves by {_listed(cutover.change.new)}"
        case "verify":
            return f"it redeems through each of {_listed(cutover.change.new)}"
        case "remove-old":
            return f"it takes {old} off {lists}"
    raise ValueError(step)


def _moves(cutover: Cutover) -> str:
    if cutover.switch is None or not cutover.switch.apply:
        return "a person moves the traffic"
    return f"it runs {shlex.join(cutover.switch.apply)}"


def _listed(ranges: Sequence[IpRange]) -> str:
    return ", ".join(map(str, ranges)) or "nothing"
