"""Calling a person: in the journal, which every view shows, and by the notify command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from sfcutover.config.values import secret_variables
from sfcutover.steps.underway import BEFORE_LEAVING
from sfcutover.steps.work import Evidence, Work
from sfcutover.util.hints import pasteable
from sfcutover.util.processes import child_environment, run_in_group

NOTIFY_SECONDS = 10.0
TRIES_A_PAGE = 10  # of putting addresses back; then a person is called again
LARGEST_PAUSE_SECONDS = 60.0  # between two such tries


def pause_after(tries: int) -> float:
    """Seconds until addresses are put back once more."""
    return min(LARGEST_PAUSE_SECONDS, 2.0 ** min(tries, 6))


def page(work: Work, message: str, commands: Sequence[str]) -> Evidence:
    """Say what is wrong and give the exact commands."""
    with BEFORE_LEAVING:
        work.tell("page", message=message, commands=list(commands))
        notify(work, "page", message, "; ".join(commands))
    return {"message": message, "commands": list(commands)}


def notify(work: Work, event: str, message: str, next_: str) -> None:
    """Run cutover.yaml's notify command; that it fails is worth a note, and stops nothing."""
    argv = work.cutover.notify
    if argv is None:
        return
    facts = {
        "SFCUTOVER_RUN": work.journal.run,
        "SFCUTOVER_EVENT": event,
        "SFCUTOVER_MESSAGE": message,
        "SFCUTOVER_NEXT": pasteable(next_),
    }
    try:
        environment = child_environment(secret_variables(work.cutover), facts)
        ended = run_in_group(argv, environment, timeout=NOTIFY_SECONDS, output=work.note)
        failed = str(ended) if ended.cut_short or ended.status else ""
    except OSError as error:
        failed = str(error.strerror)
    if failed:
        work.note(f"the notify command {shlex.join(argv[:1])} failed: {failed}")
