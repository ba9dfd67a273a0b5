"""Whether addresses that are to be removed are still in use, as far as LoginHistory can say.

It is believed about others only where it shows every redemption of the canary, each with its
address; else its silence says nothing. Rows are compared with rows: they have one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.addressproof import History
from sfcutover.cutover.evidence import Evidence, Shown
from sfcutover.cutover.redemptionerrors import StillInUseError
from sfcutover.salesforce.loginhistory import SUCCESS, Login
from sfcutover.util.clock import Clock
from sfcutover.util.serverclock import whole_second

_REASONS: dict[Shown, str] = {
    "incomplete": "its LoginHistory lacks redemptions that the canary has made",
    "other-addresses": "its LoginHistory shows the canary's redemptions with other addresses",
    "unavailable": "the org shows no LoginHistory",
}
_SHORT_ID = 15  # characters of an id that is also written with 18


@dataclass(frozen=True)
class AddressUse:
    """What LoginHistory shows since the last redemption of a proof."""

    history: History
    evidence: Evidence

    def shown(self) -> Shown:
        """Whether it shows every redemption of the proof, with the addresses that were proven."""
        rows = self._rows_of_canary()
        if rows is None:
            return "unavailable"
        placed, wanted = len(self._from_proven(rows)), self.evidence.redemptions
        if placed >= wanted:
            return "complete"
        return "other-addresses" if not placed and len(rows) >= wanted else "incomplete"

    def await_shown(self, clock: Clock, seconds: float) -> Shown:
        """The same; rows that are late are waited for, at most so many seconds."""
        shown: Shown = "incomplete"
        for _ in clock.polls(seconds):
            if (shown := self.shown()) != "incomplete":
                break
        return shown

    def require_quiet(self, removed: Sequence[IpRange]) -> None:
        """Raise StillInUseError for a redemption from these addresses since the last proof.

        LoginTime has whole seconds, so the one of the last proof counts as a whole.
        """
        since = self._last_proof()
        busy = {
            str(login.source)
            for login in self.history.redemptions(since) or ()
            if login.time >= since
            and any(entry.contains(IpRange(login.source, login.source)) for entry in removed)
        }
        if busy:
            raise StillInUseError(
                f"redemptions still come from {', '.join(sorted(busy))}",
                hint="find what still leaves from there and switch it over, then verify again",
                impact="nothing was removed; those redemptions still work",
            )

    def _last_proof(self) -> datetime:
        """The second of the canary's last row; without one, the earliest it may have been in."""
        rows = self._from_proven(self._rows_of_canary() or ())
        earliest = whole_second(self.evidence.end.earliest)
        return max((each.time for each in rows), default=earliest)

    def _rows_of_canary(self) -> list[Login] | None:
        """The canary's rows from the time of the proof; None where the org shows nothing."""
        begin, end = whole_second(self.evidence.begin.earliest), self.evidence.end.latest
        user = self.evidence.canary_user_id or ""
        rows = self.history.redemptions(begin, user or None)
        if rows is None:
            return None
        return [
            each
            for each in rows
            if each.user_id[:_SHORT_ID] == user[:_SHORT_ID] != ""
            and each.status == SUCCESS
            and begin <= each.time <= end
        ]

    def _from_proven(self, rows: Sequence[Login]) -> list[Login]:
        proven = {ip_address(each.address) for each in self.evidence.addresses}
        return [each for each in rows if each.source in proven]


def doubt_of(phase: Phase, shown: Shown) -> str | None:
    """What the operator must know where nothing says that customers have left."""
    if shown == "complete":
        return None
    leaving = "old" if phase is Phase.REMOVE_OLD else "new"
    return f"nothing shows that customers have left the {leaving} addresses: {_REASONS[shown]}"
