"""doctor's checks of traffic: it redeems nothing, and reports what it did not try."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sfcutover.emulator.faults import Fault
from tests.chaos.world import ROOT
from tests.integration.cli.conftest import OpenDesk
from tests.integration.cli.harness import Desk, Result
from tests.integration.cli.traffic import NEW, keep_token, verify_with
from tests.integration.cutover.verifying import set_list
from tests.support import operations

ONLY = ("doctor", "--only", "traffic")
MOUNTED = (
    "touch other && cat canary.token > other && chmod 600 other && "
    "mount --bind other canary.token && exec {python} -m sfcutover {words}"
)


@pytest.fixture
def canary(desk: Desk) -> Desk:
    """A desk whose canary has its token."""
    keep_token(desk)
    return desk


def lines_of(result: Result, name: str) -> list[str]:
    return [line for line in result.out.splitlines() if f" {name}: " in line]


def test_healthy_traffic_passes_without_a_redemption(canary: Desk) -> None:
    result = canary.run(*ONLY, "--strict")
    assert result.code == 0, result.out
    for name, pair in (("old", "127.0.0.11, 127.0.0.12"), ("new", "127.0.0.21, 127.0.0.22")):
        (line,) = lines_of(result, f"{name} egress")
        assert line.startswith(f"ok       {name} egress: http://127.0.0.1:")
        assert f"leaves from {pair}; 37 probes: " in line
    assert "canary: its refresh token was read, and its file can be replaced" in result.out
    assert result.out.count("no redemption was tried") == 2
    assert canary.emulator.redemptions == []
    (line,) = lines_of(result, "reputation")
    assert line.startswith("skipped")
    assert "the canary redeems first, never a customer's token" in line


def test_unconfigured_parts_are_not_tried(canary: Desk) -> None:
    canary.configure(egress=None, switch=None, verify=None)
    result = canary.run("doctor")
    assert result.code == 0
    assert "skipped  old egress: not tried: not configured" in result.out
    assert "nothing can be removed" in result.out


# The egresses


def test_a_missing_egress_address_is_found_every_time(open_desk: OpenDesk) -> None:
    desk = open_desk(new_egress=[NEW[0]])
    keep_token(desk)
    for _ in range(4):
        result = desk.run(*ONLY)
        assert result.code == 5
        (line,) = lines_of(result, "new egress")
        assert line.startswith("FAILED")
        assert f"{NEW[1]} was not observed" in line
        assert "token endpoint: not tried: it requires the new egress" in result.out


def test_an_egress_with_other_addresses_fails(canary: Desk) -> None:
    old = canary.emulator.environment["SFCUTOVER_OLD_PROXY_URL"]
    canary.monkeypatch.setenv("SFCUTOVER_NEW_PROXY_URL", old)
    result = canary.run(*ONLY)
    assert result.code == 5
    assert "unexpected egress addresses 127.0.0.11, 127.0.0.12 (not in new:)" in result.out


@pytest.mark.parametrize("fault", ["proxy_down", "proxy_refuses"])
def test_an_unreachable_old_egress_is_a_warning(canary: Desk, fault: str) -> None:
    canary.emulator.set_fault(Fault(kind=fault, operation="old_proxy", count=None))
    result = canary.run(*ONLY)
    assert result.code == 0
    assert "warning  old egress: no proven rollback path for traffic: " in result.out
    assert canary.run(*ONLY, "--strict").code == 1


def test_a_missing_address_of_the_old_egress_is_a_warning(open_desk: OpenDesk) -> None:
    desk = open_desk(old_egress=["127.0.0.11"])
    keep_token(desk)
    result = desk.run(*ONLY)
    assert result.code == 0
    assert (
        "no proven rollback path for traffic: the old egress: expected address 127.0.0.12"
        in result.out
    )


def test_an_unreachable_new_egress_is_a_failure(canary: Desk) -> None:
    canary.emulator.set_fault(Fault(kind="proxy_down", operation="new_proxy", count=None))
    result = canary.run(*ONLY)
    assert result.code == 7
    assert "FAILED   new egress: " in result.out


# Secrets


@pytest.mark.parametrize("name", ["SFCUTOVER_OLD_PROXY_URL", "SFCUTOVER_NEW_PROXY_URL"])
def test_an_unset_proxy_variable_is_a_failure(canary: Desk, name: str) -> None:
    canary.monkeypatch.delenv(name)
    result = canary.run(*ONLY)
    assert result.code == 2
    side = name.split("_")[1].lower()
    (line,) = lines_of(result, f"egress.{side}.proxy")
    assert line.startswith("FAILED")
    assert f"{name} is not set" in line
    (line,) = lines_of(result, f"{side} egress")
    assert line == f"skipped  {side} egress: not tried: it needs egress.{side}.proxy"


def test_an_unset_secret_fails_one_check_and_skips_those_that_need_it(canary: Desk) -> None:
    canary.monkeypatch.delenv("SF_CLIENT_SECRET")
    result = canary.run(*ONLY)
    assert (result.code, result.out.count("SF_CLIENT_SECRET is not set")) == (2, 1)
    for name in ("token endpoint", "canary"):
        (line,) = lines_of(result, name)
        assert line == f"skipped  {name}: not tried: it needs verify.client_secret"
    assert result.err == "1 check failed; exit 2\n"


def test_an_unset_secret_of_a_check_is_a_failure(canary: Desk) -> None:
    check = {"url": "http://127.0.0.1:9090", "query": "up", "condition": "== 1"}
    canary.configure(checks=[{"prometheus": {**check, "token": {"env": "NOT_SET"}}}])
    result = canary.run(*ONLY)
    assert result.code == 2
    assert "FAILED   checks[0].prometheus.token: " in result.out
    assert "NOT_SET is not set" in result.out


# The token endpoint


def test_the_token_endpoint_is_checked_through_the_new_egress(canary: Desk) -> None:
    result = canary.run(*ONLY)
    (line,) = lines_of(result, "token endpoint")
    assert line.startswith("ok ")
    assert line.endswith(
        " is reachable through the new egress (HTTP 400 to a GET, as expected; no redemption was "
        "tried)"
    )
    (asked,) = operations(canary.emulator, "token")
    assert asked["source"] in NEW


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("login.salesforce.com/services/oauth2/token", 2, "is not an https URL"),
        ("https://login.salesforce.example/services/oauth2/token", 2, "is not Salesforce's"),
        ("http://[::1", 2, "is not a URL"),
    ],
)
def test_a_malformed_token_url_is_a_failure(canary: Desk, url: str, code: int, words: str) -> None:
    verify_with(canary, token_url=url)
    result = canary.run(*ONLY)
    assert result.code == code
    (line,) = lines_of(result, "token endpoint")
    assert line.startswith("FAILED")
    assert words in line


def test_an_unreachable_token_endpoint_is_a_failure(canary: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    verify_with(canary, token_url=f"https://127.0.0.1:{port}/services/oauth2/token")
    result = canary.run(*ONLY)
    assert result.code == 7
    assert "FAILED   token endpoint: " in result.out


def test_a_plaintext_endpoint_behind_an_https_url_is_a_failure(canary: Desk) -> None:
    url = canary.emulator.url.replace("http://", "https://")
    verify_with(canary, token_url=f"{url}/services/oauth2/token")
    assert canary.run(*ONLY).code == 7


def test_a_path_that_is_not_a_token_endpoint_is_a_warning(canary: Desk) -> None:
    verify_with(canary, token_url=f"{canary.emulator.url}/services/oauth2/tokens")
    result = canary.run(*ONLY)
    assert result.code == 0
    (line,) = lines_of(result, "token endpoint")
    assert line.startswith("warning")
    assert "HTTP 404, which is unusual for a token endpoint" in line


# The canary


def test_a_token_file_that_others_can_read_is_named(canary: Desk) -> None:
    (canary.folder / "canary.token").chmod(0o644)
    result = canary.run(*ONLY)
    assert result.code == 2
    assert "canary.token can be read or written by others" in result.out
    assert "fix: chmod 600" in result.out


def test_the_token_file_is_replaced_by_identical_content(canary: Desk) -> None:
    file = canary.folder / "canary.token"
    content, number = file.read_bytes(), file.stat().st_ino
    file.write_bytes(content := content.strip())  # a final line end is optional
    assert canary.run(*ONLY).code == 0
    assert file.read_bytes() == content
    assert file.stat().st_ino != number


def call_mounted(desk: Desk, *words: str) -> Result:
    """Run a command that sees the canary's token as a mounted file."""
    script = MOUNTED.format(python=sys.executable, words=" ".join(words))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def can_mount(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    mount = f"mount --bind {tmp_path}/one {tmp_path}/one"
    words = ["unshare", "--mount", "sh", "-c", mount]
    if shutil.which("unshare") is None or subprocess.run(words, check=False).returncode:
        pytest.skip("this machine lets no test mount a file")


@pytest.mark.usefixtures("can_mount")
@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((*ONLY,), "FAILED   canary: "),
        (("verify",), "error: "),
        (("watch",), "canary"),
        (("deploy", "remove-old", "--yes", "--traffic-moved"), "error: "),
    ],
)
def test_a_mounted_token_file_is_refused_before_a_redemption(
    canary: Desk, words: tuple[str, ...], name: str
) -> None:
    set_list(canary.emulator, "127.0.0.11", "127.0.0.12", *NEW)
    canary.configure(watch={"duration": "0.1s", "interval": "0.1s", "inconclusive": 1})
    before = canary.emulator.environment["SF_REFRESH_TOKEN"]
    result = call_mounted(canary, *words)
    assert result.code in (2, 5), result.err
    text = result.out + result.err
    assert name in text
    assert "canary.token cannot be replaced: Device or resource busy" in text
    assert canary.emulator.redemptions == []
    assert canary.emulator.environment["SF_REFRESH_TOKEN"] == before


