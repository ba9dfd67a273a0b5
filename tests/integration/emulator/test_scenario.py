from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sfcutover.config.cutover import load_config
from sfcutover.emulator import Emulator, Scenario
from tests.integration.emulator.client import SECURITY, Client
from tests.integration.emulator.conftest import StartOrg
from tests.integration.emulator.traffic import new_proxy, redeem


def listed(client: Client, metadata_type: str = SECURITY) -> list[str]:
    results = client.call("listMetadata", f"<queries><type>{metadata_type}</type></queries>")
    return [one.text("fullName") or "" for one in results]


def test_component_names_come_from_the_scenario(start_org: StartOrg) -> None:
    _, client = start_org(namespace="acme", security_settings_name="{app}_sec")
    assert listed(client) == ["acme__Acme_Connector_sec"]
    files = client.retrieved({SECURITY: ["*"]})
    assert any(b">acme__Acme_Connector<" in body for body in files.values())


def test_components_can_be_omitted_and_added(start_org: StartOrg) -> None:
    xml = f'<{SECURITY} xmlns="http://soap.sforce.com/2006/04/metadata"/>'
    extra = [{"type": SECURITY, "full_name": name, "xml": xml} for name in ("B", "A")]
    _, client = start_org(leave_out=[SECURITY], extra_components=extra)
    assert listed(client) == ["A", "B"]


def test_the_config_fits_the_scenario(start_org: StartOrg) -> None:
    emulator, _ = start_org(app="Other", old=["127.0.0.31"], max_api_version=66)
    config = yaml.safe_load(emulator.config_text())
    assert config["app"] == "Other"
    assert config["api_version"] == "66.0"
    assert config["old"] == ["127.0.0.31"]
    assert config["new"] == ["127.0.0.21", "127.0.0.22"]
    assert config["targets"][0]["org"] == {
        "access_token": {"env": "SF_ACCESS_TOKEN"},
        "instance_url": emulator.url,
    }


@pytest.mark.parametrize("tls", [False, True])
def test_the_commands_accept_the_config(tls: bool, tmp_path: Path) -> None:
    with Emulator(tls=tls) as emulator:
        path = tmp_path / "cutover.yaml"
        path.write_text(emulator.config_text("beside it/canary.token"), encoding="utf-8")
        cutover = load_config(path)
        environment = emulator.environment
    assert cutover.egress is not None
    assert cutover.egress.old is not None
    assert cutover.egress.old.proxy is not None
    assert cutover.egress.old.proxy.env == "SFCUTOVER_OLD_PROXY_URL"
    assert cutover.egress.echo_url.read() == environment["SFCUTOVER_ECHO_URL"]
    assert cutover.verify is not None
    assert cutover.verify.token_url.read() == environment["SFCUTOVER_TOKEN_URL"]
    assert cutover.verify.refresh_token is not None
    assert cutover.verify.refresh_token.file == Path("beside it/canary.token")
    assert cutover.verify.settle == 2


@pytest.mark.parametrize(("word", "status"), [("on", 400), ("off", 200)])
def test_enforcement_accepts_on_and_off_as_yaml_reads_them(
    tmp_path: Path, word: str, status: int
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(f"enforcement: {word}\n")
    with Emulator(Scenario.from_file(path), tls=False) as emulator:
        assert redeem(emulator, proxy=new_proxy(emulator)).status_code == status


def test_the_config_contains_no_secrets(start_org: StartOrg) -> None:
    emulator, _ = start_org()
    environment = emulator.environment
    words = ("TOKEN", "SECRET", "PROXY")
    secrets = [environment[name] for name in environment if any(word in name for word in words)]
    secrets.remove(environment["SFCUTOVER_TOKEN_URL"])
    assert len(secrets) == 8
    assert not [one for one in secrets if one in emulator.config_text()]


def test_the_environment_contains_every_variable_of_a_client(start_org: StartOrg) -> None:
    emulator, _ = start_org()
    assert isinstance(emulator, Emulator)
    assert set(emulator.environment) == {
        "SFCUTOVER_INSTANCE_URL",
        "SF_ACCESS_TOKEN",
        "SF_CLIENT_ID",
        "SF_CLIENT_SECRET",
        "SF_REFRESH_TOKEN",
        "SF_LEGACY_CLIENT_ID",
        "SF_LEGACY_CLIENT_SECRET",
        "SF_LEGACY_REFRESH_TOKEN",
        "SFCUTOVER_ADMIN_TOKEN",
        "SFCUTOVER_TOKEN_URL",
        "SFCUTOVER_ECHO_URL",
        "SFCUTOVER_OLD_PROXY_URL",
        "SFCUTOVER_NEW_PROXY_URL",
        "SFCUTOVER_OLD_IPS",
        "SFCUTOVER_NEW_IPS",
    }
    assert emulator.environment["SFCUTOVER_OLD_IPS"] == "127.0.0.11,127.0.0.12"
