"""Whether addresses that are to be removed are still in use, as far as LoginHistory can say.

It shows the users of one org (Salesforce Help, LoginHistory), and customers log in to their own:
a redemption that it shows from an old address stops a removal, and its silence permits none. Rows
are compared with rows: they have one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.ranges import IpRange
from sfcutover.cutover.addressproof import History
from sfcutover.cutover.evidence import CanaryEvidence, Evidence, Shown
from sfcutover.cutover.redemptionerrors import StillInUseError
from sfcutover.salesforce.loginhistory import SUCCESS, Login
from sfcutover.util.clock import Clock
from sfcutover.util.serverclock import whole_second

_REASONS: dict[Shown, str] = {
    "incomplete": "the org's LoginHistory lacks redemptions that the canary made",
    "other-addresses": "the org's LoginHistory shows the canary's redemptions with other addresses",
    "unavailable": "LoginHistory is not available in the org",
    "other-org": "LoginHistory shows only this org's own users, and the canaries belong to other "
    "orgs",
    "complete": "LoginHistory shows only this org's own users",
}
_WORST_FIRST: tuple[Shown, ...] = ("unavailable", "other-addresses", "incomplete", "complete")
_SHORT_ID = 15  # characters of an id that is also written with 18


@dataclass(frozen=True)
class AddressUse:
    """What LoginHistory shows since the last redemption of a proof."""

    history: History
    evidence: Evidence

    def shown(self) -> Shown:
        """Whether it shows every redemption of the proof that its users made, with the addresses
        that were proven."""
        found = [shown_of(each, self.history) for each in self.evidence.own_canaries]
        return min(found, key=_WORST_FIRST.index, default="other-org")

    def await_shown(self, clock: Clock, seconds: float) -> Shown:
        """The same; rows that are late are waited for, at most these seconds."""
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
                hint="find what still uses these addresses and switch it to the new egress, then "
                "verify again",
                impact="nothing was removed; those redemptions still work",
            )

    def _last_proof(self) -> datetime:
        """The second of the canaries' last row; without one, the earliest it may have been in."""
        times = [
            login.time
            for canary in self.evidence.own_canaries
            for login in _from_proven(canary, _rows_of(canary, self.history) or ())
        ]
        return max(times, default=whole_second(self.evidence.end.earliest))


def shown_of(canary: CanaryEvidence, history: History) -> Shown:
    """Whether the LoginHistory of the canary's org shows each of its redemptions with a proven
    address. Raises NetworkError."""
    rows = _rows_of(canary, history)
    if rows is None:
        return "unavailable"
    placed, wanted = len(_from_proven(canary, rows)), canary.redemptions
    if placed >= wanted:
        return "complete"
    return "other-addresses" if not placed and len(rows) >= wanted else "incomplete"


def _rows_of(canary: CanaryEvidence, history: History) -> list[Login] | None:
    """A canary's rows from the time of its proof; None where the org shows nothing."""
    begin, end = whole_second(canary.begin.earliest), canary.end.latest
    user = canary.user_id or ""
    rows = history.redemptions(begin, user or None)
    if rows is None:
        return None
    return [
        each
        for each in rows
        if each.user_id[:_SHORT_ID] == user[:_SHORT_ID] != ""
        and each.status == SUCCESS
        and begin <= each.time <= end
    ]


def _from_proven(canary: CanaryEvidence, rows: Sequence[Login]) -> list[Login]:
    proven = {ip_address(each.address) for each in canary.addresses}
    return [each for each in rows if each.source in proven]


def doubt_of(phase: Phase, shown: Shown) -> str:
    """What the operator must know: LoginHistory is one org's, and customers log in to their own."""
    leaving = "old" if phase is Phase.REMOVE_OLD else "new"
    return f"nothing shows that customers have left the {leaving} addresses: {_REASONS[shown]}"
