"""Checks, conditions and watches of cutover.yaml."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sfcutover.config.checks import Check, Condition, Watch


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
def test_an_invalid_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a condition"):
        Condition.parse(text)


@given(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.floats(-1e9, 1e9), st.floats())
def test_a_condition_agrees_with_python(sign: str, bound: float, value: float) -> None:
    expected = eval(f"value {sign} bound")
    assert Condition.parse(f"{sign} {bound!r}").holds(value) is expected


def test_an_invalid_condition_is_refused_with_its_file() -> None:
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
def test_a_watch_without_time_or_limits_is_refused(data: object) -> None:
    with pytest.raises(ValidationError):
        Watch.model_validate(data)


def test_a_watch_has_safe_defaults() -> None:
    watch = Watch()
    assert (watch.duration, watch.interval, watch.failures) == (900.0, 15.0, 2)


@pytest.mark.parametrize(
    "data", [{}, {"command": []}, {"command": ["a"], "prometheus": {"url": "u"}}]
)
def test_a_check_is_exactly_one_thing(data: object) -> None:
    with pytest.raises(ValidationError):
        Check.model_validate(data)
