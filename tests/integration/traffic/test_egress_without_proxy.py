"""Egress without a proxy: this machine's own address, and a command that prints the address."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import pytest

from sfcutover.allowlist.ranges import IpRange
from sfcutover.emulator import Emulator
from sfcutover.errors import ConfigError
from sfcutover.traffic import command
from sfcutover.traffic.application import Application
from sfcutover.traffic.egress import Direct, Egress, ProbeCommand, ask_echo
from sfcutover.traffic.proxyerrors import (
    DestinationUnreachableError,
    EchoAnswerError,
    EchoHttpError,
    EgressTlsError,
    ProbeCommandError,
)
from sfcutover.traffic.redemption import RedemptionOutcome
from sfcutover.util.childenvironment import withhold
from sfcutover.util.secrets import Secret
from tests.support import Request, StartEmulator, StartServer, answer

EXPECTED = (IpRange.parse("198.51.100.20"),)
DIRECT = Egress("new", Direct(), EXPECTED)


def by_script(tmp_path: Path, code: str) -> Egress:
    script = tmp_path / "probe.py"
    script.write_text(code, encoding="utf-8")
    way = ProbeCommand((sys.executable, "-I", "-S", str(script)), "cutover.yaml:7")
    return Egress("new", way, EXPECTED)


# The direct egress


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_direct_egress_ignores_proxies_of_the_environment_and_reuses_no_connection(
    name: str, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    ports: list[int] = []

    def handle(request: Request) -> None:
        ports.append(request.client_address[1])
        answer(request, b"198.51.100.20")

    url = start_server(handle)
    with DIRECT.session() as session:
        for _ in range(3):
            assert str(ask_echo(session, url)) == "198.51.100.20"
    assert str(DIRECT.address(url)) == "198.51.100.20"
    assert len(set(ports)) == 4


def test_a_pickled_session_has_no_proxy(start_server: StartServer) -> None:
    """A helper process redeems through such a session."""
    url = start_server(lambda request: answer(request, b"198.51.100.20"))
    with DIRECT.session() as session, pickle.loads(pickle.dumps(session)) as copy:
        assert str(ask_echo(copy, url)) == "198.51.100.20"


def test_a_direct_egress_verifies_tls_by_the_named_authorities(
    start_emulator: StartEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    org: Emulator = start_emulator(tls=True)
    url = org.environment["SFCUTOVER_TOKEN_URL"]
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(EgressTlsError, match="its TLS certificate could not be verified"):
        DIRECT.address(url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", org.environment["REQUESTS_CA_BUNDLE"])
    with pytest.raises(EchoHttpError, match="answered with HTTP"):
        DIRECT.address(url)


def test_a_failure_without_a_proxy_names_none(start_server: StartServer) -> None:
    with pytest.raises(DestinationUnreachableError, match="the connection failed") as caught:
        DIRECT.address("http://127.0.0.1:1/ip")
    assert "proxy" not in f"{caught.value} {caught.value.hint}"
    url = start_server(lambda request: answer(request, b"", 407))
    with pytest.raises(EchoHttpError, match="answered with HTTP 407") as refused:
        DIRECT.address(url)
    assert "proxy" not in f"{refused.value} {refused.value.hint}"


# A command


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("198.51.100.20", "198.51.100.20"),
        ("  ::ffff:198.51.100.20 \\n\\n", "198.51.100.20"),
        ('{\\n "ip": "2001:db8::1"}', "2001:db8::1"),
    ],
)
def test_the_stdout_of_a_command_is_read_like_an_echo_answer(
    text: str, address: str, tmp_path: Path
) -> None:
    code = f"import sys\nprint('198.51.100.99', file=sys.stderr)\nprint('{text}')\n"
    assert str(by_script(tmp_path, code).address("http://127.0.0.1:1/")) == address


@pytest.mark.parametrize(
    "text", ["", "nothing", "198.51.100.20\\n198.51.100.21", "198.51.100.20/32", " " * 9999]
)
def test_a_command_that_prints_no_address_is_distinguished(text: str, tmp_path: Path) -> None:
    egress = by_script(tmp_path, f"print('{text}')")
    with pytest.raises(EchoAnswerError, match="something that is not an IP address") as caught:
        egress.address("")
    assert "run it by hand" in caught.value.hint
    assert len(caught.value.message) < 200


def test_a_failed_command_is_distinguished_with_any_output(tmp_path: Path) -> None:
    egress = by_script(tmp_path, "print('198.51.100.20')\nraise SystemExit(3)")
    with pytest.raises(ProbeCommandError, match="exit status 3"):
        egress.address("")


def test_a_command_is_limited_in_time_and_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    egress = by_script(tmp_path, "for _ in range(9999): print('x' * 99)")
    with pytest.raises(EchoAnswerError, match="over 65536 bytes"):
        egress.address("")
    monkeypatch.setattr(command, "COMMAND_SECONDS", 0.3)
    egress = by_script(tmp_path, "import time\nprint('198.51.100.20', flush=True)\ntime.sleep(99)")
    with pytest.raises(ProbeCommandError, match="ended after its time limit"):
        egress.address("")


def test_a_command_that_cannot_be_run_is_a_config_error(tmp_path: Path) -> None:
    script = tmp_path / "no-program"
    script.write_text("")
    way = ProbeCommand((str(script),), "cutover.yaml:7")
    with pytest.raises(ConfigError, match="cannot be run: Permission denied") as caught:
        Egress("new", way, EXPECTED).address("")
    assert caught.value.where == "cutover.yaml:7"


def test_commands_receive_no_secret_and_show_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2-of-the-tests")
    withhold(frozenset({"A_SECRET"}), passed=frozenset())
    assert "A_SECRET" in os.environ
    egress = by_script(tmp_path, "import os\nprint(os.environ.get('A_SECRET', '198.51.100.20'))")
    assert str(egress.address("")) == "198.51.100.20"
    Secret("hunter2-of-the-tests")
    egress = by_script(tmp_path, "print('hunter2-of-the-tests')")
    with pytest.raises(EchoAnswerError, match=r"'\*\*\*'"):
        egress.address("")


# The application


def test_an_application_is_run_once_for_each_redemption(tmp_path: Path) -> None:
    script = tmp_path / "redeem.py"
    code = (
        "import pathlib, sys\n"
        f"with open({str(tmp_path / 'runs')!r}, 'a') as runs: runs.write('x')\n"
        "print('{}', file=sys.stderr)\n"
        'print(\'{"status": 200, "address": "198.51.100.20"}\')\n'
    )
    script.write_text(code, encoding="utf-8")
    application = Application((sys.executable, "-I", "-S", str(script)), "cutover.yaml:9")
    application.require_ready()
    for _ in range(2):
        found = application.redeem("new")
        assert (found.outcome, str(found.source)) == (RedemptionOutcome.REDEEMED, "198.51.100.20")
    assert (tmp_path / "runs").read_text() == "xx"
    with pytest.raises(ConfigError, match="the program no-such-program was not found"):
        Application(("no-such-program",), "cutover.yaml:9").require_ready()
