"""The official CLI logs in, deploys every phase, retrieves it, and reports a failure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sfcutover.allowlist.carriers import CARRIERS
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.faults import Fault
from sfcutover.emulator.scenario import Scenario
from tests.interop.packages import (
    FULL_NAMES,
    PHASES,
    POLICIES_NAME,
    addresses_of,
    packages,
    unknown_app_package,
)
from tests.interop.salesforce_cli import ALIAS, Cli, log_in

pytestmark = pytest.mark.interop


def live_addresses(emulator: Emulator, carrier_name: str) -> list[str]:
    carrier = CARRIERS[carrier_name]
    kind = carrier.component_type.metadata_type
    text = emulator.component_xml(kind, FULL_NAMES[carrier_name]).decode()
    return re.findall(f"<{carrier.start_element}>(.*?)<", text)


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_deployed(
    sf: Cli, emulator: Emulator, tmp_path: Path, carrier: str, phase: str
) -> None:
    folder = packages(tmp_path, carrier)[phase]
    answer = sf.run("project", "deploy", "start", "--metadata-dir", folder, "--target-org", ALIAS)
    assert answer.code == 0, answer.document
    assert (answer.result["status"], answer.result["success"]) == ("Succeeded", True)
    assert answer.result["numberComponentsDeployed"] == 1
    assert live_addresses(emulator, carrier) == addresses_of(phase)


def test_policies_are_deployed_with_the_list(sf: Cli, emulator: Emulator, tmp_path: Path) -> None:
    folder = packages(tmp_path, "token-ip-ranges", policies=True)["add-new"]
    answer = sf.run("project", "deploy", "start", "--metadata-dir", folder, "--target-org", ALIAS)
    assert (answer.code, answer.result["numberComponentsDeployed"]) == (0, 2), answer.document
    policies = emulator.component_xml("ExtlClntAppOauthConfigurablePolicies", POLICIES_NAME)
    assert b"<ipRelaxationPolicyType>Enforce</ipRelaxationPolicyType>" in policies


@pytest.mark.parametrize("carrier", sorted(CARRIERS))
def test_a_deployed_component_is_retrieved_by_manifest(
    sf: Cli, emulator: Emulator, tmp_path: Path, carrier: str
) -> None:
    folder = packages(tmp_path / "sent", carrier)["add-new"]
    deploy = ("project", "deploy", "start", "--metadata-dir", folder, "--target-org", ALIAS)
    assert sf.run(*deploy).code == 0
    got = tmp_path / "got"
    answer = sf.run(
        *("project", "retrieve", "start", "--target-metadata-dir", got, "--unzip"),
        *("--manifest", folder / "package.xml", "--single-package", "--target-org", ALIAS),
    )
    assert answer.code == 0, answer.document
    component_type = CARRIERS[carrier].component_type
    path = got / "unpackaged" / component_type.path(FULL_NAMES[carrier])
    kind, name = component_type.metadata_type, FULL_NAMES[carrier]
    assert path.read_bytes() == emulator.component_xml(kind, name)


def test_all_components_of_a_type_are_retrieved(sf: Cli, tmp_path: Path) -> None:
    component_type = CARRIERS["token-ip-ranges"].component_type
    answer = sf.run(
        *("project", "retrieve", "start", "--target-metadata-dir", tmp_path, "--unzip"),
        *("--metadata", component_type.metadata_type, "--target-org", ALIAS),
    )
    assert answer.code == 0, answer.document
    name = FULL_NAMES["token-ip-ranges"]
    # The CLI unzips into a folder, and the org puts one of the same name into the zip.
    assert (tmp_path / "unpackaged" / "unpackaged" / component_type.path(name)).exists()


def test_an_unknown_app_is_a_component_failure(sf: Cli, emulator: Emulator, tmp_path: Path) -> None:
    before = live_addresses(emulator, "token-ip-ranges")
    folder = unknown_app_package(tmp_path / "package")
    answer = sf.run("project", "deploy", "start", "--metadata-dir", folder, "--target-org", ALIAS)
    assert answer.code == 1
    assert answer.result["status"] == "Failed"
    details = answer.result["details"]
    assert isinstance(details, dict)
    failure = details["componentFailures"][0]
    assert "INVALID_CROSS_REFERENCE_KEY" in failure["problem"]
    assert "Acme_Nobody" in failure["problem"]
    assert failure["fullName"] == FULL_NAMES["token-ip-ranges"]
    assert live_addresses(emulator, "token-ip-ranges") == before


def test_a_validation_changes_nothing_and_is_then_deployed(
    sf: Cli, emulator: Emulator, tmp_path: Path
) -> None:
    before = live_addresses(emulator, "token-ip-ranges")
    phase = "remove-new" if "127.0.0.21" in before else "add-new"
    folder = packages(tmp_path, "token-ip-ranges")[phase]
    target = ("--target-org", ALIAS)
    validated = sf.run("project", "deploy", "validate", "--metadata-dir", folder, *target)
    assert (validated.code, validated.result["checkOnly"]) == (0, True), validated.document
    assert live_addresses(emulator, "token-ip-ranges") == before
    quick = sf.run("project", "deploy", "quick", "--job-id", validated.result["id"], *target)
    assert quick.code == 0, quick.document
    assert quick.result["id"] != validated.result["id"]
    assert live_addresses(emulator, "token-ip-ranges") == addresses_of(phase)


def test_polling_continues_through_an_outage(sf: Cli, emulator: Emulator, tmp_path: Path) -> None:
    emulator.set_fault(Fault(kind="http_503", operation="checkDeployStatus"))
    folder = packages(tmp_path, "token-ip-ranges")["add-new"]
    answer = sf.run("project", "deploy", "start", "--metadata-dir", folder, "--target-org", ALIAS)
    assert answer.code == 0, answer.document
    assert answer.result["status"] == "Succeeded"


def test_a_deployment_is_reported_and_canceled(installed_cli: None, tmp_path: Path) -> None:
    with Emulator(Scenario(deploy_seconds=600), tls=False) as emulator:
        cli = Cli(tmp_path)
        log_in(cli, emulator)
        folder = packages(tmp_path, "token-ip-ranges")["add-new"]
        target = ("--target-org", ALIAS)
        started = cli.run(
            "project", "deploy", "start", "--async", "--metadata-dir", folder, *target
        )
        job = ("--job-id", started.result["id"], *target)
        assert cli.run("project", "deploy", "report", *job).result["status"] == "Pending"
        canceled = cli.run("project", "deploy", "cancel", *job)
        assert canceled.result["status"] == "Canceled", canceled.document
        assert live_addresses(emulator, "token-ip-ranges")[0] == "127.0.0.11"


def test_an_org_is_displayed_and_its_token_shown(sf: Cli, emulator: Emulator) -> None:
    shown = sf.run("org", "display", "--target-org", ALIAS).result
    assert shown["username"] == "release@acme.example"
    assert str(shown["instanceUrl"]).rstrip("/") == emulator.url
    assert shown["connectedStatus"] == "Connected"
    token = sf.run("org", "auth", "show-access-token", "--target-org", ALIAS).result
    assert token["accessToken"] == emulator.environment["SF_ACCESS_TOKEN"]


def test_an_auth_url_and_a_key_log_in(installed_cli: None, tmp_path: Path) -> None:
    """Over TLS: the CLI makes an https address from an auth URL."""
    with Emulator() as emulator:
        trusted = {"NODE_EXTRA_CA_CERTS": emulator.environment["REQUESTS_CA_BUNDLE"]}
        cli = Cli(tmp_path)
        file = tmp_path / "auth-url"
        file.write_text(emulator.auth_url)
        by_url = cli.run("org", "login", "sfdx-url", "--sfdx-url-file", file, **trusted)
        assert by_url.code == 0, by_url.document
        by_key = cli.run(
            *("org", "login", "jwt", "--username", "release@acme.example"),
            *("--jwt-key-file", emulator.jwt_private_key_path, "--instance-url", emulator.url),
            *("--client-id", emulator.environment["SF_CLIENT_ID"]),
            **trusted,
        )
        assert by_key.code == 0, by_key.document
        assert by_key.result["username"] == by_url.result["username"] == "release@acme.example"
