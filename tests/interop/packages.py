"""The packages that ``sfcutover render`` writes, for every carrier and phase.

The baseline is what the emulated org returns at first; the renderer is the project's own.
"""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from sfcutover.allowlist.carriers import CARRIERS, OAUTH_POLICIES
from sfcutover.cli import cli
from sfcutover.emulator.emulator import Emulator
from sfcutover.emulator.scenario import Scenario

PHASES = ("add-new", "remove-old", "restore-old", "remove-new")
FULL_NAMES = {
    "token-ip-ranges": "Acme_Connector_oauthSecurity",
    "trusted-ip-ranges": "Acme_Connector_oauth",
    "connected-app": "Acme_Legacy",
}
POLICIES_NAME = "Acme_Connector_oauthPlcy"
_CONFIG = """
version: 1
name: interop
app: {app}
carriers: [{carrier}]
old: [127.0.0.11, 127.0.0.12]
new: [127.0.0.21, 127.0.0.22]
{policies}
targets:
  - name: emulator
    org: {{access_token: {{env: SF_ACCESS_TOKEN}}, instance_url: http://127.0.0.1}}
"""


def packages(folder: Path, carrier: str, *, policies: bool = False) -> dict[str, Path]:
    """Render all phases below folder, offline; return their paths by phase."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "cutover.yaml"
    config.write_text(
        _CONFIG.format(
            app="Acme_Legacy" if carrier == "connected-app" else "Acme_Connector",
            carrier=carrier,
            policies="policies: {ipRelaxationPolicyType: Enforce}" if policies else "",
        )
    )
    out = folder / "packages"
    words = ["--config", str(config), "render", "--out", str(out)]
    for file in _baseline_files(folder, carrier, policies=policies):
        words += ["--baseline", str(file)]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {phase: out / phase for phase in PHASES}


def unknown_app_package(folder: Path) -> Path:
    """The add-new package with an app that the org does not have."""
    package = packages(folder, "token-ip-ranges")["add-new"]
    (path,) = package.glob("*/*.ecaOauthSecurity")
    path.write_text(path.read_text().replace(">Acme_Connector<", ">Acme_Nobody<"))
    return package


def addresses_of(phase: str) -> list[str]:
    """The start addresses on the allowlist after a phase that follows the earlier ones."""
    old, vpn, new = ["127.0.0.11", "127.0.0.12"], ["192.0.2.64"], ["127.0.0.21", "127.0.0.22"]
    return {
        "add-new": [*old, *vpn, *new],
        "remove-old": [*vpn, *new],
        "restore-old": [*old, *vpn, *new],
        "remove-new": [*old, *vpn],
    }[phase]


def _baseline_files(folder: Path, carrier: str, *, policies: bool) -> list[Path]:
    wanted = [(CARRIERS[carrier].component_type, FULL_NAMES[carrier])]
    wanted += [(OAUTH_POLICIES, POLICIES_NAME)] if policies else []
    files = []
    with Emulator(Scenario(), tls=False) as emulator:
        for component_type, name in wanted:
            file = folder / f"{name}.{component_type.suffix}"
            file.write_bytes(emulator.component_xml(component_type.metadata_type, name))
            files.append(file)
    return files
