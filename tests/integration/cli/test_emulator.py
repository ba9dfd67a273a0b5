"""The emulator command: a local org in the foreground."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest
import requests

from tests.integration.cli.harness import Desk, Json, Process, Result

FILES = ("--env-file", "new.env", "--config-file", "new.yaml")


def _announced(process: Process) -> Json:
    """The document that the emulator prints once it is ready."""
    lines = [process.wait_for("{", "stdout")]
    while not lines[-1].startswith("}"):
        lines.append(process.wait_for("", "stdout"))
    return Result(0, "".join(lines), "").json("emulator")


def _variables(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_emulator_reports_ready_and_its_files_work_with_every_command(desk: Desk) -> None:
    process = desk.start("emulator", "--no-tls", *FILES)
    assert process.wait_for("", "stdout") == "ready\n"
    path = desk.folder / "new.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name, value in _variables(path).items():
        desk.monkeypatch.setenv(name, value)
    for words in (["doctor"], ["plan"], ["deploy", "add-new", "--yes"], ["diff", "add-new"]):
        assert desk.run("--config", "new.yaml", *words).code == 0
    process.send(signal.SIGTERM)
    result = process.result()
    assert (result.code, result.out, result.err) == (0, "", "")


def test_json_names_the_org_and_the_files(desk: Desk) -> None:
    process = desk.start("--json", "emulator", *FILES)
    document = _announced(process)
    assert (document["env_file"], document["config_file"]) == ("new.env", "new.yaml")
    variables = _variables(desk.folder / "new.env")
    assert document["instance_url"] == variables["SFCUTOVER_INSTANCE_URL"]
    assert document["instance_url"].startswith("https://127.0.0.1:")
    answer = requests.get(
        f"{document['instance_url']}/services/data",
        verify=variables["REQUESTS_CA_BUNDLE"],
        timeout=10,
    )
    assert answer.ok
    process.send(signal.SIGINT)
    assert process.result().code == 0


def test_the_config_works_from_every_folder(desk: Desk) -> None:
    process = desk.start("emulator", "--no-tls", *FILES)
    process.wait_for("ready", "stdout")
    token_file = desk.folder.resolve() / "canary.token"
    assert f'"{token_file}"' in (desk.folder / "new.yaml").read_text(encoding="utf-8")
    process.send(signal.SIGTERM)
    assert process.result().code == 0


def test_a_shell_can_source_the_env_file(desk: Desk) -> None:
    process = desk.start("emulator", *FILES)
    process.wait_for("ready", "stdout")
    names = "$SF_ACCESS_TOKEN $REQUESTS_CA_BUNDLE $SFCUTOVER_NEW_PROXY_URL"
    script = f'. ./new.env; printf %s "{names}"'
    shown = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, cwd=desk.folder
    )
    token, bundle, proxy = shown.stdout.split()
    assert proxy == _variables(desk.folder / "new.env")["SFCUTOVER_NEW_PROXY_URL"]
    assert token.startswith("00D")
    assert "!" in token
    assert Path(bundle).exists()
    process.send(signal.SIGTERM)
    assert process.result().code == 0
    assert not Path(bundle).exists()


def test_emulator_listens_on_loopback_only(desk: Desk) -> None:
    process = desk.start("--json", "emulator", "--no-tls")
    port = int(_announced(process)["instance_url"].rpartition(":")[2])
    listening = {
        fields[1].split(":")[0]
        for name in ("tcp", "tcp6")
        for fields in map(str.split, Path("/proc/net", name).read_text().splitlines()[1:])
        if fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
    }
    assert listening == {"0100007F"}
    process.send(signal.SIGTERM)
    assert process.result().code == 0


def test_a_port_in_use_is_an_error(desk: Desk) -> None:
    port = desk.emulator.url.rpartition(":")[2]
    result = desk.run("emulator", "--no-tls", "--port", port)
    result.refused(
        1, f"127.0.0.1:{port}: the emulator can't start: Address already in use", impact=False
    )
    assert "--port" in result.hint


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("colour: red\n", "colour"),
        ("deploy_seconds: -1\n", "deploy_seconds"),
        ("old: [300.1.1.1]\n", "300.1.1.1"),
        ("faults: [{kind: earthquake}]\n", "faults.0"),
        ("a: [\n", "not YAML"),
        (None, "No such file"),
    ],
)
def test_a_bad_scenario_names_the_file_and_the_key(
    desk: Desk, text: str | None, error: str
) -> None:
    if text is not None:
        desk.write("scenario.yaml", text)
    desk.run("emulator", "--scenario", "scenario.yaml").refused(2, "scenario.yaml", error)


@pytest.mark.parametrize("option", ["--env-file", "--config-file"])
def test_an_unwritable_file_is_an_error(desk: Desk, option: str) -> None:
    result = desk.run("emulator", "--no-tls", option, "nowhere/file")
    result.refused(
        1, "nowhere/", "the emulator can't start: No such file or directory", impact=False
    )
    assert not os.path.lexists("nowhere")


@pytest.mark.parametrize("option", ["--env-file", "--config-file"])
def test_a_file_from_elsewhere_is_not_overwritten(desk: Desk, option: str) -> None:
    desk.write("mine", "name: mine\n")
    result = desk.run("emulator", "--no-tls", option, "mine")
    result.refused(
        1, "mine: the emulator did not write this file, or it has changed since", impact=False
    )
    assert "move the file away" in result.hint
    assert (desk.folder / "mine").read_text(encoding="utf-8") == "name: mine\n"


def test_errors_are_reported_as_json(desk: Desk) -> None:
    result = desk.run("--json", "emulator", "--scenario", "missing.yaml")
    assert result.json("error")["exit_code"] == 2
