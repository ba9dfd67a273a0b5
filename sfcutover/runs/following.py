"""A run, followed as it goes: by the process that performs it, or by one that looks on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sfcutover.runs.events import Event
from sfcutover.runs.journal import Journal
from sfcutover.runs.progress import RunProgress
from sfcutover.runs.store import RunStore
from sfcutover.runs.threads import BackgroundThread

GIVE_UP_SECONDS = 600.0  # so long a process keeps trying to put addresses back
_LOOK_SECONDS = 0.1
_LOOKS_FOR_NOBODY = 20


class View(Protocol):
    """Shows a run as it goes.

    whole: True if it also shows what was before this process took part.
    """

    @property
    def whole(self) -> bool:
        """As above."""

    def show(self, event: Event, progress: RunProgress) -> None:
        """One more event."""

    def tick(self, progress: RunProgress) -> None:
        """Time has passed."""


def follow(
    store: RunStore,
    run: str,
    view: View,
    *,
    leave: bool,
    check: Callable[[], None] | None = None,
    nobody: Callable[[], bool] = lambda: False,
    since: int = 0,
) -> RunProgress:
    """Show a run until it has ended, or with leave, until it waits for a person.

    check: of the process that performs it: raises why it can't go on. A database that is away
    then ends nothing, as a list may be watched meanwhile. A rollback that fails is left after
    10 minutes. nobody: of a process that only looks on: True if nobody performs it any more.
    since: the event behind which something is news; a log holds what was before it already.
    Raises what reading raises.
    """
    journal, progress, seq, looks = store.journal(run), RunProgress(), 0, 0
    paged_at: float | None = None
    lane = None if check is None else BackgroundThread("journal")
    while True:
        for event in _read(journal, seq, lane):
            seq = event.seq
            progress.apply(event)
            if event.seq > since or view.whole:
                view.show(event, progress)
            if event.kind == "page" and paged_at is None:
                paged_at = time.monotonic()
        view.tick(progress)
        if check is not None:
            check()
        given_up = paged_at is not None and time.monotonic() > paged_at + GIVE_UP_SECONDS
        if progress.ended or given_up or (leave and _waits(store, run, progress)):
            return progress
        looks += 1
        if looks % _LOOKS_FOR_NOBODY == 0 and nobody():
            return progress
        time.sleep(_LOOK_SECONDS)


def _read(journal: Journal, seq: int, lane: BackgroundThread | None) -> list[Event]:
    """lane: of a process that goes on whatever the database does, and obeys Ctrl-C."""
    if lane is None:
        return journal.read(seq)
    return lane.do(lambda: journal.read(seq)) or []


def _waits(store: RunStore, run: str, progress: RunProgress) -> bool:
    """True if the run waits, and nobody has said anything yet."""
    if progress.pause is None:
        return False
    requests = store.requests(run)
    return requests.approval_of(progress.pause.seq) is None and requests.cancellation() is None
