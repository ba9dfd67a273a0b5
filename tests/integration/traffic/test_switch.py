from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import pytest

from sfcutover.allowlist.ranges import IpRange
from sfcutover.config.cutover import load_config
from sfcutover.config.traffic import Switch
from sfcutover.config.values import secret_variables
from sfcutover.errors import ConfigError, ExitCode, InterruptedRunError, OperationFailedError
from sfcutover.traffic.switch import SwitchFacts, run_switch

OLD = (IpRange.parse("203.0.113.10"), IpRange.parse("203.0.113.12-203.0.113.14"))
NEW = (IpRange.parse("198.51.100.20"),)
APPLY = SwitchFacts.of("move", "Acme_Connector", "apply", OLD, NEW)
REVERT = SwitchFacts.of("move", "Acme_Connector", "revert", OLD, NEW)
SECRETS = frozenset({"PROXY_URL", "CLIENT_SECRET"})


def python(code: str) -> Switch:
    return Switch(apply=(sys.executable, "-uc", code))


def test_the_command_learns_the_facts_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("SFCUTOVER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PROXY_URL", "http://me:hunter2-pw@proxy.example.com")
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-secret")
    monkeypatch.setenv("HEROKU_REGION", "eu")
    monkeypatch.setenv("SFCUTOVER_NEW", "something old")
    lines: list[str] = []
    code = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv]))"
    result = run_switch(python(code), APPLY, SECRETS, timeout=60, output=lines.append)
    environment, arguments = json.loads(lines[0])
    assert {name: environment[name] for name in environment if name.startswith("SFCUTOVER_")} == {
        "SFCUTOVER_CUTOVER": "move",
        "SFCUTOVER_APP": "Acme_Connector",
        "SFCUTOVER_DIRECTION": "apply",
        "SFCUTOVER_OLD": "203.0.113.10,203.0.113.12-203.0.113.14",
        "SFCUTOVER_NEW": "198.51.100.20",
    }
    assert environment["HEROKU_REGION"] == "eu"
    assert not SECRETS & environment.keys()
    assert arguments == ["-c"]
    assert (result.direction, result.manual) == ("apply", False)
    assert result.seconds > 0


def test_a_secret_it_prints_all_the_same_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-secret")
    lines: list[str] = []
    code = "print('CLIENT_SECRET: hunter2-sec' + 'ret')"
    run_switch(python(code), APPLY, SECRETS, timeout=60, output=lines.append)
    assert lines == ["CLIENT_SECRET: ***"]


def test_the_way_back_is_the_other_command() -> None:
    lines: list[str] = []
    config = Switch(
        apply=("/no/such/program",),
        revert=(sys.executable, "-c", "import os; print(os.environ['SFCUTOVER_DIRECTION'])"),
    )
    result = run_switch(config, REVERT, SECRETS, timeout=60, output=lines.append)
    assert (lines, result.direction) == (["revert"], "revert")


def test_no_shell_reads_the_arguments() -> None:
    lines: list[str] = []
    config = Switch(
        apply=(sys.executable, "-c", "import sys; print(sys.argv[1:])", "$HOME;*", "a b")
    )
    run_switch(config, APPLY, SECRETS, timeout=60, output=lines.append)
    assert lines == ["['$HOME;*', 'a b']"]


def test_a_command_that_fails_says_how() -> None:
    with pytest.raises(OperationFailedError, match="failed: exit status 3") as caught:
        run_switch(python("raise SystemExit(3)"), APPLY, SECRETS, timeout=60)
    assert caught.value.exit_code is ExitCode.FAILED
    assert "--revert" in caught.value.hint
    assert "some of it may have moved" in caught.value.tokens
    config = Switch(apply=("a",), revert=(sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(OperationFailedError) as caught:
        run_switch(config, REVERT, SECRETS, timeout=60)
    assert caught.value.hint.endswith("the way back: without --revert")


def test_a_command_that_takes_too_long_failed() -> None:
    with pytest.raises(OperationFailedError, match="ended after its time limit"):
        run_switch(
            python("import threading; threading.Event().wait()"), APPLY, SECRETS, timeout=0.5
        )


def test_a_command_that_was_told_of_ctrl_c_and_ended_well_was_interrupted() -> None:
    code = (
        "import signal, sys, threading\n"
        "signal.signal(signal.SIGINT, lambda *_: sys.exit(0))\n"
        "print('ready')\nthreading.Event().wait()"
    )

    def interrupt(_: str) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedRunError, match="was told and ended: exit status 0") as caught:
        run_switch(python(code), APPLY, SECRETS, timeout=60, output=interrupt)
    assert caught.value.exit_code is ExitCode.INTERRUPTED
    assert "some of it may have moved" in caught.value.tokens


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("no-such-program-here", "No such file"),
        ("data", "Permission denied"),
        ("text", "Exec format"),
    ],
)
def test_a_program_that_can_t_be_run_is_the_config_s_fault(
    tmp_path: Path, program: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "hunter2-secret")
    (tmp_path / "data").write_text("no program")
    (tmp_path / "text").write_text("no program")
    (tmp_path / "text").chmod(0o755)
    path = str(tmp_path / program)
    with pytest.raises(ConfigError, match=why) as caught:
        run_switch(Switch(apply=(path, "x")), APPLY, SECRETS, timeout=60)
    assert caught.value.where == "cutover.yaml"
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_without_a_way_back_a_person_must_go_it() -> None:
    with pytest.raises(ConfigError, match=r"no command for switch\.revert"):
        run_switch(python("pass"), REVERT, SECRETS, timeout=60)


def test_a_person_says_that_the_traffic_has_moved() -> None:
    questions: list[str] = []

    def yes(question: str) -> bool:
        questions.append(question)
        return True

    manual = Switch(manual=True)
    result = run_switch(manual, APPLY, SECRETS, timeout=60, ask=yes)
    assert (result.direction, result.manual) == ("apply", True)
    run_switch(manual, REVERT, SECRETS, timeout=60, ask=yes)
    old, new = "203.0.113.10,203.0.113.12-203.0.113.14", "198.51.100.20"
    assert questions == [
        f"Move the traffic of Acme_Connector to {new} (away from {old}). Is that done?",
        f"Move the traffic of Acme_Connector to {old} (away from {new}). Is that done?",
    ]


def test_no_answer_is_no() -> None:
    with pytest.raises(InterruptedRunError, match="nobody confirmed"):
        run_switch(Switch(manual=True), APPLY, SECRETS, timeout=60)


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
