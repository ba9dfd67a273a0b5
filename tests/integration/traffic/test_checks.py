from __future__ import annotations

import json
import socket
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sfcutover.config.traffic import Check, Condition, Watch
from sfcutover.errors import ConfigError
from sfcutover.traffic.checks import (
    Answer,
    CheckResult,
    NoAnswerError,
    Verdict,
    check_for,
    judge,
    read_answer,
)
from tests.support import StartServer, answer

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


# The condition


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


# The answer


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
def test_all_series_must_hold_and_one_that_does_not_decides(
    values: list[float], verdict: Verdict
) -> None:
    found = Answer(tuple((f"s{each}", each) for each in values), ())
    assert judge(found, Condition.parse("< 0.01"))[0] is verdict


def test_the_verdict_says_what_was_seen_and_what_the_server_remarked() -> None:
    found = read_answer(200, vector("0.5", "0", "1", "2", "3", warnings=["partial\nanswer"]))
    verdict, detail = judge(found, Condition.parse("< 0.01"))
    assert verdict is FAILED
    assert detail == (
        'up{job="job0"} = 0.5, up{job="job2"} = 1, up{job="job3"} = 2 and 1 more is not < 0.01; '
        "warning: partial answer"
    )
    verdict, detail = judge(read_answer(200, vector("0.0100000001")), Condition.parse("<= 0.01"))
    assert detail == 'up{job="job0"} = 0.0100000001 is not <= 0.01'


def test_a_scalar_and_a_series_without_labels_are_values() -> None:
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [1.5, "7"]}}
    assert read_answer(200, json.dumps(scalar).encode()).values == (("the value", 7.0),)
    bare = {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}
    found = read_answer(200, json.dumps({"status": "success", "data": bare}).encode())
    assert judge(found, Condition.parse("== 0")) == (INCONCLUSIVE, "the value = nan is no number")


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"", "no answer of Prometheus"),
        (200, b"<html>", "no answer of Prometheus"),
        (502, b"<html>", "HTTP 502"),
        (200, b"[]", "no answer of Prometheus"),
        (200, b"\xff{}", "no answer of Prometheus"),
        (200, b"[" * 100_000, "no answer of Prometheus"),
        (200, b"{}", "HTTP 200"),
        (422, b'{"status":"error","errorType":"execution","error":"x"}', "422: execution: x"),
        (500, vector("0"), "HTTP 500"),
        (200, b'{"status":"success"}', "one number a series"),
        (200, b'{"status":"success","data":{"resultType":"vector","result":{}}}', "gives a vector"),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "gives a matrix"),
        (200, b'{"status":"success","data":{"resultType":"string"}}', "gives a string"),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":[1,0]}}', "one number"),
        (200, b'{"status":"success","data":{"resultType":"scalar","result":"7"}}', "one number"),
        (200, vector("many"), "one number a series"),
        (200, vector("0").replace(b'"value"', b'"histogram"'), "one number a series"),
        (200, vector("0").replace(b'"up"', b"5"), "one number a series"),
        (200, vector("0").replace(b'"metric": {', b'"metric": 5, "m": {'), "one number a series"),
    ],
)
def test_anything_else_is_no_answer(status: int, body: bytes, words: str) -> None:
    with pytest.raises(NoAnswerError, match=words):
        read_answer(status, body)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_body_does_harm(body: bytes) -> None:
    with pytest.raises(NoAnswerError):
        read_answer(200, body)


# Prometheus over HTTP


def prometheus(url: str, timeout: str = "5s", **more: object) -> Check:
    query = {"url": url, "query": 'up{a="b c"}', "condition": "== 1", **more}
    return Check.model_validate({"prometheus": query, "timeout": timeout})


def test_the_query_is_asked_with_its_token_in_the_header_only(
    start_server: StartServer, tmp_path: Path
) -> None:
    seen: list[tuple[str, str | None]] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        seen.append((request.path, request.headers["Authorization"]))
        answer(request, vector("1"))

    (tmp_path / "token").write_text("bearer-of-the-tests\n")
    token = {"file": str(tmp_path / "token")}
    look = check_for(prometheus(f"{start_server(handle)}/prom/", timeout="1.5s", token=token))
    assert look() == CheckResult('up{a="b c"}', PASSED, 'up{job="job0"} = 1 is == 1')
    (tmp_path / "token").write_text("renewed-bearer-of-the-tests\n")
    look()
    assert [header for _, header in seen] == [
        "Bearer bearer-of-the-tests",
        "Bearer renewed-bearer-of-the-tests",
    ]
    parts = urlsplit(seen[0][0])
    assert parts.path == "/prom/api/v1/query"
    assert parse_qs(parts.query) == {"query": ['up{a="b c"}'], "timeout": ["1500ms"]}


def test_without_a_token_nothing_is_taken_from_elsewhere(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    seen: list[str | None] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        answer(request, vector("0"))

    assert check_for(prometheus(start_server(handle)))().verdict is FAILED
    assert seen == [None]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", "it asks for a token"),
        (403, b"<html>", "HTTP 403"),
        (302, b"", "redirect"),
        (503, b'{"status":"error","errorType":"timeout","error":"too slow"}', "503: timeout: too"),
        (200, b"<html>login", "no answer of Prometheus"),
    ],
)
def test_what_the_server_refuses_is_an_error(
    start_server: StartServer, status: int, body: bytes, words: str
) -> None:
    def handle(request: BaseHTTPRequestHandler) -> None:
        answer(request, body, status, Location="http://127.0.0.1:1/")

    result = check_for(prometheus(start_server(handle)))()
    assert result.verdict is ERROR
    assert words in result.detail


