"""What a run has sent to an org, or may have, as its journal knows it.

Before a package is sent, the org's newest deployment is noted; then the id it was given, or
that the org refused it. A note with neither is open: the process died, or the answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from sfcutover.allowlist.phases import Phase
from sfcutover.runs.journal import Event, Journal

SENDING = "deployment-sending"
SENT = "deployment-sent"
UNSEEN = "deployment-unseen"
PROGRESS = "deployment-progress"


@dataclass(frozen=True)
class Sendings:
    """The deployments of one phase to one target."""

    journal: Journal
    target: str
    phase: Phase

    @property
    def sent(self) -> list[str]:
        """The ids the org has given, the oldest first."""
        return [each.text("id") for each in self._events(SENT)]

    @property
    def latest_before(self) -> str | None:
        """The org's newest deployment before the last one was sent; None if it didn't say."""
        events = self._events(SENDING)
        return events[-1].text("latest") or None if events else None

    @property
    def is_open(self) -> bool:
        """True if a package was about to be sent, and nobody knows what became of it."""
        known = len(self._events(SENT)) + len(self._events(UNSEEN))
        return known < len(self._events(SENDING))

    @property
    def may_still_land(self) -> bool:
        """True unless everything that was sent is known to be over."""
        over = {
            each.text("id")
            for each in self.journal.all(PROGRESS, target=self.target)
            if each.data.get("done") is True
        }
        return self.is_open or not over.issuperset(self.sent)

    def _events(self, kind: str) -> list[Event]:
        found = self.journal.all(kind, target=self.target)
        return [each for each in found if each.text("phase") == self.phase.value]
