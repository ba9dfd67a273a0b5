"""What a target was sent, or may have been, as the memory of a step knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sfcutover.allowlist.phases import Phase
from sfcutover.errors import Answer
from sfcutover.runs.event import Event

SENDING = "deployment-sending"
SENT = "deployment-sent"
NEVER_RECEIVED = "deployment-never-received"
PROGRESS = "deployment-progress"
BUSY = "org-busy"  # what was not done is tried again


class Events(Protocol):
    """Where earlier events can be found."""

    def all(self, kind: str, step: str | None = None, target: str | None = None) -> list[Event]:
        """Every event of a kind, of a step and a target, the oldest first."""


@dataclass(frozen=True)
class SentDeployments:
    """The deployments of one phase to one target, as the memory knows them.

    Before a package is sent, the org's newest deployment is noted; then the id it was given,
    or that the org never received it. A note with neither is open: the process died, or the
    answer was lost.
    """

    memory: Events
    target: str
    phase: Phase

    @property
    def ids(self) -> list[str]:
        """The ids the org has given, the oldest first."""
        return [each.text("id") for each in self._events(SENT)]

    @property
    def certain(self) -> list[str]:
        """Those that are this cutover's for certain: the org has given the id for its package."""
        sent = self._events(SENT)
        return [each.text("id") for each in sent if each.data.get("found") is not True]

    @property
    def standing(self) -> list[str]:
        """Those that took effect, or may: a condition that passes has ended the others, which
        have done nothing."""
        done_nothing = {
            each.text("id")
            for each in self.memory.all(PROGRESS, target=self.target)
            if each.text("answer") == Answer.PASSING
        }
        return [each for each in self.ids if each not in done_nothing]

    @property
    def latest_before(self) -> str | None:
        """The org's newest deployment before the last one was sent; None if it didn't say."""
        events = self._events(SENDING)
        return events[-1].text("latest") or None if events else None

    @property
    def is_open(self) -> bool:
        """True if a package was about to be sent, and its fate is unknown."""
        known = len(self._events(SENT)) + len(self._events(NEVER_RECEIVED))
        return known < len(self._events(SENDING))

    @property
    def may_exist(self) -> bool:
        """True if one was sent, or may have been, and may have taken effect."""
        return bool(self.standing) or self.is_open

    @property
    def ended(self) -> set[str]:
        """The ids of deployments to the target that are known to have ended."""
        return {
            each.text("id")
            for each in self.memory.all(PROGRESS, target=self.target)
            if each.data.get("done") is True
        }

    @property
    def may_still_land(self) -> bool:
        """True unless everything that was sent is known to have ended."""
        return self.is_open or not self.ended.issuperset(self.ids)

    def _events(self, kind: str) -> list[Event]:
        found = self.memory.all(kind, target=self.target)
        return [each for each in found if each.text("phase") == self.phase.value]
