"""What every kind of answer to a redemption means."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.traffic.redemption import (
    RedemptionOutcome,
    classify,
    read_answer,
)
from sfcutover.util.secrets import MAX_QUOTED

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


REFUSALS = [
    ("invalid_grant", "ip restricted", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "IP restricted or invalid login hours", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "The IP address is not within an allowed range", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "not on the Refresh Token IP Allowlist", RedemptionOutcome.BLOCKED),
    ("access_denied", "IP_RANGE_VIOLATION", RedemptionOutcome.BLOCKED),
    ("ip_restricted", "", RedemptionOutcome.BLOCKED),
    ("invalid_request", "restricted ip", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "expired access/refresh token", RedemptionOutcome.TOKEN_DEAD),
    ("invalid_grant", "token validity expired", RedemptionOutcome.TOKEN_DEAD),
    ("invalid_grant", "user hasn't approved this consumer", RedemptionOutcome.TOKEN_DEAD),
    ("invalid_grant", "inactive user", RedemptionOutcome.INACTIVE),
    ("inactive_user", "user is inactive", RedemptionOutcome.INACTIVE),
    ("inactive_org", "organization is inactive", RedemptionOutcome.INACTIVE),
    ("invalid_client", "invalid client credentials", RedemptionOutcome.CLIENT_REJECTED),
    ("invalid_client_id", "client identifier invalid", RedemptionOutcome.CLIENT_REJECTED),
    ("invalid_app_access", "user is not admin approved", RedemptionOutcome.CLIENT_REJECTED),
    ("unsupported_grant_type", "grant type not supported", RedemptionOutcome.CLIENT_REJECTED),
    ("invalid_request", "HTTPS required", RedemptionOutcome.CLIENT_REJECTED),
    ("rate_limit_exceeded", "number of logins exceeded", RedemptionOutcome.RATE_LIMITED),
    (
        "rate_limit_exceeded",
        "too many from this ip, range of 1 hour",
        RedemptionOutcome.RATE_LIMITED,
    ),
    ("invalid_grant", "authentication failure", RedemptionOutcome.UNKNOWN),
    ("invalid_grant", "", RedemptionOutcome.UNKNOWN),
    ("invalid_grant", "zip codes are restricted", RedemptionOutcome.UNKNOWN),
    ("invalid_grant", "Your IP was logged. This is not allowed.", RedemptionOutcome.UNKNOWN),
    ("unknown_error", "retry your request", RedemptionOutcome.UNKNOWN),
]


@pytest.mark.parametrize(("error", "description", "outcome"), REFUSALS)
def test_a_refusal_is_told_by_its_words(
    error: str, description: str, outcome: RedemptionOutcome
) -> None:
    assert classify(error, description) is outcome
    assert classify(error.upper(), description.upper()) is outcome
    body = json.dumps({"error": error, "error_description": description}).encode()
    redemption = read_answer(400, body, NOW)
    assert (redemption.outcome, redemption.error) == (outcome, error)
    assert redemption.description == (description or None)
    assert not redemption.answer_lost


@given(st.integers(100, 599), st.binary(max_size=300))
def test_no_answer_is_too_odd_to_read(status: int, body: bytes) -> None:
    redemption = read_answer(status, body, NOW)
    assert redemption.outcome is not RedemptionOutcome.BLOCKED
    assert redemption.http_status == status


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


KEYS = ("access_token", "refresh_token", "id", "error", "error_description")


@given(st.integers(100, 599), JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, JSON)))
def test_no_json_is_too_odd_to_read(status: int, body: object) -> None:
    redemption = read_answer(status, json.dumps(body).encode(), NOW)
    if redemption.outcome is RedemptionOutcome.REDEEMED:
        assert status == 200
    for text in (redemption.error, redemption.description):
        assert text is None or (text.isprintable() and 0 < len(text) <= MAX_QUOTED)


IP_WORDS = ["ip", "IP", "ip.", "IPv4", "zip", "ship", "tip,", "script", "ip-based", "equip"]


LIMITS = ["restricted", "range", "allowed", "not_allowed", "login", "hours", "expired", ";"]


WORDS = st.sampled_from([*IP_WORDS, *LIMITS])


CODES = st.sampled_from(sorted({error for error, _, _ in REFUSALS} - {"ip_restricted"}))


@given(CODES, st.lists(WORDS, max_size=8).map(" ".join) | st.text(max_size=60))
def test_only_words_of_ip_limits_are_a_block(error: str, description: str) -> None:
    if classify(error, description) is RedemptionOutcome.BLOCKED:
        words = "".join(each if each.isalnum() else " " for each in description.lower()).split()
        assert {"ip", "ips", "ipv4", "ipv6"} & set(words)
        assert any(each in description.lower() for each in ("restrict", "range", "allow"))


@given(CODES, st.lists(WORDS.filter(lambda word: "ip" not in word.lower())).map(" ".join))
def test_a_text_without_ip_is_never_a_block(error: str, description: str) -> None:
    assert classify(error, description) is not RedemptionOutcome.BLOCKED


def test_every_outcome_says_what_to_do_and_only_a_block_blames_the_list() -> None:
    for outcome in RedemptionOutcome:
        assert outcome.advice.endswith(".")
        assert outcome.advice.count(". ") == 0
    blaming = [each for each in RedemptionOutcome if "back on the allowlist" in each.advice]
    assert blaming == [RedemptionOutcome.BLOCKED]
