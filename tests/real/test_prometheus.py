"""The Prometheus check against Debian's ``prometheus``, which scrapes itself and one page."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests
import yaml

from sfcutover.config.checks import Check
from sfcutover.traffic.checks import CheckResult, Verdict, checker_for
from tests.support import answer, serving

pytestmark = pytest.mark.slow  # programs that others wrote

PASSED, FAILED, INCONCLUSIVE, ERROR = Verdict
_PROGRAM = shutil.which("prometheus")
_MISSING = "prometheus is not installed: apt-get install prometheus"
_PATIENCE = 60.0  # seconds; it is ready in one or two
_LOOK = 0.1  # seconds between two checks

if _PROGRAM is None and os.environ.get("SFCUTOVER_REQUIRE_REAL") != "1":
    pytest.skip(_MISSING, allow_module_level=True)  # one line for all tests


@dataclass
class Page:
    """A page of metrics; while down, it answers 500."""

    status: int = 200
    metrics: dict[str, str] = field(default_factory=lambda: {"logins_failed": "0"})

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        text = "".join(f"{name} {value}\n" for name, value in self.metrics.items())
        answer(request, text.encode(), self.status, Content_Type="text/plain; version=0.0.4")


@dataclass(frozen=True)
class Prometheus:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]
    page: Page

    def check(self, query: str, condition: str) -> CheckResult:
        asked = {"url": self.url, "query": query, "condition": condition}
        return checker_for(Check.model_validate({"prometheus": asked, "timeout": "30s"}))()

    def comes_to(self, verdict: Verdict, query: str, condition: str) -> CheckResult:
        """The first result with this verdict: scrapes take place every second."""
        result: list[CheckResult] = []

        def arrived() -> bool:
            result[:] = [self.check(query, condition)]
            return result[0].verdict is verdict

        self.wait_for(arrived)
        return result[0]

    def wait_for(self, arrived: Callable[[], bool]) -> None:
        """Check until the condition is true. Fails if the server ends, or after _PATIENCE."""
        deadline = time.monotonic() + _PATIENCE
        while not arrived():
            assert time.monotonic() < deadline
            with pytest.raises(subprocess.TimeoutExpired):  # or it has ended
                self.process.wait(_LOOK)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).ok
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server without settings of the machine."""
    if _PROGRAM is None:
        pytest.fail(_MISSING, pytrace=False)
    page = Page()
    with (
        serving(page.handle) as url,
        _running(_PROGRAM, url, tmp_path_factory.mktemp("prometheus")) as (port, process),
    ):
        server = Prometheus(f"http://127.0.0.1:{port}", process, page)
        server.wait_for(server.is_ready)
        yield server


@contextmanager
def _running(
    program: str, page: str, folder: Path
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    jobs = {"itself": f"127.0.0.1:{port}", "page": page.removeprefix("http://")}
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [target]}]}
            for name, target in jobs.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    arguments = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *(f"--{name}={value}" for name, value in arguments.items())],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        yield port, process
    finally:
        process.kill()  # its data goes with the folder
        process.wait()


def test_a_true_condition_passes(prometheus: Prometheus) -> None:
    prometheus.comes_to(PASSED, "count(up == 1)", "== 2")
    result = prometheus.check("up", "== 1")
    assert result.verdict is PASSED
    assert 'job="itself"' in result.detail
    assert prometheus.check("1 + 1", "== 2") == CheckResult(
        "1 + 1", PASSED, "the value = 2 (required: == 2)"
    )


def test_a_false_condition_fails(prometheus: Prometheus) -> None:
    prometheus.comes_to(PASSED, 'count({job="itself"})', "> 100")
    assert prometheus.check("up", "< 1").verdict is FAILED
    prometheus.comes_to(FAILED, 'scrape_samples_scraped{job="page"}', "!= 1")
    assert prometheus.check("vector(1) / 0", "< 5").detail == "the value = inf (required: < 5)"


def test_one_of_several_series_decides(prometheus: Prometheus) -> None:
    prometheus.comes_to(PASSED, "count(up == 1)", "== 2")
    result = prometheus.check('up{job="itself"} or up{job="page"} * 0', "== 1")
    assert result.verdict is FAILED
    assert result.detail.endswith('job="page"} = 0 (required: == 1)')


def test_a_missing_series_is_inconclusive(prometheus: Prometheus) -> None:
    result = prometheus.check("no_such_series", "== 0")
    assert result.verdict is INCONCLUSIVE
    assert "no series" in result.detail
    assert prometheus.check("vector(0) / 0", "== 0").verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("query", "words"),
    [("up{", "HTTP 400: bad_data"), ("up[1m]", "returns a matrix"), ('"text"', "returns a string")],
)
def test_an_invalid_query_is_an_error(prometheus: Prometheus, query: str, words: str) -> None:
    result = prometheus.check(query, "== 0")
    assert result.verdict is ERROR
    assert words in result.detail


def test_a_stale_series_stops_passing(prometheus: Prometheus) -> None:
    prometheus.comes_to(PASSED, "logins_failed", "== 0")
    prometheus.page.metrics = {"logins_failed": "3"}
    assert "logins_failed" in prometheus.comes_to(FAILED, "logins_failed", "== 0").detail
    prometheus.page.status = 500
    prometheus.comes_to(INCONCLUSIVE, "logins_failed", "== 3")
    assert prometheus.check('up{job="page"}', "== 1").verdict is FAILED
