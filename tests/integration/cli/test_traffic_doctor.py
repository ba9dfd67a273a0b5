"""The doctor's look at the traffic side."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sfcutover.cli import cli
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario


@pytest.fixture
def org(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    emulator = Emulator(Scenario(), tls=False)
    (tmp_path / "cutover.yaml").write_text(emulator.config_text())
    token = tmp_path / "canary.token"
    token.touch(0o600)
    token.write_text(emulator.environment["SF_REFRESH_TOKEN"])
    for name, value in emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return emulator


def doctor() -> Result:
    return CliRunner().invoke(cli, ["doctor"], standalone_mode=False)


def test_a_healthy_traffic_side_is_all_ok_and_redeems_nothing(org: Emulator) -> None:
    with org:
        result = doctor()
        assert result.return_value == 0, result.output
        assert "old egress: http://127.0.0.1" in result.output
        assert "leaves from 127.0.0.2" in result.output
        assert "canary: its refresh token can be read and replaced" in result.output
        assert org.redemptions == []


def test_an_egress_that_leaves_by_other_addresses_is_drift(
    org: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with org:
        monkeypatch.setenv("SFCUTOVER_NEW_PROXY_URL", org.environment["SFCUTOVER_OLD_PROXY_URL"])
        result = doctor()
        assert "which is none of the new addresses" in result.output
        assert result.return_value == 4


def test_a_proxy_secret_that_is_not_here_is_a_warning(
    org: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with org:
        monkeypatch.delenv("SFCUTOVER_NEW_PROXY_URL")
        result = doctor()
        assert "SFCUTOVER_NEW_PROXY_URL is not set" in result.output
        assert result.return_value == 0


def test_a_token_file_that_others_can_read_is_named(org: Emulator, tmp_path: Path) -> None:
    with org:
        (tmp_path / "canary.token").chmod(0o644)
        result = doctor()
        assert "canary.token" in result.output
        assert "fix:" in result.output


def test_nothing_configured_is_skipped(org: Emulator, tmp_path: Path) -> None:
    config = tmp_path / "cutover.yaml"
    config.write_text(config.read_text().split("# How traffic leaves")[0])
    with org:
        result = doctor()
        assert "old egress: not configured" in result.output
        assert "nothing can be removed" in result.output
        assert result.return_value == 0
