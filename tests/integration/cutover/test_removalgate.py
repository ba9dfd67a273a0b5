"""The gate before a removal: which evidence counts, how long it waits, and when traffic is
quiet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from sfcutover.allowlist.phases import Phase
from sfcutover.allowlist.snapshot import Snapshot
from sfcutover.config.checks import QuietCheck
from sfcutover.config.verify import CANARY as NAME
from sfcutover.cutover.evidence import (
    AddressEvidence,
    CanaryEvidence,
    Evidence,
    ProvenList,
    Wanted,
    evidence_lists,
)
from sfcutover.cutover.quiet import QuietPeriod
from sfcutover.cutover.redemptionerrors import NotQuietError, StillInUseError, UnseenTrafficError
from sfcutover.cutover.removalgate import RemovalGate, RemovalPermit, require_permit
from sfcutover.cutover.targetverification import TargetVerification
from sfcutover.emulator.faults import Fault
from sfcutover.errors import GateError, NetworkError
from sfcutover.salesforce.connection import Connection
from sfcutover.salesforce.loginhistory import Login
from sfcutover.util.serverclock import ServerTime
from tests.integration.cutover.verifying import NEW, OLD, ranges, set_list
from tests.support import FakeTime, OpenConnection, StartEmulator
from tests.unit.cutover.proven import canary_evidence, evidence, with_canary

PROVEN = datetime(2026, 11, 23, 12, 0, 0, 700000, tzinfo=UTC)
CANARY, OTHER = "005000000000001AAA", "005000000000002AAA"
ORG = "00D000000000001AAA"
WANTED = Wanted(
    "Acme_Connector",
    ORG,
    "new",
    addresses=tuple(map(ip_address, NEW)),
    canaries=(NAME,),
    confidence=0.999999,
    max_age=timedelta(hours=24),
)


@dataclass
class Rows:
    """A LoginHistory with these rows: seconds after the proof's whole second, and an address.

    own: the canary's two rows, which appear after this many seconds. None: there is no answer.
    """

    time: FakeTime
    rows: Iterable[tuple[float, str]] | None = ()
    own: Sequence[str] = NEW
    late: float = 0.0

    def redemptions(self, since: datetime, user_id: str | None = None) -> list[Login] | None:
        if self.rows is None:
            return None
        own = [(0.0, source, CANARY) for source in self.own if self.time.seconds >= self.late]
        every = [*own, *((at, source, OTHER) for at, source in self.rows)]
        start = PROVEN.replace(microsecond=0)
        return [
            Login(str(n), start + timedelta(seconds=at), ip_address(source), "Success", user)
            for n, (at, source, user) in enumerate(every)
            if user_id in (None, user) and start + timedelta(seconds=at) >= since
        ]


@dataclass
class Waiting:
    """A gate whose clocks a test advances."""

    settle: float = 60.0
    passed: float = 0.0  # of the org's time since the proof
    rows: Iterable[tuple[float, str]] | None = ()
    own: Sequence[str] = NEW
    late: float = 0.0
    quiet: str = ""  # a program that reports whether customers have left
    time: FakeTime = field(default_factory=FakeTime)
    left: list[float] = field(default_factory=list)

    def permit(
        self, evidence: Evidence | None = None, proven_at: float | None = None
    ) -> RemovalPermit:
        gate = RemovalGate(
            Phase.REMOVE_OLD,
            WANTED,
            removed=ranges(*OLD),
            settle=self.settle,
            late=60.0,
            history=Rows(self.time, self.rows, self.own, self.late),
            now=lambda: ServerTime.around(PROVEN + timedelta(seconds=self.passed), 0.0),
            clock=self.time.clock,
            quiet=self._quiet,
            countdown=self.left.append,
        )
        return gate.permit(evidence or evidence_with(), Snapshot(()), proven_at)

    @property
    def _quiet(self) -> QuietPeriod | None:
        if not self.quiet:
            return None
        check = QuietCheck.model_validate({"command": [self.quiet], "for": "20s"})
        return QuietPeriod((check,), self.time.clock)


def evidence_with(**changes: object) -> Evidence:
    names = (set(changes) & set(CanaryEvidence.model_fields)) - set(Evidence.model_fields)
    of_canary = {name: changes.pop(name) for name in names}
    of_canary = {"uncertainty": 0.0, "user_id": CANARY} | of_canary
    made = with_canary(evidence(canary_evidence(NEW, PROVEN)), **of_canary)
    return made.model_copy(update=changes)


# The wait


def test_the_gate_waits_for_settle_and_reports_every_second() -> None:
    waiting = Waiting(settle=3)
    assert waiting.permit().reason == "2 addresses proven by the org's LoginHistory"
    assert waiting.left == [3, 2, 1]
    assert waiting.time.seconds == 3


@pytest.mark.parametrize(("passed", "waits"), [(0, 60), (18.5, 41.5), (60, 0), (3600, 0)])
def test_the_gate_waits_only_for_the_rest_of_settle(passed: float, waits: float) -> None:
    waiting = Waiting(passed=passed)
    waiting.permit()
    assert waiting.time.seconds == pytest.approx(waits)


@pytest.mark.parametrize("jump", [-86400.0, 86000.0])
def test_a_clock_that_jumps_during_the_wait_changes_nothing(jump: float) -> None:
    waiting = Waiting()
    waiting.time.on_pause = lambda: setattr(waiting, "passed", jump)
    waiting.permit()
    assert waiting.time.seconds == 60


@pytest.mark.parametrize("jump", [-59.0, 86000.0])
def test_a_clock_that_jumped_does_not_shorten_the_wait_after_our_own_proof(jump: float) -> None:
    waiting = Waiting(passed=jump)
    waiting.time.seconds = 110
    waiting.permit(proven_at=100)
    assert waiting.time.seconds == 160


def test_a_clock_that_is_behind_never_extends_the_wait_beyond_settle() -> None:
    waiting = Waiting(passed=-59)
    waiting.permit()
    assert waiting.time.seconds == 60


# Evidence that does not count


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"app": "Other"}, "it is for app Other"),
        ({"via": "old"}, "it proves the old egress"),
        (
            {"lists": {"a list": ProvenList(sha256="another")}},
            "the live allowlist has changed since",
        ),
        ({"addresses": []}, f"it does not prove {NEW[0]}, {NEW[1]}"),
        ({"addresses": evidence_with().canaries[0].addresses[:1]}, f"it does not prove {NEW[1]}"),
        (
            {
                "addresses": [
                    AddressEvidence(address=one, redeemed=0, seen_by_echo=9) for one in NEW
                ]
            },
            "it does not prove",
        ),
        (
            {"proof": "confidence", "redemptions": 20},
            "its run of redemptions is too short for 0.999999",
        ),
    ],
)
def test_evidence_that_does_not_prove_this_list_is_refused(
    changes: dict[str, object], part: str
) -> None:
    waiting = Waiting()
    with pytest.raises(GateError, match=f"is not valid: {part}") as caught:
        waiting.permit(evidence_with(**changes))
    assert caught.value.exit_code == 5
    assert waiting.left == []


@pytest.mark.parametrize(("passed", "part"), [(86401, "older than 1 day"), (-61, "in the future")])
def test_evidence_expires(passed: float, part: str) -> None:
    with pytest.raises(GateError, match=part):
        Waiting(passed=passed).permit()


def test_proof_by_many_successes_counts() -> None:
    seen = [AddressEvidence(address=one, redeemed=0, seen_by_echo=18) for one in NEW]
    evidence = evidence_with(proof="confidence", redemptions=21, addresses=seen)
    waiting = Waiting(own=[NEW[0]] * 21)
    assert waiting.permit(evidence).reason == (
        "2 addresses proven by a series of successful redemptions long enough to have used each "
        "address"
    )


# Quiet traffic


@pytest.mark.parametrize("at", [0, 1, 59])
def test_redemptions_from_old_addresses_after_the_proof_are_named(at: float) -> None:
    waiting = Waiting(rows=[(at, OLD[1]), (at, OLD[0]), (at, NEW[0])])
    with pytest.raises(StillInUseError, match=f"still come from {OLD[0]}, {OLD[1]}$"):
        waiting.permit()


def test_redemptions_before_the_proof_do_not_count() -> None:
    rows = [(-1, OLD[0]), (5, NEW[0]), (5, "192.0.2.64")]
    permit = Waiting(rows=rows, quiet="true").permit()
    assert permit.doubt is None
    require_permit(Phase.REMOVE_OLD, permit)


def test_clock_uncertainty_does_not_count_earlier_redemptions() -> None:
    """The canary's own row shows which second it was."""
    evidence = evidence_with(uncertainty=0.9)
    assert Waiting(rows=[(-1, OLD[0])], quiet="true").permit(evidence).doubt is None


