from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sfcutover.emulator import Emulator
from sfcutover.emulator.serve import ForeignFileError, write_files

_CODE = """
import sys
from pathlib import Path
from sfcutover.emulator.serve import serve

def path(text):
    return Path(text) if text else None

port, tls, scenario, env_file, config_file = sys.argv[1:]
say = lambda emulator: print("ready", flush=True)
serve(int(port), tls == "tls", path(scenario), path(env_file), path(config_file), say)
"""


def start(*arguments: object, folder: Path | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", _CODE, *(str(one) for one in arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=folder)


def end(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


def read_env(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal(tmp_path: Path, number: int) -> None:
    env_file, config_file = tmp_path / "env", tmp_path / "cutover.yaml"
    env_file.touch(0o644)
    (tmp_path / "canary.token").write_text("5Aep861.emulated.earlier")
    process = start(0, "plain", "", env_file, config_file)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    values = read_env(env_file)
    assert env_file.stat().st_mode & 0o777 == 0o600
    assert values["SF_INSTANCE_URL"] in config_file.read_text()
    token_file = tmp_path / "canary.token"
    assert token_file.read_text() == values["SF_REFRESH_TOKEN"] + "\n"
    assert token_file.stat().st_mode & 0o777 == 0o600
    assert f'"{token_file}"' in config_file.read_text()
    assert requests.get(f"{values['SF_INSTANCE_URL']}/services/data", timeout=10).ok
    assert end(process, number) == (0, "", "")


def test_the_config_works_from_every_folder(tmp_path: Path) -> None:
    process = start(0, "plain", "", "", "cutover.yaml", folder=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    assert f'"{tmp_path / "canary.token"}"' in (tmp_path / "cutover.yaml").read_text()
    end(process, signal.SIGTERM)


def test_a_shell_can_read_the_env_file(tmp_path: Path) -> None:
    env_file = tmp_path / "env"
    process = start(0, "tls", "", env_file, "")
    assert process.stdout is not None
    process.stdout.readline()
    names = "$SF_ACCESS_TOKEN $REQUESTS_CA_BUNDLE $SFCUTOVER_NEW_PROXY_URL"
    script = f'. "{env_file}"; printf %s "{names}"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    token, bundle, proxy = shown.stdout.split()
    assert proxy == read_env(env_file)["SFCUTOVER_NEW_PROXY_URL"]
    assert token.startswith("00D")
    assert "!" in token
    assert Path(bundle).exists()
    end(process, signal.SIGTERM)
    assert not Path(bundle).exists()


def test_it_replaces_what_it_wrote_and_nothing_else(tmp_path: Path) -> None:
    env_file, config_file = tmp_path / "env", tmp_path / "cutover.yaml"
    with Emulator(tls=False) as first:
        write_files(first, env_file, config_file)
        before = config_file.read_text()
    with Emulator(tls=False) as second:
        write_files(second, env_file, config_file)
        assert config_file.read_text() != before
        assert second.url in config_file.read_text()
        config_file.write_text(config_file.read_text() + "# a note\n")
        changed = config_file.read_text()
        with pytest.raises(ForeignFileError, match=r"cutover\.yaml"):
            write_files(second, env_file, config_file)
    assert config_file.read_text() == changed


@pytest.mark.parametrize("name", ["env", "cutover.yaml", "canary.token"])
def test_a_file_that_it_did_not_write_stays(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("5Aep861 of a real org\n")
    with Emulator(tls=False) as emulator, pytest.raises(ForeignFileError, match=name):
        write_files(emulator, tmp_path / "env", tmp_path / "cutover.yaml")
    assert path.read_text() == "5Aep861 of a real org\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_bad_scenario_is_an_error(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("colour: red\n")
    process = start(0, "plain", scenario, "", "")
    _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "colour" in err


def test_importing_it_loads_neither_soap_client_nor_cryptography() -> None:
    code = (
        "import sys, sfcutover.emulator; "
        "print([name for name in ('zeep', 'simple_salesforce', 'cryptography', 'trustme') "
        "if name in sys.modules])"
    )
    environment = dict(os.environ)
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert shown.stdout == "[]\n"


def test_it_shares_only_data_and_ranges_with_the_client() -> None:
    code = (
        "import sys, sfcutover.emulator.serve; "
        "print(sorted(name for name in sys.modules if name.startswith('sfcutover.') "
        "and not name.startswith('sfcutover.emulator')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "['sfcutover.allowlist.carriers', 'sfcutover.allowlist.ranges']\n"
