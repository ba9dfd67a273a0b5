"""Step 4 against real sockets: what proves an address, and which failing address is named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from sfcutover.allowlist.ranges import Allowlist
from sfcutover.cutover.probe import probe
from sfcutover.cutover.redemptionerrors import CanaryError, UndecidedError
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from sfcutover.errors import ExitCode, GateError, NetworkError, SfcutoverError
from tests.integration.cutover.verifying import NEW, OLD, Canaries, ShiftedClock, ranges, set_list

RUNS = 100
SLOW_RUNS = 20  # each sends about fifty requests to the echo
LAG = 600  # seconds
AT_RANDOM = tuple(random.Random(7).choices(NEW, k=997))

Start = Callable[..., Canaries]


@pytest.fixture
def clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def start(clock: ShiftedClock) -> Iterator[Start]:
    """Starts orgs whose list holds old and new; keywords are the scenario's settings."""
    with ExitStack() as stack:

        def start(**settings: object) -> Canaries:
            scenario = Scenario.model_validate(settings)
            emulator = stack.enter_context(Emulator(scenario, tls=False, clock=clock))
            set_list(emulator, *OLD, *NEW)
            canaries = Canaries(emulator)
            stack.callback(canaries.org.close)
            return canaries

        yield start


@pytest.fixture
def start_lagging(start: Start, clock: ShiftedClock) -> Start:
    """An org whose allowlist holds all, but which enforces the previous one, without an address."""

    def start_(missing: str, **settings: object) -> Canaries:
        canaries = start(propagation_seconds=LAG, **settings)
        set_list(canaries.emulator, *(each for each in (*OLD, *NEW) if each != missing))
        clock.shift += timedelta(seconds=2 * LAG)
        set_list(canaries.emulator, *OLD, *NEW)
        return canaries

    return start_


def refusal(canaries: Canaries, *, single: bool = False) -> SfcutoverError:
    with pytest.raises(SfcutoverError) as caught:
        canaries.verification(single=single).run()
    return caught.value


# What is proven


def test_rows_of_login_history_prove_each_address(start: Start) -> None:
    verified = start().verification().run()
    assert verified.proof == "login-history"
    assert [(each.address, each.redeemed) for each in verified.addresses] == [
        (NEW[0], 1),
        (NEW[1], 1),
    ]
    assert verified.redemptions == 2
    assert verified.uncertain == ()


def test_a_proxy_for_each_address_proves_it(start: Start) -> None:
    canaries = start(login_history="unavailable")
    verified = canaries.verification(single=True).run()
    assert verified.proof == "proxy-per-address"
    assert [each.source for each in canaries.emulator.redemptions] == list(NEW)


@pytest.mark.parametrize("history", ["unavailable", "first_proxy_ip", "delayed"])
@pytest.mark.parametrize("egress", [NEW, AT_RANDOM], ids=["alternating", "random"])
def test_a_series_of_successes_uses_both_addresses(
    egress: tuple[str, ...], history: str, start: Start
) -> None:
    canaries = start(login_history=history, new_egress=egress)
    verified = canaries.verification().run()
    assert verified.proof == "confidence"
    assert verified.redemptions == 21
    assert {each.source for each in canaries.emulator.redemptions} == set(NEW)
    assert all(each.seen_by_echo for each in verified.addresses)
    assert "21 succeeded in a row" in verified.uncertain[1]


def test_rows_of_other_users_prove_nothing(start: Start) -> None:
    canaries = start()
    emulator = canaries.emulator
    others = Canaries(emulator)
    verification = canaries.verification()
    redeem = verification.redeem
    with others.egress().session() as session:

        def with_company(own: object) -> object:
            others._token = canaries._token
            done = others.redeem(session)  # of the same user, in the same moment
            canaries._token = others._token
            assert done.outcome == "redeemed"
            return redeem(own)  # type: ignore[arg-type]

        verification.redeem = with_company  # type: ignore[assignment]
        assert verification.run().proof == "confidence"


def test_an_org_without_login_history_leaves_the_other_kinds_of_proof(start: Start) -> None:
    canaries = start()
    canaries.emulator.set_fault(Fault(kind="http_503", operation="query", count=None))
    assert canaries.verification().run().proof == "confidence"


# What is refused