@pytest.mark.parametrize(
    ("rows", "own", "why"),
    [
        (None, NEW, "LoginHistory is not available in the org"),
        ((), (), "the org's LoginHistory lacks redemptions that the canary made"),
        ((), NEW[:1], "the org's LoginHistory lacks redemptions that the canary made"),
        ((), ("10.0.0.1",) * 2, "shows the canary's redemptions with other addresses"),
        ((), NEW, "LoginHistory shows only this org's own users"),
    ],
)
def test_missing_login_history_requires_the_answer_of_the_operator(
    rows: Iterable[tuple[float, str]] | None, own: Sequence[str], why: str
) -> None:
    permit = Waiting(rows=rows, own=own).permit()
    assert permit.doubt is not None
    assert permit.doubt.startswith("nothing shows that customers have left the old addresses: ")
    assert permit.doubt.endswith(why)
    with pytest.raises(UnseenTrafficError, match="nothing shows") as caught:
        require_permit(Phase.REMOVE_OLD, permit)
    assert caught.value.exit_code == 5
    answered = permit.answered("--traffic-moved")
    require_permit(Phase.REMOVE_OLD, answered)
    assert "--traffic-moved" in answered.reason


def test_a_redemption_counts_although_the_canary_rows_are_missing() -> None:
    with pytest.raises(StillInUseError):
        Waiting(rows=[(1, OLD[0])], own=()).permit()


