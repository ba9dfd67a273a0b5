"""Conditions and watches of cutover.yaml."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sfcutover.config.cutover import load_config
from sfcutover.config.traffic import Check, Condition, Watch
from sfcutover.config.values import secret_variables


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        ("< 0.01", 0.0099, 0.01),
        ("<= 0.01", 0.01, 0.0101),
        ("> -1", 0, -1),
        (">=5", 5, 4.9),
        (" == 0 ", 0, 1e-9),
        ("!= 1e3", 999, 1000),
        ("< .5", 0.4, 0.5),
        (">= 1.E+2", 100, 99),
    ],
)
def test_a_condition_is_a_comparison_with_a_number(text: str, holds: float, fails: float) -> None:
    condition = Condition.parse(text)
    assert condition.holds(holds)
    assert not condition.holds(fails)
    assert Condition.parse(str(condition)) == condition


@pytest.mark.parametrize(
    "text",
    [
        *("", "<", "0.01", "=> 5", "= 5", "< x", "< 1_0", "< NaN", "< +Inf", "< 1e999", "< 5; 1"),
        *("< 5 or 1", "<< 5", "< 1 2", "== 0x10", "< ٣", "<" + " " * 100 + "5"),
    ],
)
def test_anything_else_is_no_condition(text: str) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        Condition.parse(text)


@given(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.floats(-1e9, 1e9), st.floats())
def test_a_condition_agrees_with_python(sign: str, bound: float, value: float) -> None:
    expected = eval(f"value {sign} bound")
    assert Condition.parse(f"{sign} {bound!r}").holds(value) is expected


def test_a_condition_that_is_none_is_refused_with_the_file() -> None:
    data = {"prometheus": {"url": "https://p", "query": "up", "condition": "at most 5"}}
    with pytest.raises(ValidationError, match="write a comparison such as"):
        Check.model_validate(data)


@pytest.mark.parametrize(
    "data",
    [
        {"interval": "0s"},
        {"errors": 0},
        {"inconclusive": 0},
        {"checks": [{"command": ["a"], "timeout": "0s"}]},
    ],
)
def test_a_watch_without_time_or_limits_is_none(data: object) -> None:
    with pytest.raises(ValidationError):
        Watch.model_validate(data)


def test_the_variables_with_secrets_are_found_wherever_they_stand(
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
watch:
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
