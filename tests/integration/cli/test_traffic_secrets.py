"""No output of a command about traffic contains a secret, whatever fails."""

from __future__ import annotations

import sys
from urllib.parse import quote

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.harness import Desk, HeldClock
from tests.integration.cli.traffic import NEW, OLD, RunningClock, keep_token, verify_with
from tests.integration.cutover.verifying import set_list

PASSWORD = "open@sesame:21"
TOKEN_FILE = "canary.token"
COMMANDS = [
    ("probe",),
    ("switch",),
    ("verify", "--out", "evidence.json"),
    ("deploy", "remove-old", "--yes", "--evidence", "evidence.json"),
    ("deploy", "remove-old", "--yes"),
    ("watch",),
    ("rollback", "--yes"),
    ("switch", "--revert"),
    ("rollback", "--to", "baseline", "--yes", "--traffic-moved"),
]
FAULTS = [
    None,
    Fault(kind="ip_restricted", operation="redeem", count=None),
    Fault(kind="token_expired", operation="redeem", count=None),
    Fault(kind="invalid_client", operation="redeem", count=None),
    Fault(kind="html_body", operation="redeem", count=None),
    Fault(kind="redirect", operation="redeem", count=None),
    Fault(kind="no_access_token", operation="redeem", count=None),
    Fault(kind="drop_after", operation="redeem", count=None),
    Fault(kind="http_503", operation="query", count=None),
    Fault(kind="expired_session", operation="query", count=None),
    Fault(kind="html_body", operation="echo", count=None),
    Fault(kind="proxy_refuses", operation="new_proxy", count=None),
    Fault(kind="proxy_down", operation="old_proxy", count=None),
    Fault(kind="failed", operation="deploy", count=None),
]


@pytest.fixture
def clock() -> HeldClock:
    return RunningClock()


class Planted:
    """Every secret, including the tokens that were rotated out."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        environment = desk.emulator.environment
        self._values = {PASSWORD, quote(PASSWORD, safe="")}
        self._values |= {environment["SF_ACCESS_TOKEN"], environment["SF_CLIENT_SECRET"]}
        self._values |= {environment["SFCUTOVER_NEW_PROXY_URL"]}

    def found_in(self, text: str) -> list[str]:
        self._values.add(self._desk.emulator.environment["SF_REFRESH_TOKEN"] or PASSWORD)
        kept = self._desk.folder / TOKEN_FILE
        if kept.exists():
            self._values.add(kept.read_text().strip())
        return [value for value in self._values if value in text]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind if fault else "no fault")
def test_no_command_prints_a_secret(desk: Desk, fault: Fault | None) -> None:
    keep_token(desk)
    desk.monkeypatch.delenv("SF_REFRESH_TOKEN")  # cutover.yaml names the file
    verify_with(desk, settle="0s", confidence=0.9)
    set_list(desk.emulator, *OLD, *NEW)
    argv = [sys.executable, "-c", "import os; print(sorted(os.environ.items()))"]
    desk.configure(
        switch={"apply": argv, "revert": argv},
        watch={"duration": "0.1s", "interval": "0.1s", "failures": 1},
    )
    planted = Planted(desk)
    planted.found_in("")
    for words in COMMANDS:
        desk.emulator.clear_faults()
        if fault is not None:
            desk.emulator.set_fault(fault)
        result = desk.run("-vv", *words, "--json")
        assert planted.found_in(result.out + result.err) == [], words
    for path in desk.folder.rglob("*"):
        if path.is_file() and path.name != TOKEN_FILE:
            assert planted.found_in(path.read_bytes().decode(errors="replace")) == [], path


@pytest.mark.parametrize("words", [("probe",), ("verify",), ("switch", "--revert")])
def test_a_defect_shows_its_traceback_without_secrets(words: tuple[str, ...], desk: Desk) -> None:
    keep_token(desk)
    set_list(desk.emulator, *OLD, *NEW)
    desk.configure(switch={"apply": ["true"], "revert": ["true"]})
    code = (
        "from sfcutover import __main__\n"
        "from sfcutover.traffic import egress\n"
        "def broken(self):\n"
        "    proxy = self.way\n"
        "    password = proxy.password.reveal()\n"
        "    raise ZeroDivisionError(f'with {password} of {proxy!r}')\n"
        "egress.Egress.session = broken\n"
        "__main__.main()\n"
    )
    result = desk.call("-c", code, "-vv", *words, module=False)
    assert result.code == 1
    assert "ZeroDivisionError: with ***" in result.err
    assert Planted(desk).found_in(result.out + result.err) == []
