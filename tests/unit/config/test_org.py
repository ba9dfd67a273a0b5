from __future__ import annotations

import pytest

from sfcutover.config.org import OrgConfig
from sfcutover.util.http import is_loopback_url


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "https://LOCALHOST:8443/x",
        "http://127.0.0.1:1",
        "http://127.255.255.254",
        "http://[::1]:8080",
        "http://someone@127.0.0.1",
    ],
)
def test_a_url_of_this_machine_is_known(url: str) -> None:
    assert is_loopback_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "http://",
        "http://[",
        "http://]",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://localhost.example.com",
        "http://128.0.0.1",
        "http://0.0.0.0",
        "http://[::2]",
        "http://example.com#@127.0.0.1",
        "http://example.com/127.0.0.1",
    ],
)
def test_any_other_url_is_elsewhere(url: str) -> None:
    assert not is_loopback_url(url)


def test_an_alias_could_be_anywhere() -> None:
    assert not OrgConfig(alias="localhost").on_loopback


def test_a_variable_decides_where_the_org_is(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"access_token": {"env": "T"}, "instance_url": {"env": "SF_INSTANCE_URL"}}
    config = OrgConfig.model_validate(data)
    monkeypatch.setenv("SF_INSTANCE_URL", "http://127.0.0.1:8080")
    assert config.on_loopback
    monkeypatch.setenv("SF_INSTANCE_URL", "https://acme.my.salesforce.com")
    assert not config.on_loopback
    monkeypatch.delenv("SF_INSTANCE_URL")
    assert not config.on_loopback