def test_a_server_that_is_silent_or_not_there_is_an_error(start_server: StartServer) -> None:
    release = threading.Event()

    def handle(request: BaseHTTPRequestHandler) -> None:
        release.wait(30)

    look, begun = check_for(prometheus(start_server(handle), timeout="100ms")), time.monotonic()
    try:
        result = look()
        assert time.monotonic() - begun < 5
    finally:
        release.set()
    assert result.verdict is ERROR
    assert result.detail.endswith("it did not answer in time")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        result = check_for(prometheus(f"http://127.0.0.1:{taken.getsockname()[1]}"))()
    assert result.verdict is ERROR
    assert result.detail.endswith("the connection failed or broke")


def test_a_token_that_is_gone_is_an_error_of_the_look(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("bearer-of-the-tests")
    url = start_server(lambda request: answer(request, vector("1")))
    look = check_for(prometheus(url, token={"file": str(tmp_path / "token")}))
    (tmp_path / "token").unlink()
    assert look().verdict is ERROR
    assert "can't be read" in look().detail


def test_a_refused_token_is_not_repeated(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def echo(request: BaseHTTPRequestHandler) -> None:
        words = f"bad {request.headers['Authorization']}"
        body = {"status": "error", "errorType": "bad_data", "error": words}
        answer(request, json.dumps(body).encode(), 400)

    monkeypatch.setenv("BEARER", "hunter2-bearer")
    result = check_for(prometheus(start_server(echo), token={"env": "BEARER"}))()
    assert result.detail == "HTTP 400: bad_data: bad Bearer ***"


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
def test_a_url_that_can_t_be_used_shows_at_once_and_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setenv("PROM", url)
    monkeypatch.setenv("BEARER", "hunter2-bearer")
    with pytest.raises(ConfigError, match=words) as caught:
        check_for(prometheus({"env": "PROM"}, token={"env": "BEARER"}))  # type: ignore[arg-type]
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "hunter2" not in shown
    assert "example" not in shown


def test_plain_http_without_a_token_is_the_usual_thing() -> None:
    assert callable(check_for(prometheus("http://prometheus:9090")))


@pytest.mark.parametrize("token", ["Bearer hunter2", "hunter2\x0bnext", "hünter2-token"])
def test_a_token_that_fits_in_no_header_shows_at_once(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("BEARER", token)
    with pytest.raises(ConfigError, match="no header can") as caught:
        check_for(prometheus("https://p", token={"env": "BEARER"}))
    assert "nter2" not in "".join(traceback.format_exception(caught.value))


def test_an_unset_token_shows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEARER", raising=False)
    with pytest.raises(ConfigError, match="BEARER is not set"):
        check_for(prometheus("https://p", token={"env": "BEARER"}))


# Commands


def command(code: str, timeout: str = "60s", **more: object) -> Check:
    argv = [sys.executable, "-uc", code]
    return Check.model_validate({"command": argv, "timeout": timeout, **more})


@pytest.mark.parametrize(
    ("code", "verdict", "detail"),
    [
        ("print('fine'); print()", PASSED, "exit status 0: fine"),
        (
            "print('a'); print('3  refused'); raise SystemExit(1)",
            FAILED,
            "exit status 1: 3 refused",
        ),
        ("raise SystemExit(2)", INCONCLUSIVE, "exit status 2"),
        ("raise SystemExit(3)", ERROR, "exit status 3"),
        ("raise SystemExit(255)", ERROR, "exit status 255"),
        ("import os; os.kill(os.getpid(), 15)", ERROR, "ended by SIGTERM"),
    ],
)
def test_the_exit_status_is_the_verdict(code: str, verdict: Verdict, detail: str) -> None:
    result = check_for(command(code, name="logins"))()
    assert result == CheckResult("logins", verdict, detail)


def test_a_command_that_takes_too_long_is_an_error_whatever_it_ends_with() -> None:
    check = Check(command=("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"), timeout="300ms")
    result = check_for(check)()
    assert result.verdict is ERROR
    assert result.detail.startswith("ended after its time limit (0.3")


def test_a_command_gets_no_secret_and_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARER", "hunter2-bearer")
    code = "import os; print(os.environ.get('BEARER'), 'hunter2-' + 'bearer')"
    assert check_for(command(code), frozenset({"BEARER"}))().detail == "exit status 0: None ***"


def test_a_program_that_is_not_there_shows_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no program no-such-program"):
        check_for(Check(command=("no-such-program", "x")))
    script = tmp_path / "check"
    script.write_text("no program")
    script.chmod(0o755)
    result = check_for(Check(command=(str(script),)))()
    assert (result.verdict, result.detail) == (ERROR, "it can't be run: Exec format error")


def test_a_check_is_called_by_its_name_or_by_what_it_looks_at() -> None:
    assert command("pass", name="logins").title == "logins"
    assert Check(command=("check-traffic", "x")).title == "check-traffic"
    assert prometheus("https://p").title == 'up{a="b c"}'