def test_a_token_with_a_lost_answer_is_not_reported_as_valid(canary: Desk) -> None:
    set_list(canary.emulator, "127.0.0.11", "127.0.0.12", *NEW)
    canary.emulator.set_fault(Fault(kind="drop_after", operation="redeem"))
    canary.run("verify")
    result = canary.run(*ONLY)
    assert result.code == 6
    assert "FAILED   canary: " in result.out
    assert "the answer was lost" in result.out


def test_a_token_that_could_not_be_stored_is_not_reported_as_valid(canary: Desk) -> None:
    verify_with(canary, refresh_token={"env": "SF_REFRESH_TOKEN"})
    result = canary.run(*ONLY)
    assert result.code == 2
    assert "cannot take a new one" in result.out
    verify_with(canary, refresh_token={"env": "SF_REFRESH_TOKEN", "rotation": False})
    assert "ok       canary: its refresh token was read; no red" in canary.run(*ONLY).out


def test_a_put_command_is_reported_as_not_tried(canary: Desk) -> None:
    verify_with(canary, refresh_token={"get": ["cat", "canary.token"], "put": ["tee", "put"]})
    result = canary.run(*ONLY)
    assert result.code == 0
    assert "it was read; put and a redemption were not tried" in result.out.replace(
        "its refresh token", "it"
    )
    assert not (canary.folder / "put").exists()


def test_every_canary_is_tried(canary: Desk) -> None:
    verify = yaml.safe_load(canary.config.read_text())["verify"]
    own = {"name": "own", "refresh_token": verify.pop("refresh_token")}
    other = {"name": "other", "refresh_token": {"file": "missing.token"}}
    canary.configure(verify=verify | {"canaries": [own, other]})
    result = canary.run(*ONLY)
    assert result.code == 2
    assert "ok       canary of own: " in result.out
    assert "FAILED   canary of other: " in result.out
    assert len(operations(canary.emulator, "token")) == 2
