from __future__ import annotations

import os
from pathlib import Path

import pytest

from sfcutover.config.cutover import load_config
from sfcutover.config.values import secret_variables
from sfcutover.util.childenvironment import child_environment
from sfcutover.util.secrets import redact


def test_children_get_only_the_secret_variables_of_pass_env(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cutover.yaml"
    file.write_text(
        """\
version: 1
name: move
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20]
targets: [{name: packaging, org: {access_token: {env: TOKEN}, instance_url: {env: URL}}}]
egress: {new: {proxy: {env: NEW_PROXY}}}
pass_env: [NEW_PROXY, SFDX_AUTH_URL]
"""
    )
    names = ("TOKEN", "URL", "NEW_PROXY", "SFDX_AUTH_URL", "SF_ACCESS_TOKEN", "SF_CLIENT_ID")
    for name in (*names, "SFCUTOVER_ADMIN_TOKEN"):
        monkeypatch.setenv(name, f"value-of-{name}")
    load_config(file)
    passed = child_environment().keys() & {*names, "SFCUTOVER_ADMIN_TOKEN"}
    assert passed == {"URL", "NEW_PROXY", "SFDX_AUTH_URL", "SF_CLIENT_ID"}
    assert (
        redact("value-of-NEW_PROXY value-of-SFDX_AUTH_URL value-of-URL") == "*** *** value-of-URL"
    )


def test_variables_with_secrets_are_found_everywhere_in_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cutover.yaml"
    file.write_text(
        """\
version: 1
name: move
app: Acme_Connector
old: [203.0.113.10]
new: [198.51.100.20]
targets:
  - name: packaging
    org: {access_token: {env: SF_TOKEN}, instance_url: {env: SF_URL}}
egress:
  new: {proxy: {env: NEW_PROXY}, per_address: {198.51.100.20: {env: SINGLE_PROXY}}}
  echo_url: {env: ECHO}
verify:
  client_id: {env: CLIENT_ID}
  client_secret: {env: CLIENT_SECRET}
  refresh_token: {env: CANARY}
checks: [{prometheus: {url: {env: PROM}, query: up, condition: "== 1", token: {env: BEARER}}}]
state: {url: {env: STATE}}
"""
    )
    monkeypatch.setenv("STATE", "postgresql+psycopg://me:hunter2@db.example.com/x")
    monkeypatch.setenv("ECHO", "http://[::1")
    monkeypatch.setenv("SF_URL", "https://me@example.com")
    assert secret_variables(load_config(file)) == {
        *("SF_TOKEN", "NEW_PROXY", "SINGLE_PROXY", "CLIENT_SECRET"),
        *("CANARY", "BEARER", "STATE"),
    }
    assert "CLIENT_ID" not in os.environ
