"""How the output of the application's command is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sfcutover.traffic.application import read_redemption
from sfcutover.traffic.command import Printed
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from sfcutover.traffic.tokenanswer import read_answer
from sfcutover.util.processes import Cause, Ended
from sfcutover.util.secrets import Secret

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
REDEEMED, BLOCKED, INCONCLUSIVE = (
    RedemptionOutcome.REDEEMED,
    RedemptionOutcome.BLOCKED,
    RedemptionOutcome.INCONCLUSIVE,
)
USER = {"organization_id": "00D000000000001AAA", "user_id": "005000000000001"}


def outcome_of(text: str | None = "", status: int = 0, cause: Cause = Cause.ITSELF) -> Redemption:
    return read_redemption(Printed(Ended(status, 1.0, cause), text), "redeem", NOON)


def answered(exit_status: int = 0, /, **fields: object) -> Redemption:
    return outcome_of(json.dumps(fields, indent=2), exit_status)


@pytest.mark.parametrize("text", ["", "redeemed", "[1]", "anything\nelse"])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, REDEEMED), (1, BLOCKED), (2, INCONCLUSIVE), (3, INCONCLUSIVE), (-9, INCONCLUSIVE)],
)
def test_without_an_object_the_exit_status_counts(
    status: int, outcome: RedemptionOutcome, text: str
) -> None:
    found = outcome_of(text, status)
    assert found.outcome is outcome
    assert found.time == NOON
    assert found.source is None
    if outcome is not REDEEMED:
        assert (found.description or "").startswith("redeem: e")
    assert found.rule is (BlockRule.UNKNOWN if outcome is BLOCKED else None)


@pytest.mark.parametrize(
    ("status", "error", "description"),
    [
        (400, "invalid_grant", "ip restricted by app developer"),
        (400, "invalid_grant", "ip restricted"),
        (400, "invalid_grant", "expired access/refresh token"),
        (401, "invalid_client", "invalid client credentials"),
        (400, "inactive_user", None),
        (400, "unknown_error", "retry your request"),
        (429, "rate_limit_exceeded", None),
        (400, "something_new", "and unheard of"),
        (500, "invalid_grant", "ip restricted"),
        (503, None, None),
        (200, "invalid_grant", None),
    ],
)
@pytest.mark.parametrize("exit_status", [0, 1, 2])
def test_status_and_message_are_read_like_an_answer_of_a_token_endpoint(
    status: int, error: str | None, description: str | None, exit_status: int
) -> None:
    found = answered(exit_status, status=status, error=error, error_description=description)
    words = {"error": error, "error_description": description}
    body = {name: value for name, value in words.items() if value is not None}
    endpoint = read_answer(status, json.dumps(body).encode(), NOON)
    assert (found.outcome, found.rule) == (endpoint.outcome, endpoint.rule)
    assert (found.error, found.description) == (endpoint.error, endpoint.description)
    assert not found.answer_lost
    assert found.outcome is not REDEEMED


def test_a_success_counts_only_if_the_command_succeeded() -> None:
    assert answered(0, status=200).outcome is REDEEMED
    found = answered(1, status=200)
    assert found.outcome is INCONCLUSIVE
    assert found.description == "HTTP 200, but redeem: exit status 1"


def test_address_and_user_are_read_from_the_object() -> None:
    found = answered(status=200, address="::ffff:198.51.100.20", **USER)
    assert str(found.source) == "198.51.100.20"
    assert found.identity == "00D000000000001AAA/005000000000001"
    assert str(answered(address="2001:DB8::1").source) == "2001:db8::1"


def test_without_a_status_the_exit_status_counts_with_the_address() -> None:
    found = answered(1, address="198.51.100.20")
    assert (found.outcome, str(found.source)) == (BLOCKED, "198.51.100.20")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "200"},
        {"status": 200.5},
        {"status": True},
        {"status": 99},
        {"status": 200, "address": "proxy.example"},
        {"status": 200, "address": "198.51.100.0/24"},
        {"status": 200, "address": "fe80::1%eth0"},
        {"status": 200, "address": 3325256724},
        {"status": 200, "user_id": "001000000000001"},
        {"status": 200, "organization_id": "00D' OR Id != '"},
        {"status": 400, "error": ["invalid_grant"]},
    ],
)
def test_an_unreadable_object_proves_nothing(fields: dict[str, object]) -> None:
    found = answered(**fields)
    assert found.outcome is INCONCLUSIVE
    assert (found.description or "").startswith("redeem printed no valid answer: ")
    assert found.source is None


@pytest.mark.parametrize("text", ["{", '{"status": 200} and more', '{"a":' * 9999])
def test_a_text_that_only_starts_like_an_object_proves_nothing(text: str) -> None:
    assert outcome_of(text).outcome is INCONCLUSIVE


def test_a_killed_or_too_verbose_command_proves_nothing() -> None:
    assert outcome_of('{"status": 200}', 0, Cause.TIMEOUT).outcome is INCONCLUSIVE
    found = outcome_of(None)
    assert (found.outcome, found.description) == (
        INCONCLUSIVE,
        "redeem: it printed too much output",
    )


def test_only_known_fields_are_kept_and_no_secret() -> None:
    Secret("hunter2-token")
    found = answered(
        status=400,
        error="invalid_grant",
        error_description="ip restricted by app developer hunter2-token\x1b[31m",
        access_token="an-access-token-of-the-application",
    )
    assert "hunter2" not in repr(found)
    assert "an-access-token" not in repr(found)
    assert found.description == "ip restricted by app developer *** [31m"
    assert found.rule is BlockRule.APP
