"""A pause: the run waits, for hours if need be, until a person approves or cancels it."""

from __future__ import annotations

from sfcutover.steps.paging import notify
from sfcutover.steps.underway import BEFORE_LEAVING
from sfcutover.steps.work import CanceledError, Evidence, Work


def wait_for_approval(work: Work, number: int, reason: str, message: str, next_: str) -> Evidence:
    """approved: True, with who, when and their note; False for a run that is canceled.

    number: of the pause within the run, so that one that is begun again is the same pause.
    """
    earlier = [each for each in work.journal.all("paused") if each.number("pause") == number]
    seq = earlier[0].seq if earlier else 0
    if not earlier:
        with BEFORE_LEAVING:
            seq = work.tell("paused", pause=number, reason=reason, message=message, next=next_)
            notify(work, "paused", message, f"sfcutover approve {work.journal.run}")
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
