"""How answers to a redemption are classified, and where a token may be sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.config.verify import CanaryConfig, Verify
from sfcutover.errors import Answer, ConfigError
from sfcutover.traffic.redemption import BlockRule, Redemption, RedemptionOutcome
from sfcutover.traffic.tokenanswer import TokenEndpoint, classify, read_answer, token_endpoint
from sfcutover.util.secrets import MAX_QUOTED, Secret

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


REFUSALS = [
    ("invalid_grant", "ip restricted", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "IP restricted or invalid login hours", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "The IP address is not within an allowed range", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "not on the Refresh Token IP Allowlist", RedemptionOutcome.BLOCKED),
    ("access_denied", "IP_RANGE_VIOLATION", RedemptionOutcome.BLOCKED),
    ("ip_restricted", "", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "IPv4 restricted", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "your IPv6 address is out of range", RedemptionOutcome.BLOCKED),
    ("invalid_grant", "trusted IPs only: restricted", RedemptionOutcome.BLOCKED),
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
    ("unknown_error", "retry your request", RedemptionOutcome.BUSY),
    ("server_error", "", RedemptionOutcome.BUSY),
    ("temporarily_unavailable", "", RedemptionOutcome.BUSY),
]


@pytest.mark.parametrize(("error", "description", "outcome"), REFUSALS)
def test_a_refusal_is_classified_by_its_words(
    error: str, description: str, outcome: RedemptionOutcome
) -> None:
    assert classify(error, description) is outcome
    assert classify(error.upper(), description.upper()) is outcome
    body = json.dumps({"error": error, "error_description": description}).encode()
    redemption = read_answer(400, body, NOW)
    assert (redemption.outcome, redemption.error) == (outcome, error)
    assert redemption.description == (description or None)
    assert not redemption.answer_lost


@pytest.mark.parametrize(
    ("description", "rule"),
    [
        ("ip restricted by app developer", BlockRule.APP),
        ("IP restricted by App Developer.", BlockRule.APP),
        ("ip restricted", BlockRule.USER),
        ("IP restricted.", BlockRule.USER),
        ("ip restricted or invalid login hours", BlockRule.UNKNOWN),
        ("The IP address is not within an allowed range", BlockRule.UNKNOWN),
    ],
)
def test_a_block_names_the_rule_that_caused_it(description: str, rule: BlockRule) -> None:
    body = json.dumps({"error": "invalid_grant", "error_description": description})
    redemption = read_answer(400, body.encode(), NOW)
    assert (redemption.outcome, redemption.rule) == (RedemptionOutcome.BLOCKED, rule)
    assert redemption.body == body


def test_the_body_of_a_block_is_one_short_line_without_secrets() -> None:
    Secret("hunter2-token")
    body = b'{"error": "invalid_grant",\n "error_description": "ip restricted: hunter2-token"}'
    redemption = read_answer(400, body.replace(b'"}', b"x" * 500 + b'"}'), NOW)
    assert redemption.body is not None
    assert "hunter2" not in redemption.body
    assert redemption.body.isprintable()
    assert len(redemption.body) <= MAX_QUOTED


@given(st.integers(100, 599), st.binary(max_size=300))
def test_any_answer_can_be_read(status: int, body: bytes) -> None:
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
def test_any_json_can_be_read(status: int, body: object) -> None:
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
def test_only_the_words_of_ip_limits_are_a_block(error: str, description: str) -> None:
    if classify(error, description) is RedemptionOutcome.BLOCKED:
        words = "".join(each if each.isalnum() else " " for each in description.lower()).split()
        assert {"ip", "ips", "ipv4", "ipv6"} & set(words)
        assert any(each in description.lower() for each in ("restrict", "range", "allow"))


@given(CODES, st.lists(WORDS.filter(lambda word: "ip" not in word.lower())).map(" ".join))
def test_a_text_without_ip_is_never_a_block(error: str, description: str) -> None:
    assert classify(error, description) is not RedemptionOutcome.BLOCKED


def test_every_outcome_explains_what_to_do_and_only_a_block_blames_the_allowlist() -> None:
    for outcome in RedemptionOutcome:
        assert outcome.advice.endswith(".")
        assert outcome.advice.count(". ") == 0
    blaming = [each for each in RedemptionOutcome if "Add the address" in each.advice]
    assert blaming == [RedemptionOutcome.BLOCKED]


# Where a token may be sent

TOKEN = Secret("5Aep861-the-token-of-these-tests")
CLIENT_SECRET = Secret("client/secret&of=these tests")


def test_no_secret_is_shown() -> None:
    endpoint = TokenEndpoint("https://login.salesforce.com", "id", CLIENT_SECRET)
    redemption = Redemption(RedemptionOutcome.REDEEMED, NOW, new_token=TOKEN)
    assert CLIENT_SECRET.reveal() not in repr(endpoint)
    assert TOKEN.reveal() not in repr(redemption) + str(redemption)


def canary_at(url: str) -> CanaryConfig:
    verify = Verify.model_validate(
        {"token_url": url, "client_id": "id", "refresh_token": {"file": "token"}}
    )
    (canary,) = verify.canaries_of("any")
    return canary


@pytest.mark.parametrize(
    "url",
    [
        "https://login.salesforce.com/services/oauth2/token",
        "https://TEST.salesforce.com/services/oauth2/token",
        "https://acme--uat.sandbox.my.salesforce.com/services/oauth2/token",
        "https://acme.force.com/services/oauth2/token",
        "http://127.0.0.1:8080/services/oauth2/token",
        "https://localhost:8080/services/oauth2/token",
        "https://[::1]:8080/services/oauth2/token",
    ],
)
def test_a_token_is_sent_to_salesforce_and_to_this_machine(url: str) -> None:
    endpoint = token_endpoint(canary_at(url), allow_other_hosts=False)
    assert (endpoint.url, endpoint.client_id, endpoint.client_secret) == (url, "id", None)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.salesforce.com.evil.example/",
        "https://evilsalesforce.com/",
        "https://evil.example/login.salesforce.com",
        "https://evil.example?.salesforce.com",
        "https://evil.example\\.salesforce.com/",
        "https://evil.example#.salesforce.com",
        "https://10.0.0.1/",
    ],
)
def test_a_token_is_sent_to_no_other_host_unless_allowed(url: str) -> None:
    with pytest.raises(ConfigError, match="not Salesforce's") as caught:
        token_endpoint(canary_at(url), allow_other_hosts=False)
    assert "allow_other_hosts" in caught.value.hint
    assert token_endpoint(canary_at(url), allow_other_hosts=True).url == url.rstrip("/")


@pytest.mark.parametrize("url", ["http://login.salesforce.com/", "ftp://x", "login", "https://["])
def test_a_token_is_never_sent_unencrypted(url: str) -> None:
    with pytest.raises(ConfigError):
        token_endpoint(canary_at(url), allow_other_hosts=True)


def test_the_client_secret_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_CLIENT_ID", "the id")
    (tmp_path / "secret").write_text("hunter2-secret\n")
    config = Verify.model_validate(
        {
            "client_id": {"env": "A_CLIENT_ID"},
            "client_secret": {"file": str(tmp_path / "secret")},
            "refresh_token": {"file": "token"},
        }
    )
    (canary,) = config.canaries_of("any")
    endpoint = token_endpoint(canary, allow_other_hosts=False)
    assert (endpoint.client_id, endpoint.client_secret) == ("the id", Secret("hunter2-secret"))
    assert "hunter2" not in repr(endpoint)


@pytest.mark.parametrize("outcome", RedemptionOutcome)
def test_the_meaning_of_every_outcome(outcome: RedemptionOutcome) -> None:
    passing = {RedemptionOutcome.RATE_LIMITED, RedemptionOutcome.BUSY}
    unknown = {
        RedemptionOutcome.INCONCLUSIVE,
        RedemptionOutcome.PROXY_FAILURE,
        RedemptionOutcome.NETWORK_FAILURE,
        RedemptionOutcome.UNKNOWN,
    }
    assert (outcome.answer is Answer.PASSING) == (outcome in passing)
    assert (outcome.answer is Answer.UNKNOWN) == (outcome in unknown)
