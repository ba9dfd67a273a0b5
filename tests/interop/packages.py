"""The package of each phase, for every carrier, as folders that a client can deploy."""

from __future__ import annotations

from pathlib import Path

from sfcutover.carriers import CARRIERS, METADATA_NAMESPACE, Carrier
from sfcutover.emulator import Scenario

PHASES = ("add-new", "remove-old", "restore-old", "remove-new")
API_VERSION = "67.0"
FULL_NAMES = {
    "token-ip-ranges": "Acme_Connector_oauthSecurity",
    "trusted-ip-ranges": "Acme_Connector_oauth",
    "connected-app": "Acme_Legacy",
}
_APP = "<externalClientApplication>{app}</externalClientApplication>"
_SCOPES = "<commaSeparatedOauthScopes>Api,RefreshToken</commaSeparatedOauthScopes>"
_BEFORE = {
    "connected-app": "<contactEmail>integration@acme.example</contactEmail>",
    "token-ip-ranges": _APP,
    "trusted-ip-ranges": _SCOPES + _APP,
}
_BEHIND = {"connected-app": "<label>Acme Legacy</label>"}


def packages(folder: Path) -> dict[tuple[str, str], Path]:
    """Write all packages below folder; their paths by carrier and phase, in deploy order."""
    paths: dict[tuple[str, str], Path] = {}
    for name, carrier in CARRIERS.items():
        for phase in PHASES:
            path = folder / name / phase
            _write(path, carrier, component_xml(carrier, addresses_of(phase)))
            paths[name, phase] = path
    return paths


def unknown_app_package(folder: Path) -> Path:
    """A package whose component names an app that the org doesn't have."""
    carrier = CARRIERS["token-ip-ranges"]
    xml = component_xml(carrier, addresses_of("add-new"), app="Acme_Nobody")
    _write(folder, carrier, xml)
    return folder


def addresses_of(phase: str) -> list[str]:
    """The single addresses that the list holds after a phase."""
    scenario = Scenario()
    old, new = list(scenario.old), list(scenario.new)
    return {
        "add-new": old + new,
        "remove-old": new,
        "restore-old": new + old,
        "remove-new": old,
    }[phase]


def component_xml(carrier: Carrier, addresses: list[str], app: str = "Acme_Connector") -> str:
    """The component's file, with the unrelated range behind the addresses."""
    kind = carrier.component_type.metadata_type
    ranges = [_range(carrier, address, address) for address in addresses]
    vpn = _range(carrier, "192.0.2.64", "192.0.2.71", "<description>office VPN</description>")
    before = _BEFORE[carrier.name].format(app=app)
    behind = _BEHIND.get(carrier.name, "")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} xmlns="{METADATA_NAMESPACE}">'
        f"{before}{''.join([*ranges, vpn])}{behind}</{kind}>\n"
    )


def manifest(carrier: Carrier) -> str:
    """A package.xml that names the carrier's component."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Package xmlns="{METADATA_NAMESPACE}"><types>'
        f"<members>{FULL_NAMES[carrier.name]}</members>"
        f"<name>{carrier.component_type.metadata_type}</name></types>"
        f"<version>{API_VERSION}</version></Package>\n"
    )


def _range(carrier: Carrier, first: str, last: str, description: str = "") -> str:
    return (
        f"<{carrier.list_element}>{description}"
        f"<{carrier.end_element}>{last}</{carrier.end_element}>"
        f"<{carrier.start_element}>{first}</{carrier.start_element}></{carrier.list_element}>"
    )


def _write(folder: Path, carrier: Carrier, xml: str) -> None:
    path = folder / carrier.component_type.path(FULL_NAMES[carrier.name])
    path.parent.mkdir(parents=True)
    path.write_text(xml, encoding="utf-8")
    (folder / "package.xml").write_text(manifest(carrier), encoding="utf-8")
