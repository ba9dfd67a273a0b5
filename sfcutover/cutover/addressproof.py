"""Step 4: redeem through an egress until each of its addresses is proven.

The kinds of proof, best first: the org's own LoginHistory rows of these redemptions; a
proxy URL for each address; the application's own word for the address of each; else a run of
successes so long that a healthy pair can't have hidden an address, while the probe has shown them
all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sfcutover.allowlist.ranges import Address, Allowlist, IpRange
from sfcutover.cutover.egressobservation import hidden_probability, tries_needed
from sfcutover.cutover.evidence import AddressEvidence, Proof, is_same_org
from sfcutover.cutover.probe import ProbeResult, probe
from sfcutover.cutover.redemptionerrors import blocked, left_elsewhere, not_listed, refused
from sfcutover.errors import GateError, NetworkError, SfcutoverError
from sfcutover.salesforce.loginhistory import RESTRICTED, SUCCESS, Login
from sfcutover.traffic.egress import Egress
from sfcutover.traffic.proxyerrors import EgressError
from sfcutover.traffic.redemption import Redemption, RedemptionOutcome
from sfcutover.util.serverclock import ServerTime

_TURNS = 10  # rounds of the echo; addresses at random look like turns less than once in 10**5
Redeem = Callable[[Egress], Redemption]


class History(Protocol):
    """Where the org says which address a redemption came from."""

    def redemptions(self, since: datetime, user_id: str | None = None) -> list[Login] | None:
        """Redemptions since a second of the org's clock, the newest first; None where the org does
        not report it.

        Raises NetworkError for an org that can't be asked.
        """


@dataclass(frozen=True)
class Verified:
    """What was proven and how. last_proof: when the last redemption had succeeded. Both times are
    the org's. organization_id, user_id: whose grant it was; None where the token endpoint does not
    say."""

    proof: Proof
    started: ServerTime
    last_proof: ServerTime
    redemptions: int
    addresses: tuple[AddressEvidence, ...]
    uncertain: tuple[str, ...]
    organization_id: str | None = None
    user_id: str | None = None


@dataclass
class Verification:
    """One verification of one egress against one live list.

    per_address: an egress for each single address, where proxy URLs for them exist.
    redeem: one redemption by an egress, its rotated token stored. now: the org's time.
    history: of the org of the id history_of, with the time history_now; it shows the canary's
    redemptions only if the canary's user belongs to that org.
    probe: a probe of the egress, where it need not be one of its own.
    live: None where the allowlist can't be read, or is no part of the cutover. by_support: only
    Salesforce's support can change it.
    """

    egress: Egress
    per_address: Mapping[Address, Egress]
    echo_url: str
    live: Allowlist | None
    redeem: Redeem
    now: Callable[[], ServerTime]
    history: History
    history_of: str
    history_now: Callable[[], ServerTime]
    confidence: float
    by_support: bool = False
    on_redeemed: Callable[[int], None] = lambda _: None
    on_blocked: Callable[[Redemption], None] = lambda _: None
    probe: Callable[[], ProbeResult] | None = None
    _started: ServerTime = field(init=False)
    _history_started: ServerTime = field(init=False)
    _last_proof: ServerTime = field(init=False)
    _redeemed: list[Redemption] = field(default_factory=list, init=False)
    _first: dict[Address, datetime] = field(default_factory=dict, init=False)  # by its own word
    _known: frozenset[str] = field(default=frozenset(), init=False)

    def run(self) -> Verified:
        """Raises GateError naming the address that is blocked or was not proven, NetworkError
        where nothing can be concluded, and an EgressError where the proxy fails."""
        missing = self.live.uncovered(self.egress.expected) if self.live is not None else ()
        if missing:
            raise not_listed(missing)
        self._started = self.now()
        self._history_started = self.history_now()
        self._known = frozenset(login.id for login in self._logins())
        if set(self.wanted) <= set(self.per_address):
            return self._by_single_proxies()
        return self._by_run()

    @property
    def wanted(self) -> tuple[Address, ...]:
        """Every address that must be proven."""
        return tuple(address for entry in self.egress.expected for address in each_address(entry))

    def _by_single_proxies(self) -> Verified:
        first: dict[Address, datetime] = {}
        for address in self.wanted:
            egress = self.per_address[address]
            if (seen := egress.address(self.echo_url)) != address:
                raise GateError(
                    f"traffic through the proxy URL for {address} leaves from {seen}",
                    hint="correct per_address: in cutover.yaml",
                )
            self._redeem_once(egress, address)
            first[address] = self._last_proof.middle
        echoed = dict.fromkeys(self.wanted, 1)
        return self._verified("proxy-per-address", echoed, echoed, (), first)

    def _by_run(self) -> Verified:
        """The probe first, then nothing but redemptions: a balancer that takes turns would
        otherwise give all the one to one address and all the other to the other."""
        seen = self.probe() if self.probe else self._probe()
        seen.require_passed()
        echoed = seen.observation.counts
        needed = tries_needed(len(self.wanted), self.confidence)
        while len(self._redeemed) < needed:
            self._redeem_once(self.egress, None)
            if len(self._redeemed) % len(self.wanted) == 0 and (good := self._by_history()):
                counts = Counter(login.source for login in good)
                first = {login.source: login.time for login in good}  # the newest come first
                return self._verified("login-history", counts, echoed, (), first)
            if named := self._by_application():
                return self._verified("application", named, echoed, (), self._first)
        return self._verified("confidence", {}, echoed, self._uncertain(), {})

    def _probe(self) -> ProbeResult:
        return probe(self.egress, self.echo_url, confidence=self.confidence)

    def _redeem_once(self, egress: Egress, certain: Address | None) -> None:
        redemption = self.redeem(egress)
        if redemption.source is not None and redemption.source not in self.wanted:
            raise left_elsewhere(redemption.source, self.egress.name)
        if redemption.outcome is RedemptionOutcome.BLOCKED:
            address, how = self._blocked_address(certain or redemption.source)
            self.on_blocked(redemption)
            raise blocked(redemption, address, how, by_support=self.by_support)
        if redemption.outcome is not RedemptionOutcome.REDEEMED:
            raise refused(redemption)
        self._last_proof = self.now()
        self._redeemed.append(redemption)
        if redemption.source is not None:
            self._first.setdefault(redemption.source, self._last_proof.middle)
        self.on_redeemed(len(self._redeemed))

    def _blocked_address(self, certain: Address | None) -> tuple[str, str]:
        """The address a blocked redemption came from, and how that is known."""
        if certain is not None:
            own = certain in self.per_address
            return (
                str(certain),
                "its own proxy was used" if own else "as reported by the application",
            )
        with suppress(SfcutoverError):  # a block stays a block when its address cannot be found out
            for login in self._new_logins():
                if login.status == RESTRICTED and login.source in self.wanted:
                    return str(login.source), "LoginHistory"
        return self._guess()

    def _guess(self) -> tuple[str, str]:
        """Addresses that take turns tell whose turn it was; else it may have been any."""
        size = len(self.wanted)
        if size == 1:
            return str(self.wanted[0]), "the only address of this egress"
        if not self.egress.has_session:
            return self._any, "one of these; the egress command cannot tell which"
        try:
            turns = [self.egress.address(self.echo_url) for _ in range(_TURNS * size)]
        except EgressError as error:
            return self._any, f"one of these; the echo cannot tell which: {error.message}"
        if set(turns[:size]) == set(self.wanted) and turns[size:] == turns[:-size]:
            return (
                str(turns[-1]),
                f"most likely, as it comes before {turns[0]} in the rotation",
            )
        return self._any, "one of these; they do not alternate, so the echo cannot tell which"

    @property
    def _any(self) -> str:
        return " or ".join(map(str, self.wanted))

    def _by_history(self) -> list[Login]:
        """The org's own rows of these redemptions, once all are among them, the newest first."""
        good = [login for login in self._new_logins() if login.status == SUCCESS]
        if len(good) != len(self._redeemed) or self._user is None:
            return []  # rows are late, or others redeem as this user
        return good if {login.source for login in good} >= set(self.wanted) else []

    def _by_application(self) -> dict[Address, int] | None:
        """Redemptions by address as the application says it of each, once it has named all."""
        named = Counter(each.source for each in self._redeemed if each.source is not None)
        if named.total() != len(self._redeemed):
            return None
        return dict(named) if all(named[address] for address in self.wanted) else None

    @property
    def is_foreign(self) -> bool:
        """True for a canary of another org than the one whose LoginHistory can be read."""
        found = self._redeemed[-1].organization_id if self._redeemed else None
        return found is not None and not is_same_org(found, self.history_of)

    def _uncertain(self) -> tuple[str, ...]:
        tries = len(self._redeemed)
        chance = hidden_probability(len(self.wanted), tries)
        why = (
            f"its canary belongs to organization {self._redeemed[-1].organization_id}, whose "
            "LoginHistory is not read"
            if self.is_foreign
            else "LoginHistory did not show exactly these redemptions"
        )
        return (
            f"no redemption can be attributed to an address: {why}",
            f"{tries} succeeded in a row: the chance that one of {len(self.wanted)} evenly "
            f"balanced addresses was never used is at most {chance:.1e}",
        )

    def _new_logins(self) -> list[Login]:
        return [login for login in self._logins() if login.id not in self._known]

    def _logins(self) -> list[Login]:
        if self.is_foreign:
            return []
        try:
            return self.history.redemptions(self._history_started.earliest, self._user) or []
        except NetworkError:
            return []  # another kind of proof has to do

    @property
    def _user(self) -> str | None:
        return self._redeemed[-1].user_id if self._redeemed else None

    def _verified(
        self,
        proof: Proof,
        redeemed: Mapping[Address, int],
        echoed: Mapping[Address, int],
        uncertain: tuple[str, ...],
        first: Mapping[Address, datetime],
    ) -> Verified:
        addresses = tuple(
            AddressEvidence(
                address=str(address),
                redeemed=redeemed.get(address, 0),
                first=first.get(address),
                seen_by_echo=echoed.get(address, 0),
            )
            for address in self.wanted
        )
        last = self._redeemed[-1]
        return Verified(
            proof,
            self._started,
            self._last_proof,
            len(self._redeemed),
            addresses,
            uncertain,
            last.organization_id,
            last.user_id,
        )


def each_address(entry: IpRange) -> Iterator[Address]:
    """Every address of a range; a list's limit keeps this to 256."""
    kind = type(entry.start)
    return (kind(number) for number in range(int(entry.start), int(entry.end) + 1))
