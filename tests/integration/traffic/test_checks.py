from __future__ import annotations

import json
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from sfcutover.config.checks import Check
from sfcutover.traffic.checks import (
    CheckResult,
    Verdict,
    checker_for,
)
from sfcutover.util.childenvironment import withhold
from sfcutover.util.knownsecrets import SECRET_PLACES
from tests.support import StartEmulator, StartServer, answer
from tests.unit.traffic.test_checks import vector

PASSED, FAILED, INCONCLUSIVE, ERROR = Verdict

# Prometheus over HTTP


def prometheus(url: str, timeout: str = "5s", **more: object) -> Check:
    query = {"url": url, "query": 'up{a="b c"}', "condition": "== 1", **more}
    return Check.model_validate({"prometheus": query, "timeout": timeout})


def test_the_query_sends_its_token_in_the_header_only(
    start_server: StartServer, tmp_path: Path
) -> None:
    seen: list[tuple[str, str | None]] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        seen.append((request.path, request.headers["Authorization"]))
        answer(request, vector("1"))

    (tmp_path / "token").write_text("bearer-of-the-tests\n")
    token = {"file": str(tmp_path / "token")}
    look = checker_for(prometheus(f"{start_server(handle)}/prom/", timeout="1.5s", token=token))
    assert look() == CheckResult('up{a="b c"}', PASSED, 'up{job="job0"} = 1 (required: == 1)')
    (tmp_path / "token").write_text("renewed-bearer-of-the-tests\n")
    look()
    assert [header for _, header in seen] == [
        "Bearer bearer-of-the-tests",
        "Bearer renewed-bearer-of-the-tests",
    ]
    parts = urlsplit(seen[0][0])
    assert parts.path == "/prom/api/v1/query"
    assert parse_qs(parts.query) == {"query": ['up{a="b c"}'], "timeout": ["1500ms"]}


def test_an_unknown_authority_is_reported_with_the_setting(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    result = checker_for(prometheus(start_emulator(tls=True).url))()
    assert result.verdict is ERROR
    assert "certificate" in result.detail
    assert "REQUESTS_CA_BUNDLE" in result.detail


def test_without_a_token_no_other_credential_is_sent(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    seen: list[str | None] = []

    def handle(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers["Authorization"])
        answer(request, vector("0"))

    assert checker_for(prometheus(start_server(handle)))().verdict is FAILED
    assert seen == [None]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", "a token is required"),
        (403, b"<html>", "HTTP 403"),
        (302, b"", "redirect"),
        (503, b'{"status":"error","errorType":"timeout","error":"too slow"}', "503: timeout: too"),
        (200, b"<html>login", "an answer that is not from Prometheus"),
    ],
)
def test_a_refused_query_is_an_error(
    start_server: StartServer, status: int, body: bytes, words: str
) -> None:
    def handle(request: BaseHTTPRequestHandler) -> None:
        answer(request, body, status, Location="http://127.0.0.1:1/")

    result = checker_for(prometheus(start_server(handle)))()
    assert result.verdict is ERROR
    assert words in result.detail


def test_a_silent_or_unreachable_server_is_an_error(start_server: StartServer) -> None:
    release = threading.Event()

    def handle(request: BaseHTTPRequestHandler) -> None:
        release.wait(30)

    look, started = checker_for(prometheus(start_server(handle), timeout="100ms")), time.monotonic()
    try:
        result = look()
        assert time.monotonic() - started < 5
    finally:
        release.set()
    assert result.verdict is ERROR
    assert result.detail.endswith("the server did not answer in time")
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        result = checker_for(prometheus(f"http://127.0.0.1:{taken.getsockname()[1]}"))()
    assert result.verdict is ERROR
    assert result.detail.endswith("the connection failed or broke")


def test_a_missing_token_is_an_error_of_the_check(
    start_server: StartServer, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("bearer-of-the-tests")
    url = start_server(lambda request: answer(request, vector("1")))
    look = checker_for(prometheus(url, token={"file": str(tmp_path / "token")}))
    (tmp_path / "token").unlink()
    assert look().verdict is ERROR
    assert "cannot be read" in look().detail


def test_a_refused_token_is_not_repeated(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def echo(request: BaseHTTPRequestHandler) -> None:
        words = f"bad {request.headers['Authorization']}"
        body = {"status": "error", "errorType": "bad_data", "error": words}
        answer(request, json.dumps(body).encode(), 400)

    monkeypatch.setenv("BEARER", "hunter2-bearer")
    result = checker_for(prometheus(start_server(echo), token={"env": "BEARER"}))()
    assert result.detail == "HTTP 400: bad_data: bad Bearer ***"


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
    result = checker_for(command(code, name="logins"))()
    assert result == CheckResult("logins", verdict, detail)


def test_a_command_that_takes_too_long_is_an_error_with_any_exit_status() -> None:
    check = Check(command=("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"), timeout="300ms")
    result = checker_for(check)()
    assert result.verdict is ERROR
    assert result.detail.startswith("ended after its time limit (0.3")


def test_a_command_receives_no_secret_and_shows_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEARER", "hunter2-bearer")
    withhold(frozenset({"BEARER"}), passed=frozenset())
    SECRET_PLACES.add(["BEARER"], [], [])
    code = "import os; print(os.environ.get('BEARER'), 'hunter2-' + 'bearer')"
    assert checker_for(command(code))().detail == "exit status 0: None ***"