def test_an_unlisted_address_is_named_before_any_redemption(start: Start) -> None:
    canaries = start()
    for missing in NEW * (RUNS // 2):
        canaries.live = Allowlist(ranges(*OLD, *(each for each in NEW if each != missing)))
        for single in (False, True):
            error = refusal(canaries, single=single)
            assert error.exit_code is ExitCode.GATE
            assert error.message.startswith(f"{missing} is not on the live allowlist")
    assert canaries.emulator.redemptions == []


@pytest.mark.parametrize("missing", NEW)
def test_login_history_names_the_blocked_address_every_time(
    missing: str, start_lagging: Start
) -> None:
    canaries = start_lagging(missing, new_egress=AT_RANDOM)
    for _ in range(SLOW_RUNS // 2):
        error = refusal(canaries)
        assert error.exit_code is ExitCode.GATE
        assert error.message == f"a redemption from {missing} was blocked (LoginHistory)"


@pytest.mark.parametrize("missing", NEW)
def test_single_proxies_name_the_blocked_address_every_time(
    missing: str, start_lagging: Start
) -> None:
    canaries = start_lagging(missing, login_history="unavailable")
    for _ in range(RUNS // 2):
        error = refusal(canaries, single=True)
        assert error.exit_code is ExitCode.GATE
        assert error.message.startswith(f"a redemption from {missing} was blocked (its own proxy")


@pytest.mark.parametrize("missing", NEW)
def test_alternation_names_the_blocked_address_every_time(
    missing: str, start_lagging: Start
) -> None:
    canaries = start_lagging(missing, login_history="unavailable")
    for _ in range(SLOW_RUNS // 2):
        error = refusal(canaries)
        assert error.exit_code is ExitCode.GATE
        assert error.message.startswith(f"a redemption from {missing} was blocked (most likely")


@pytest.mark.parametrize("missing", NEW)
def test_a_random_egress_never_passes_and_names_no_wrong_address(
    missing: str, start_lagging: Start
) -> None:
    canaries = start_lagging(missing, login_history="unavailable", new_egress=AT_RANDOM)
    for _ in range(SLOW_RUNS // 2):
        error = refusal(canaries)
        assert error.exit_code is ExitCode.GATE
        assert f"a redemption from {NEW[0]} or {NEW[1]} was blocked" in error.message


def test_a_block_remains_a_block_if_the_echo_then_fails(start_lagging: Start) -> None:
    canaries = start_lagging(NEW[0], login_history="unavailable")
    verification = canaries.verification()
    redeem = verification.redeem

    def then_no_echo(session: object) -> object:
        fault = Fault(kind="http_503", operation="echo", count=None)
        canaries.emulator.set_fault(fault)
        return redeem(session)  # type: ignore[arg-type]

    verification.redeem = then_no_echo  # type: ignore[assignment]
    with pytest.raises(GateError, match=f"from {NEW[0]} or {NEW[1]} was blocked"):
        verification.run()


def test_rows_with_a_foreign_address_name_no_address(start_lagging: Start) -> None:
    canaries = start_lagging(NEW[1], login_history="first_proxy_ip")
    error = refusal(canaries)
    assert "10.0.0.1" not in error.message
    assert NEW[1] in error.message


def test_a_single_proxy_with_another_address_is_refused(start: Start) -> None:
    canaries = start()
    verification = canaries.verification(single=True)
    first, second = verification.per_address
    verification.per_address = {first: verification.per_address[second]} | {
        second: verification.per_address[first]
    }
    with pytest.raises(GateError, match=f"the proxy URL for {first} leaves from {second}"):
        verification.run()
    assert canaries.emulator.redemptions == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("token_expired", CanaryError),
        ("invalid_client", CanaryError),
        ("inactive_user", CanaryError),
        ("https_required", CanaryError),
        ("authentication_failure", UndecidedError),
        ("rate_limit", NetworkError),
        ("drop_after", NetworkError),
    ],
)
def test_other_failures_are_not_a_block(
    kind: str, error: type[SfcutoverError], start: Start
) -> None:
    canaries = start()
    canaries.emulator.set_fault(Fault.model_validate({"kind": kind, "operation": "redeem"}))
    found = refusal(canaries)
    assert type(found) is error
    assert "failed" in found.message
    assert "this proves nothing" in found.impact
    assert len(canaries.redeemed) == 1


def test_an_egress_that_hides_an_address_proves_nothing(start: Start) -> None:
    canaries = start(new_egress=NEW[:1])
    with pytest.raises(GateError, match=f"{NEW[1]} was not observed"):
        canaries.verification().run()
    assert canaries.emulator.redemptions == []


def test_the_old_egress_is_proven_in_the_same_way(start: Start) -> None:
    canaries = start()
    verified = canaries.verification(via="old").run()
    assert [each.address for each in verified.addresses] == list(OLD)
    assert probe(canaries.egress("old"), canaries.emulator.environment["SFCUTOVER_ECHO_URL"]).passed
