"""Helpers shared by this folder: cutover.yaml, the live allowlist, and who redeemed when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import yaml
from lxml import etree

from sfcutover.emulator import Edit, Emulator
from tests.chaos.world import NEW, OLD, World
from tests.integration.cli.harness import NAMESPACE, SECURITY, SECURITY_NAME

POLICIES = ("ExtlClntAppOauthConfigurablePolicies", "Acme_Connector_oauthPlcy")
PARTNER = "partner team, do not touch"
OFFICE = "192.0.2.64"  # the first address of the office VPN, which is on every allowlist
WAITING = (69, 75)  # 69 where the code is not what a test is about


def configure(here: World, **keys: object) -> None:
    """Change keys of cutover.yaml; None removes one."""
    file = here.folder / "cutover.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8")) | keys
    kept = {key: value for key, value in config.items() if value is not None}
    file.write_text(yaml.safe_dump(kept), encoding="utf-8")


def configure_part(here: World, part: str, **keys: object) -> None:
    """Change keys of one part of cutover.yaml, such as verify."""
    config = yaml.safe_load((here.folder / "cutover.yaml").read_text(encoding="utf-8"))
    configure(here, **{part: config[part] | keys})


def entries(emulator: Emulator) -> list[str]:
    """The live allowlist in order: first address, last address and description of each entry."""
    root = etree.fromstring(emulator.component_xml(SECURITY, SECURITY_NAME))
    names = ("startIpAddress", "endIpAddress", "description")
    return [
        " ".join(filter(None, (one.findtext(f"{{{NAMESPACE}}}{name}") for name in names)))
        for one in root.iterfind(f"{{{NAMESPACE}}}tokenIpRanges")
    ]


def entry(address: str, description: str = "") -> str:
    """One address as entries() shows it."""
    return f"{address} {address} {description}".strip()


def policy(emulator: Emulator, name: str) -> str | None:
    """The live value of an OAuth policy."""
    root = etree.fromstring(emulator.component_xml(*POLICIES))
    return root.findtext(f"{{{NAMESPACE}}}{name}")


def change_list(emulator: Emulator, change: Callable[[bytes], bytes]) -> None:
    """Save the allowlist as a colleague would in Setup."""
    xml = emulator.component_xml(SECURITY, SECURITY_NAME)
    emulator.put_component(SECURITY, SECURITY_NAME, change(xml))


def describe(emulator: Emulator, descriptions: Mapping[str, str]) -> None:
    """Give entries of the live allowlist descriptions, by their address."""
    entries = [{"range": address, "description": text} for address, text in descriptions.items()]
    emulator.set_edit(Edit.model_validate({"describe": entries}))


def proven_between(here: World, start: datetime, end: datetime) -> bool:
    """True if the canary redeemed through every new address within that time."""
    proven = {
        one.source
        for one in here.emulator.redemptions
        if one.result == "redeemed" and one.grant == "canary" and start <= one.time <= end
    }
    return proven >= set(NEW)


def removed_at(here: World) -> datetime:
    """When an old address was removed from the allowlist."""
    times = [one.time for one in here.emulator.allowlist_history if not one.holds(OLD[0])]
    assert times, "no old address has left the list"
    return times[0]


def blocked_customers(emulator: Emulator) -> list[str]:
    """The customers whose redemptions the allowlist blocked."""
    return [
        one.grant
        for one in emulator.redemptions
        if one.result == "blocked" and one.grant.startswith("customer")
    ]
