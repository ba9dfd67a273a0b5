"""No output and no written file contains a secret, whatever fails."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sfcutover.emulator.faults import Fault
from tests.integration.cli.harness import Desk
from tests.integration.cli.traffic import keep_token

COMMANDS = [
    ("init", "--force", "--config", "init.yaml", "--old", "127.0.0.11", "--new", "127.0.0.21"),
    ("doctor",),
    ("plan", "--out", "plan.json"),
    ("render", "--out", "out"),
    ("diff", "add-new", "--format", "xml"),
    ("deploy", "add-new", "--dry-run"),
    ("deploy", "add-new", "--yes", "--async"),
    ("deploy", "add-new", "--yes", "--wait", "0"),
    ("deploy", "add-new", "--yes"),
    ("deploy", "remove-old", "--yes"),
    ("deployment", "report", "0Af000000000001"),
]
FAULTS = [
    None,
    Fault(kind="expired_session", count=None),
    Fault(kind="http_503", count=6),
    Fault(kind="html_body", operation="listMetadata", count=None),
    Fault(kind="bad_xml", operation="listMetadata", count=None),
    Fault(kind="org_locked", operation="deploy"),
    Fault(kind="failed", operation="deploy"),
    Fault(kind="drop_before", operation="listMetadata", count=None),
]


def _leaks(desk: Desk, text: str) -> list[str]:
    """The variables whose secret is in the text; of a URL it is the password."""
    return [
        name
        for name, value in desk.emulator.environment.items()
        if name.endswith(("_TOKEN", "_SECRET", "PROXY_URL"))
        and (urlsplit(value).password or value) in text
    ]


def test_the_org_has_secrets_of_every_kind(desk: Desk) -> None:
    everything = " ".join(desk.emulator.environment.values())
    assert {"SF_ACCESS_TOKEN", "SF_CLIENT_SECRET", "SF_REFRESH_TOKEN"} <= {
        *_leaks(desk, everything)
    }


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.kind if fault else "no fault")
def test_no_command_prints_a_secret(desk: Desk, fault: Fault | None) -> None:
    for words in COMMANDS:
        desk.emulator.clear_faults()
        if fault is not None:
            desk.emulator.set_fault(fault)
        for option in ((), ("--json",)):
            result = desk.run("-vv", *words, *option)
            assert _leaks(desk, result.out + result.err) == [], words
    for path in _files(desk.folder):
        assert _leaks(desk, path.read_bytes().decode(errors="replace")) == [], path


def test_a_login_by_client_credentials_prints_no_secret(desk: Desk) -> None:
    keep_token(desk)
    login = {
        "client_id": {"env": "SF_CLIENT_ID"},
        "client_secret": {"env": "SF_CLIENT_SECRET"},
        "login_url": desk.emulator.url,
    }
    desk.configure(targets=[{"name": "packaging", "org": {"client_credentials": login}}])
    good = desk.run("-vv", "doctor")
    assert good.code == 0
    assert _leaks(desk, good.out + good.err) == []
    wrong = desk.emulator.environment["SF_CLIENT_SECRET"] + "-wrong"
    desk.monkeypatch.setenv("SF_CLIENT_SECRET", wrong)
    bad = desk.run("-vv", "plan")
    assert bad.code == 6
    assert wrong not in bad.out + bad.err


def test_a_secret_with_quotes_is_masked_in_json(desk: Desk) -> None:
    secret = 'pa"ss\\wörd</a>'
    desk.configure(policies={"ipRelaxationPolicyType": "Bypass"})
    desk.monkeypatch.setenv("SF_ACCESS_TOKEN", secret)
    result = desk.run("-vv", "doctor", "--json")
    assert result.code in (2, 6)
    for form in (secret, 'pa\\"ss', "pa%22ss", "ss\\\\w"):
        assert form not in result.out + result.err


def test_a_defect_shows_its_traceback_without_secrets(desk: Desk) -> None:
    code = (
        "from sfcutover import __main__\n"
        "from sfcutover.util import secretsources\n"
        "def broken(*_):\n"
        "    token = secretsources.secret_from_environment('SF_ACCESS_TOKEN', 'here').reveal()\n"
        "    raise ZeroDivisionError(f'with {token}')\n"
        "import sfcutover.cli.doctor\n"
        "sfcutover.cli.doctor.examine = broken\n"
        "__main__.main()\n"
    )
    result = desk.call("-c", code, "doctor", "--json", module=False)
    assert result.code == 1
    assert "ZeroDivisionError: with ***" in result.err
    assert "an unexpected error: this is a defect of sfcutover" in result.err
    assert result.json("error")["exit_code"] == 1
    assert _leaks(desk, result.out + result.err) == []