def test_a_canary_without_a_user_id_leaves_quiet_unproven() -> None:
    assert Waiting().permit(evidence_with(user_id=None)).doubt is not None


def test_late_rows_are_awaited_and_others_may_be_as_late() -> None:
    waiting = Waiting(settle=3, late=23)
    assert "only this org's own users" in str(waiting.permit().doubt)
    assert 23 + 3 <= waiting.time.seconds < 23 + 3 + 3


def test_a_canary_of_another_org_is_not_expected_in_the_rows() -> None:
    foreign = with_canary(evidence_with(), organization_id="00D000000000009AAA")
    waiting = Waiting(own=(), settle=3)
    assert str(waiting.permit(foreign).doubt).endswith("the canaries belong to other orgs")
    assert waiting.time.seconds == 3


# Quiet checks


def test_a_quiet_check_answers_after_it_was_true_for_its_duration() -> None:
    waiting = Waiting(own=(), rows=None, settle=3, quiet="true")
    permit = waiting.permit()
    require_permit(Phase.REMOVE_OLD, permit)
    assert permit.reason.endswith("; true passed for 20 s (exit status 0)")
    assert 23 <= waiting.time.seconds < 23 + 3


def test_a_failing_quiet_check_fails_the_gate_after_a_limited_time() -> None:
    waiting = Waiting(settle=3, quiet="false")
    with pytest.raises(NotQuietError, match=r"still use the old addresses: .* false failed"):
        waiting.permit()
    assert 63 <= waiting.time.seconds < 63 + 3


def test_the_countdown_of_several_quiet_checks_is_that_of_the_longest() -> None:
    time, left = FakeTime(), list[float]()
    checks = [
        QuietCheck.model_validate({"command": ["true"], "for": each}) for each in ("30s", "20s")
    ]
    QuietPeriod(checks, time.clock, left.append).require()
    assert (left[0], time.seconds) == (30.0, 30.0)


def test_late_rows_are_awaited_for_at_most_a_minute() -> None:
    waiting = Waiting(settle=3, late=3600)
    assert waiting.permit().doubt is not None
    assert 60 < waiting.time.seconds < 75


# Against an org


@pytest.fixture
def connection(start_emulator: StartEmulator, open_connection: OpenConnection) -> Connection:
    emulator = start_emulator()
    set_list(emulator, *OLD, *NEW)
    return open_connection(emulator)


def own(connection: Connection, live: Snapshot, **changes: object) -> Evidence:
    """Evidence of now for the live allowlist."""
    about = {"organization_id": connection.organization_id, "lists": evidence_lists(live, None)}
    now = connection.org.now()
    times = {"started": now.middle, "last_proof": now.middle, "uncertainty": now.uncertainty}
    return evidence_with(**(about | times | changes))


def test_settle_is_measured_by_the_clock_of_the_org(
    connection: Connection, time_: FakeTime
) -> None:
    left: list[float] = []
    verification = TargetVerification(connection, countdown=left.append, clock=time_.clock)
    live = connection.read()
    evidence = own(connection, live, redemptions=0)  # so that no row is expected
    permit = verification.permit(Phase.REMOVE_OLD, evidence, live)
    assert permit.phase is Phase.REMOVE_OLD
    assert 1.5 < time_.seconds <= 3.0  # settle, and the uncertainty of the org's clock
    assert left[0] == pytest.approx(time_.seconds)


def test_the_gate_asks_about_the_addresses_that_its_phase_removes(connection: Connection) -> None:
    verification = TargetVerification(connection)
    assert verification.gate(Phase.REMOVE_OLD).removed == connection.cutover.change.old
    assert verification.gate(Phase.REMOVE_NEW).removed == connection.cutover.change.new


def test_a_list_that_changed_since_makes_evidence_stale(
    connection: Connection, time_: FakeTime
) -> None:
    evidence = own(connection, connection.read())
    component = connection.read().carriers[0]
    other = Snapshot((component.with_allowlist(component.allowlist.add(ranges("192.0.2.1"))),))
    with pytest.raises(GateError, match="the live allowlist has changed since"):
        TargetVerification(connection, clock=time_.clock).permit(Phase.REMOVE_OLD, evidence, other)


def test_an_unreachable_org_is_not_taken_for_quiet(
    start_emulator: StartEmulator, open_connection: OpenConnection, time_: FakeTime
) -> None:
    emulator = start_emulator()
    connection = open_connection(emulator)
    live = connection.read()
    emulator.set_fault(Fault(kind="http_503", operation="query", count=None))
    verification = TargetVerification(connection, clock=time_.clock)
    with pytest.raises(NetworkError):
        verification.permit(Phase.REMOVE_OLD, own(connection, live), live)
