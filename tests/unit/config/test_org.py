from __future__ import annotations

import pytest

from sfcutover.config.org import OrgConfig


def test_an_org_behind_an_alias_may_be_remote() -> None:
    assert not OrgConfig(alias="localhost").on_loopback


def test_a_variable_decides_whether_the_org_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"access_token": {"env": "T"}, "instance_url": {"env": "SFCUTOVER_INSTANCE_URL"}}
    config = OrgConfig.model_validate(data)
    monkeypatch.setenv("SFCUTOVER_INSTANCE_URL", "http://127.0.0.1:8080")
    assert config.on_loopback
    monkeypatch.setenv("SFCUTOVER_INSTANCE_URL", "https://acme.my.salesforce.com")
    assert not config.on_loopback
    monkeypatch.delenv("SFCUTOVER_INSTANCE_URL")
    assert not config.on_loopback
