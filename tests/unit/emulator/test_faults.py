from __future__ import annotations

import pytest
from pydantic import ValidationError

from sfcutover.emulator.faults import OF_A_REDEMPTION, Fault, FaultBoard


def fault(kind: str, operation: str = "any", **more: object) -> Fault:
    return Fault.model_validate({"kind": kind, "operation": operation, **more})


def test_a_fault_counts_its_occurrences_after_those_skipped() -> None:
    board = FaultBoard([fault("slow", "deploy", skip=1, count=2)])
    hits = [board.strike("deploy") is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]
    assert board.active() == []


def test_a_fault_without_a_count_stays() -> None:
    board = FaultBoard([fault("slow", count=None)])
    assert all(board.strike("query") for _ in range(5))
    board.clear()
    assert board.strike("query") is None


def test_other_operations_do_not_count() -> None:
    board = FaultBoard([fault("slow", "deploy")])
    assert board.strike("retrieve") is None
    assert board.strike("deploy") is not None


def test_a_deployment_fault_waits_for_a_deployment() -> None:
    board = FaultBoard([fault("failed")])
    assert board.strike("checkDeployStatus") is None
    assert board.strike("deployRecentValidation") is not None
    with pytest.raises(ValidationError, match="its operation is deploy"):
        fault("failed", "retrieve")


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="drop_before"):
        fault("gremlins")


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(ValidationError, match="'deploys'; the operations are any, c"):
        fault("slow", "deploys")


def test_refusals_have_their_reported_spelling() -> None:
    assert OF_A_REDEMPTION["ip_restricted_older"][1] == "IP restricted or invalid login hours"
    assert OF_A_REDEMPTION["rate_limit"] == ("rate_limit_exceeded", "number of logins exceeded")
    assert OF_A_REDEMPTION["inactive_user_grant"] == ("invalid_grant", "inactive user")
    assert OF_A_REDEMPTION["https_required"] == ("invalid_request", "HTTPS required")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kind": "proxy_down", "operation": "redeem"}, "happens to a proxy"),
        ({"kind": "drop_after", "operation": "new_proxy"}, "not to a proxy"),
        ({"kind": "inactive_user", "operation": "query"}, "the token endpoint"),
        ({"kind": "slow", "address": "127.0.0.1"}, "must not have an address"),
        ({"kind": "address_reset", "address": "here"}, "does not appear to be an IPv4"),
    ],
)
def test_an_impossible_fault_is_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Fault.model_validate(settings)


def test_a_fault_occurs_only_in_its_scope() -> None:
    board = FaultBoard([Fault(kind="drop_after")])
    assert board.strike("new_proxy") is None
    assert board.strike("echo") is not None
    board.set(Fault(kind="address_reset", operation="new_proxy", address="127.0.0.21"))
    assert board.strike("new_proxy") is None
    assert board.strike("new_proxy", "127.0.0.22") is None
    assert board.strike("old_proxy", "127.0.0.21") is None
    assert board.strike("new_proxy", "127.0.0.21") is not None
    board.set(Fault(kind="http_502", operation="token"))
    assert board.strike("redeem") is not None


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"kind": "refuse"}, "requires a code"),
        ({"kind": "slow", "code": "X"}, "must not have a code"),
        ({"kind": "slow", "message": "x"}, "must not have a message"),
        ({"kind": "refuse", "operation": "echo", "code": "X"}, "happens to"),
        ({"kind": "org_locked", "operation": "query"}, "the Metadata API"),
    ],
)
def test_an_invalid_code_or_message_is_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Fault.model_validate(settings)
