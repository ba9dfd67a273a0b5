"""Where a token may go, and that nothing shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sfcutover.config.traffic import Verify
from sfcutover.errors import ConfigError
from sfcutover.traffic.redemption import (
    Redemption,
    RedemptionOutcome,
)
from sfcutover.traffic.tokenendpoint import TokenEndpoint, token_endpoint
from sfcutover.util.secrets import Secret

TOKEN = Secret("5Aep861-the-token-of-these-tests")


CLIENT_SECRET = Secret("client/secret&of=these tests")


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_nothing_secret_is_shown() -> None:
    endpoint = TokenEndpoint("https://login.salesforce.com", "id", CLIENT_SECRET)
    redemption = Redemption(RedemptionOutcome.REDEEMED, NOW, new_token=TOKEN)
    assert CLIENT_SECRET.reveal() not in repr(endpoint)
    assert TOKEN.reveal() not in repr(redemption) + str(redemption)


def verify_config(url: str) -> Verify:
    return Verify.model_validate(
        {"token_url": url, "client_id": "id", "refresh_token": {"file": "token"}}
    )


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
def test_a_token_goes_to_salesforce_and_to_this_machine(url: str) -> None:
    endpoint = token_endpoint(verify_config(url), allow_other_hosts=False)
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
def test_a_token_goes_to_no_other_host_unless_allowed(url: str) -> None:
    with pytest.raises(ConfigError, match="not Salesforce's") as caught:
        token_endpoint(verify_config(url), allow_other_hosts=False)
    assert "allow_other_hosts" in caught.value.hint
    assert token_endpoint(verify_config(url), allow_other_hosts=True).url == url.rstrip("/")


@pytest.mark.parametrize("url", ["http://login.salesforce.com/", "ftp://x", "login", "https://["])
def test_a_token_never_travels_in_the_clear(url: str) -> None:
    with pytest.raises(ConfigError):
        token_endpoint(verify_config(url), allow_other_hosts=True)


def test_the_client_s_secret_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_CLIENT_ID", "the id")
    (tmp_path / "secret").write_text("hunter2-secret\n")
    config = Verify.model_validate(
        {
            "client_id": {"env": "A_CLIENT_ID"},
            "client_secret": {"file": str(tmp_path / "secret")},
            "refresh_token": {"file": "token"},
        }
    )
    endpoint = token_endpoint(config, allow_other_hosts=False)
    assert (endpoint.client_id, endpoint.client_secret) == ("the id", Secret("hunter2-secret"))
    assert "hunter2" not in repr(endpoint)
