"""The result of a query, and its verdict."""

from __future__ import annotations

import json
import math
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfcutover.config.checks import Check, Condition
from sfcutover.errors import ConfigError
from sfcutover.traffic.checks import (
    QueryError,
    QueryResult,
    Sample,
    Verdict,
    checker_for,
    judge,
    read_result,
)

PASSED, FAILED, INCONCLUSIVE, ERROR = Verdict
NAN = float("nan")


def vector(*values: str, **more: object) -> bytes:
    """An answer with a series for each value."""
    series = [
        {"metric": {"__name__": "up", "job": f"job{index}"}, "value": [1795435200.123, value]}
        for index, value in enumerate(values)
    ]
    data = {"resultType": "vector", "result": series}
    return json.dumps({"status": "success", "data": data, **more}).encode()


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.0], PASSED),
        ([0.0, 0.009], PASSED),
        ([0.0, 0.01], FAILED),
        ([float("inf")], FAILED),
        ([float("-inf")], PASSED),
        ([], INCONCLUSIVE),
        ([NAN], INCONCLUSIVE),
        ([0.0, NAN], INCONCLUSIVE),
        ([NAN, 1.0], FAILED),
    ],
)
def test_all_series_must_satisfy_the_condition(values: list[float], verdict: Verdict) -> None:
    found = QueryResult(tuple(Sample(f"s{each}", each) for each in values))
    assert judge(found, Condition.parse("< 0.01"))[0] is verdict


def test_the_verdict_reports_values_and_server_warnings() -> None:
    found = read_result(200, vector("0.5", "0", "1", "2", "3", warnings=["partial\nanswer"]))
    verdict, detail = judge(found, Condition.parse("< 0.01"))
    assert verdict is FAILED
    assert detail == (
        'up{job="job0"} = 0.5, up{job="job2"} = 1, up{job="job3"} = 2 and 1 more '
        "(required: < 0.01); warning: partial answer"
    )
    verdict, detail = judge(read_result(200, vector("0.0100000001")), Condition.parse("<= 0.01"))
    assert detail == 'up{job="job0"} = 0.0100000001 (required: <= 0.01)'


def test_a_value_is_that_of_the_series_with_the_labels() -> None:
    result = QueryResult((Sample('job="a"', 1.0), Sample('job="b"', 2.0)))
    assert result.value_of('job="b"') == 2.0
    assert math.isnan(result.value_of('job="c"'))


def test_a_scalar_and_a_series_without_labels_are_accepted() -> None:
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [1.5, "7"]}}
    assert read_result(200, json.dumps(scalar).encode()).samples == (Sample("", 7.0),)
    bare = {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}
    found = read_result(200, json.dumps({"status": "success", "data": bare}).encode())
    assert judge(found, Condition.parse("== 0")) == (
        INCONCLUSIVE,
        "the value = nan is not a number",
    )


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"", "an answer that is not from Prometheus"),
        (200, b"<html>", "an answer that is not from Prometheus"),
        (502, b"<html>", "HTTP 502"),
        (200, b"[]", "an answer that is not from Prometheus"),
        (200, b"\xff{}", "an answer that is not from Prometheus"),
        (200, b"[" * 100_000, "an answer that is not from Prometheus"),
        (200, b"{}", "HTTP 200"),
        (422, b'{"status":"error","errorType":"execution","error":"x"}', "422: execution: x"),
        (500, vector("0"), "HTTP 500"),
        (200, b'{"status":"success"}', "one number per series"),
        (
            200,
            b'{"status":"success","data":{"resultType":"vector","result":{}}}',
            "returns a vector",
        ),
        (
            200,
            b'{"status":"success","data":{"resultType":"matrix","result":[]}}',
            "returns a matrix",
        ),
        (200, b'{"status":"success","data":{"resultType":"string"}}', "returns a string"),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":[1,0]}}', "one number"),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":"7"}}', "one number"),
        (200, vector("many"), "one number per series"),
        (200, vector("0").replace(b'"value"', b'"histogram"'), "one number per series"),
        (200, vector("0").replace(b'"up"', b"5"), "one number per series"),
        (200, vector("0").replace(b'"metric": {', b'"metric": 5, "m": {'), "one number per series"),
    ],
)
def test_any_other_answer_is_an_error(status: int, body: bytes, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        read_result(status, body)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_is_harmful(body: bytes) -> None:
    with pytest.raises(QueryError):
        read_result(200, body)


def prometheus(url: str, timeout: str = "5s", **more: object) -> Check:
    query = {"url": url, "query": 'up{a="b c"}', "condition": "== 1", **more}
    return Check.model_validate({"prometheus": query, "timeout": timeout})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("prometheus.example.com", "is not an http or https URL"),
        ("ftp://prometheus.example.com", "is not an http or https URL"),
        ("https://", "is not an http or https URL"),
        ("https://host:port", "is not an http or https URL"),
        ("https://[::1", "is not an http or https URL"),
        ("https://me:hunter2-pw@prometheus.example.com", "is not an http or https URL"),
        ("https://prometheus.example.com/?x=y", "is not an http or https URL"),
        ("https://prometheus.example.com/#x", "is not an http or https URL"),
        ("http://prometheus.example.com", "without encryption"),
    ],
)
def test_an_unusable_url_is_reported_immediately_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("PROM", url)
    monkeypatch.setenv("BEARER", "hunter2-bearer")
    with pytest.raises(ConfigError, match=words) as caught:
        checker_for(prometheus({"env": "PROM"}, token={"env": "BEARER"}))  # type: ignore[arg-type]
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "hunter2" not in shown
    assert "example" not in shown


def test_plain_http_is_accepted_without_a_token() -> None:
    assert callable(checker_for(prometheus("http://prometheus:9090")))


@pytest.mark.parametrize("token", ["Bearer hunter2", "hunter2\x0bnext", "hünter2-token"])
def test_a_token_that_fits_no_header_is_reported_immediately(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("BEARER", token)
    with pytest.raises(ConfigError, match="not valid in a header") as caught:
        checker_for(prometheus("https://p", token={"env": "BEARER"}))
    assert "nter2" not in "".join(traceback.format_exception(caught.value))


def test_an_unset_token_is_reported_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEARER", raising=False)
    with pytest.raises(ConfigError, match="BEARER is not set"):
        checker_for(prometheus("https://p", token={"env": "BEARER"}))


def test_a_missing_program_is_reported_immediately(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the program no-such-program was not found"):
        checker_for(Check(command=("no-such-program", "x")))
    script = tmp_path / "check"
    script.write_text("no program")
    script.chmod(0o755)
    result = checker_for(Check(command=(str(script),)))()
    assert (result.verdict, result.detail) == (ERROR, "it cannot be run: Exec format error")


def test_a_check_is_named_by_its_name_or_by_what_it_measures() -> None:
    assert Check(command=("check-traffic",), name="logins").title == "logins"
    assert Check(command=("check-traffic", "x")).title == "check-traffic"
    assert prometheus("https://p").title == 'up{a="b c"}'
