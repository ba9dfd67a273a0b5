"""What an example must have brought about in the org."""

from __future__ import annotations

from tests.integration.examples.machine import Machine

OLD = {"127.0.0.11", "127.0.0.12"}
NEW = {"127.0.0.21", "127.0.0.22"}
LONG_WATCH = {"duration": "10m", "interval": "1s", "failures": 2}
WATCHING = "canary redemption passed"  # what a watch prints


def live(machine: Machine) -> set[str]:
    """The addresses of this cutover that are on the list now."""
    newest = machine.emulator.allowlist_history[-1]
    return {each for each in OLD | NEW if newest.holds(each)}
