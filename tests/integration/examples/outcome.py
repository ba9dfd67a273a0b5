"""What an example must have changed in the org."""

from __future__ import annotations

from sfcutover.emulator.emulator import Emulator
from tests.integration.cli.harness import range_xml, with_entry
from tests.integration.examples.machine import Machine
from tests.support import SECURITY, SECURITY_NAME

OLD = {"127.0.0.11", "127.0.0.12"}
NEW = {"127.0.0.21", "127.0.0.22"}
LONG_WATCH = {"duration": "10m", "interval": "1s", "failures": 2}
WATCHING = "canary redemption passed"  # what a watch prints


def live(machine: Machine) -> set[str]:
    """The addresses of this cutover that are on the allowlist now."""
    newest = machine.emulator.allowlist_history[-1]
    return {each for each in OLD | NEW if newest.holds(each)}


def put_entry(emulator: Emulator, address: str) -> None:
    """A colleague adds an entry in Setup."""
    xml = emulator.component_xml(SECURITY, SECURITY_NAME)
    change = with_entry(range_xml(address, address))
    emulator.put_component(SECURITY, SECURITY_NAME, change(xml))
