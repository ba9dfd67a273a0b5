"""Change the addresses on a Salesforce Refresh Token IP Allowlist, safely.

The public API. A name is imported on first use, so that importing the
package is fast. A phase, from Python::

    from pathlib import Path
    from sfcutover import Phase, Templates, connect, load_config

    cutover = load_config(Path("cutover.yaml"))
    connection = connect(cutover.targets[0], cutover)
    planned = cutover.planner(Templates()).plan(Phase.ADD_NEW, connection.read())
    planned.package.to_zip()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sfcutover.allowlist.diff import ComponentDiff, compare
    from sfcutover.allowlist.package import Package
    from sfcutover.allowlist.phases import Change, Phase, apply_phase, check_order
    from sfcutover.allowlist.plan import PlannedPhase, Planner
    from sfcutover.allowlist.ranges import Allowlist, IpRange
    from sfcutover.allowlist.snapshot import Snapshot, read_baseline
    from sfcutover.allowlist.templates import Templates
    from sfcutover.config.cutover import Cutover, load_config
    from sfcutover.cutover.rollout import Rollout, RolloutOptions
    from sfcutover.errors import ExitCode, SfcutoverError
    from sfcutover.salesforce.connection import Connection, connect

__all__ = [
    "Allowlist",
    "Change",
    "ComponentDiff",
    "Connection",
    "Cutover",
    "ExitCode",
    "IpRange",
    "Package",
    "Phase",
    "PlannedPhase",
    "Planner",
    "Rollout",
    "RolloutOptions",
    "SfcutoverError",
    "Snapshot",
    "Templates",
    "apply_phase",
    "check_order",
    "compare",
    "connect",
    "load_config",
    "read_baseline",
]

_MODULES = {
    "allowlist.diff": ("ComponentDiff", "compare"),
    "allowlist.package": ("Package",),
    "allowlist.phases": ("Change", "Phase", "apply_phase", "check_order"),
    "allowlist.plan": ("PlannedPhase", "Planner"),
    "allowlist.ranges": ("Allowlist", "IpRange"),
    "allowlist.snapshot": ("Snapshot", "read_baseline"),
    "allowlist.templates": ("Templates",),
    "config.cutover": ("Cutover", "load_config"),
    "cutover.rollout": ("Rollout", "RolloutOptions"),
    "errors": ("ExitCode", "SfcutoverError"),
    "salesforce.connection": ("Connection", "connect"),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            value: object = getattr(import_module(f"sfcutover.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
